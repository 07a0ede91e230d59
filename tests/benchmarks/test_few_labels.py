import json
from dataclasses import replace

import pytest
import torch
from torch import nn

import ganforge.benchmarks.few_labels as bench
from conftest import needs_mnist, small_images
from ganforge.benchmarks.common import BenchmarkOptions
from ganforge.data.images import Splits
from ganforge.errors import UserError
from ganforge.experiment.experiment import Experiment
from ganforge.networks.heads import DiscriminatorOutput
from ganforge.recipes.reading import load_recipe
from ganforge.runs.folder import RunFolder

CONVOLUTIONS = ["discriminator.filters=4", "generator.filters=4"]
TINY = ["batch_size=20", "discriminator.hidden=[30]", "generator.hidden=[12]", "latent.dim=6", "run.device=cpu"]


NARROW = load_recipe("semi-supervised", ["discriminator.hidden=[30, 20]", "generator.hidden=[12]"])
"""Networks that read the 10,000 test images quickly."""


def run(labels, draw=0, recipe=NARROW, **options):
    options["recipe"] = recipe
    return bench.run_few_labels(BenchmarkOptions("few-labels", labels=labels, draw=draw, **options))


class BrightnessClassifier(nn.Module):
    """Predicts class 1 for images with a bright first pixel, else class 0."""

    def forward(self, images, condition):
        bright = images[:, 0, 0, 0] > 0.5
        return DiscriminatorOutput(bright.float(), images, torch.stack([~bright, bright], 1).float())


def test_errors_are_counted_against_the_labels():
    images = small_images(10)
    pixels = torch.zeros_like(images.images)
    pixels[:5, :, 0, 0] = 255
    labels = torch.tensor([1, 1, 1, 1, 0, 0, 0, 0, 1, 1])
    error = bench.measure_error(BrightnessClassifier(), type(images)(pixels, labels, images.class_names), "0..1")
    assert error == pytest.approx(0.3)


def test_training_on_the_labelled_images_alone_lowers_the_error():
    data = Splits(small_images(400, seed=1), small_images(50, seed=2), small_images(200, seed=3))
    changes = [*TINY, "data.labels=20", "run.precision=fp32", "averaging.ramp=0.5"]
    experiment = Experiment(load_recipe("semi-supervised", changes), data, RunFolder("x"), 0)
    before = bench.measure_error(experiment.new_state().discriminator.published, data.test, "0..1")
    state = bench.learn_from_labels(experiment, 60)
    assert bench.measure_error(state.discriminator.published, data.test, "0..1") < min(0.45, before - 0.2)


def test_learn_from_labels_uses_the_rates_and_the_weight_of_the_recipe():
    data = Splits(small_images(400, seed=1), small_images(50, seed=2), small_images(200, seed=3))
    weights = {}
    for change in ("adam.eps=1e-1", "terms.supervised.weight=9", "schedule.lr_decay_start=1"):
        recipe = load_recipe(
            "semi-supervised", [*TINY, "data.labels=20", "run.precision=fp32", "adam.eps=1e-1", change]
        )
        state = bench.learn_from_labels(Experiment(recipe, data, RunFolder("x"), 0), 3)
        weights[change] = state.discriminator.parameters[-1]
    plain, heavier, slower = weights.values()
    assert not torch.equal(plain, heavier) and not torch.equal(plain, slower)


@pytest.mark.slow
@needs_mnist
def test_draws_add_up_and_finished_draws_are_kept(monkeypatch, no_verdict):
    monkeypatch.setattr(bench, "QUICK_STEPS", 6)
    first = run(20, 0, quick=True, out="bench")
    assert first.terms == "--quick, no protocol: 1 draw, 6 of 180,000 steps"
    assert 0 < first.draws[0].error < 1
    second = run(20, 1, quick=True, out="bench")
    assert [draw.draw for draw in second.draws] == [0, 1]
    assert second.draws[0] == first.draws[0]
    monkeypatch.setattr(bench, "_measure", None)  # nothing is trained again
    assert run(20, 1, quick=True, out="bench") == second
    values = json.loads(json.dumps(second.to_dict()))
    assert not values["is_protocol"] and len(values["draws"]) == 2 and not values["knows_pictures"]
    rows = second.table()
    assert rows[0][0].startswith("Improved GAN") and rows[-1][0] == "ours: semi-supervised"
    assert "±" in rows[-1][1]


@pytest.mark.slow
@needs_mnist
def test_a_longer_call_continues_a_shorter_one(monkeypatch, no_verdict):
    monkeypatch.setattr(bench, "QUICK_STEPS", 9)  # also the steps on the labelled images alone
    short, long = (run(20, 0, quick=True, steps=steps, out="bench") for steps in (4, 9))
    assert (short.draws[0].step, long.draws[0].step) == (4, 9)
    assert RunFolder("bench/draw-0").read_run()["step"] == 9
    straight = run(20, 0, quick=True, steps=9, out="straight")
    assert straight.draws[0].error == long.draws[0].error
    with pytest.raises(UserError, match="at step 9 already"):
        run(20, 0, quick=True, steps=7, out="bench")


@pytest.mark.slow
@needs_mnist
def test_a_recipe_with_knowledge_of_images_is_not_the_published_protocol(monkeypatch, no_verdict):
    monkeypatch.setattr(bench, "QUICK_STEPS", 3)
    report = run(20, 0, recipe=load_recipe("semi-supervised-iic", CONVOLUTIONS), quick=True, out="bench")
    assert report.knows_pictures and not report.is_protocol and report.terms.endswith("not permutation-invariant")
    assert not replace(report, quick=False, protocol_steps=3).is_protocol
    assert replace(report, quick=False, protocol_steps=3, knows_pictures=False).is_protocol


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((30, 0), "give one of 20, 50, 100, 200"), ((100, -1), "must be 0 or more")],
)
def test_invalid_arguments_are_refused(arguments, words):
    with pytest.raises(UserError, match=words):
        run(*arguments, recipe=None)


def test_a_recipe_without_labels_is_refused():
    with pytest.raises(UserError, match="vanilla does not use labels"):
        run(100, recipe="vanilla")
