"""Training on pairs: draws for the same condition, the energy score, regression without an adversary."""

import pytest
import torch

import ganforge
from conftest import small_images
from ganforge.benchmarks.applications import regression
from ganforge.data.batches import Batch
from ganforge.data.images import ImageSet
from ganforge.errors import UserError
from ganforge.evaluation.baselines import nearest_training_pictures
from ganforge.objectives.terms import Fidelity
from ganforge.recipes.reading import load_recipe

SMALL = ["batch_size=8", "latent.dim=6", "generator.filters=8", "discriminator.filters=4", "run.precision=fp32"]


def test_a_repeated_batch_has_the_first_conditions_again():
    batch = Batch(torch.arange(8.0).view(8, 1, 1, 1), torch.arange(8))
    repeated = batch.repeated(4)
    assert repeated.images.flatten().tolist() == [0, 1] * 4 == repeated.condition.tolist()
    assert batch.repeated(1) is batch


def test_the_energy_score_by_hand():
    term, target = Fidelity(score="energy"), torch.zeros(4, 1, 1, 1)
    draws = torch.tensor([1.0, 2.0, 3.0, 6.0]).view(4, 1, 1, 1)  # two conditions, two draws: (1, 3) and (2, 6)
    assert term.distance(draws, target, 2).item() == pytest.approx(3 - 0.5 * 3)
    assert Fidelity(score="l1").distance(draws, target, 2).item() == 3


def test_the_energy_score_is_least_for_the_true_distribution():
    random = torch.Generator().manual_seed(0)
    truth = torch.randn(100_000, 1, 1, 1, generator=random)
    truth = truth.repeat(2, 1, 1, 1)
    draws = torch.randn(200_000, 1, 1, 1, generator=random)
    scores = {spread: Fidelity(score="energy").distance(spread * draws, truth, 2).item() for spread in (0, 0.5, 1, 1.5)}
    assert min(scores, key=scores.get) == 1


def test_regression_has_no_adversary_and_resumes(bars, quick_verdict):
    recipe = regression(load_recipe("enlarge-4x", SMALL))
    assert recipe.discriminator is None and recipe.terms.fidelity.score == "l1"
    straight = ganforge.train(recipe, data=bars, steps=6, out="straight")
    ganforge.train(recipe, data=bars, steps=3, out="stopped")
    resumed = ganforge.resume("stopped", steps=6, data=bars)
    files = [(run.folder / "generator.safetensors").read_bytes() for run in (straight, resumed)]
    assert files[0] == files[1]


def test_the_nearest_training_picture_knows_the_known_pixels_alone():
    train = small_images(60)
    recipe = load_recipe("complete")
    masked = recipe.pairs.pairs(train.images[:20], 0, torch.arange(20)).condition
    assert torch.equal(nearest_training_pictures(recipe.pairs, train, masked), train.images[:20])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["pairs.draws=3"], "pairs.draws = 3 must divide batch_size"),
        (["pairs.draws=1"], "compares draws for the same condition"),
        (["conditional=true"], "conditions on pictures"),
        (["game.packing=2"], "neither packing nor unrolling"),
        (["generator.family=subpixel"], "pairs"),
    ],
)
def test_fields_that_do_not_fit_pairs_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        load_recipe("enlarge-4x", changes)


def test_pictures_that_the_factor_does_not_divide_are_refused():
    data = ImageSet(torch.zeros(40, 1, 10, 10, dtype=torch.uint8), torch.zeros(40, dtype=torch.int64), ("a",))
    with pytest.raises(UserError, match=r"pairs.factor = 4 must divide"):
        ganforge.train("enlarge-4x", data=data, steps=1, changes=SMALL)
