import json

import pytest
import torch

import ganforge
import ganforge.benchmarks.clustering as bench
from conftest import needs_mnist
from ganforge.benchmarks.common import BenchmarkOptions
from ganforge.errors import UserError
from ganforge.generation.grids import traversal_grid
from ganforge.recipes.reading import load_recipe

SMALL = ["batch_size=8", "latent.normal=4", "generator.filters=4", "discriminator.filters=4", "run.precision=fp32"]


def run(**options):
    return bench.run_clustering(BenchmarkOptions("clusters", **options))


@pytest.mark.slow
@needs_mnist
def test_seeds_are_trained_measured_and_kept(no_verdict):
    recipe = load_recipe("infogan", ["generator.filters=8", "discriminator.filters=8"])
    report = run(recipe=recipe, steps=3, out="bench")
    (result,) = report.results
    assert 0.1 <= result.accuracy < 0.6 and result.step == 3
    assert (report.folder / "seed-0" / "codes.png").exists()
    assert report.table()[-1][0] == "ours: infogan" and len(report.table()) == 5
    assert json.loads(json.dumps(report.to_dict()))["seeds"][0]["accuracy"] == result.accuracy
    file = next((report.folder / "seed-0").glob("clusters-*.json"))
    file.write_text("0.75")  # the saved accuracy is used
    assert run(recipe=recipe, steps=3, out="bench").results[0].accuracy == 0.75


def test_a_recipe_without_a_categorical_code_is_refused():
    with pytest.raises(UserError, match="vanilla has none"):
        run(recipe="vanilla", out="bench")


@pytest.mark.parametrize(
    ("change", "words"),
    [("terms.mutual_information", "reads no code"), ("conditional", "is conditional")],
)
def test_a_recipe_without_mutual_information_or_with_labels_is_refused(tmp_path, change, words):
    recipe = load_recipe("infogan", ["conditional=true"] if change == "conditional" else [])
    if change == "terms.mutual_information":
        recipe = recipe.model_copy(update={"terms": type(recipe.terms)()})
    (tmp_path / "odd.toml").write_text(recipe.to_toml())
    with pytest.raises(UserError, match=words):
        run(recipe=str(tmp_path / "odd.toml"), out=tmp_path / "bench")
    assert not (tmp_path / "bench").exists()


def test_a_conditional_generator_has_no_sheet_of_codes(bars_file):
    run = ganforge.train("infogan", data=bars_file, steps=2, out="run", changes=[*SMALL, "conditional=true"])
    with pytest.raises(UserError, match="takes labels: a traversal"):
        traversal_grid(ganforge.load(run.folder))


def test_each_block_of_a_sheet_changes_one_code(bars_file, monkeypatch):
    run = ganforge.train("infogan", data=bars_file, steps=2, out="run", changes=SMALL)
    generator = ganforge.load(run.folder)
    drawn = []
    monkeypatch.setattr(type(generator), "draw", lambda self, z: drawn.append(z) or torch.zeros(len(z), 1, 8, 8).byte())
    traversal_grid(generator, columns=6)
    (z,) = drawn
    rows = z.view(-1, 6, 4 + 10 + 2)
    assert len(rows) == 10 + 2 * 5
    first = rows[:10]
    assert torch.equal(first[:, :, :4], first[:1, :, :4].expand(10, -1, -1))  # a column has fixed noise
    assert torch.equal(first[:, :, 4:14], torch.eye(10)[:, None].expand(-1, 6, -1))
    for number in range(2):
        for row in rows[10 + 5 * number : 15 + 5 * number]:
            changed = (row != row[:1]).any(0)
            assert changed.nonzero().flatten().tolist() == [14 + number]
            assert row[:, 14 + number].tolist() == pytest.approx(torch.linspace(-2, 2, 6).tolist())
