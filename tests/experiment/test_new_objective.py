"""A new loss needs two changes: its class in objectives/adversarial.py, and a recipe that names it."""

from typing import ClassVar

import pytest
import torch

import ganforge
from ganforge.errors import UserError
from ganforge.objectives.adversarial import OBJECTIVES, Objective
from ganforge.recipes.reading import built_in


class Hinge(Objective):
    """Stands for the first file: max(0, margin - D(x)) + max(0, margin + D(G(z)))."""

    probabilistic: ClassVar[bool] = False
    margin: float = 1.0

    def discriminator_loss(self, real, fake):
        return torch.relu(self.margin - real) + torch.relu(self.margin + fake)

    def generator_loss(self, real, fake):
        return -fake


def test_a_new_loss_trains_resumes_and_draws_with_one_class_and_one_recipe(bars_file, tmp_path, monkeypatch):
    monkeypatch.setitem(OBJECTIVES, "hinge", Hinge)
    text = built_in()["vanilla"].replace('name = "vanilla"', 'name = "mine"')
    recipe = tmp_path / "mine.toml"  # the second file
    recipe.write_text(text.replace('name = "non-saturating"', 'name = "hinge"\nmargin = 0.5'))

    run = ganforge.train(str(recipe), data=bars_file, steps=10, changes=["batch_size=8"])
    assert run.folder.name == "mine-bars-1"
    assert ganforge.resume(run.folder, steps=12).step == 12
    generator = ganforge.load(run.folder)
    assert generator.recipe.objective == Hinge(margin=0.5)
    assert len(generator.sample(3)) == 3
    # Logits that are not probabilities are not displayed as probabilities.
    log = (run.folder / "log.jsonl").read_text()
    assert "real_logit" in log
    assert "d_real" not in log

    with pytest.raises(UserError, match=r"objective.margn: no such field; did you mean margin\?"):
        ganforge.train(str(recipe), data=bars_file, steps=1, changes=["objective.margn=2.0"])
