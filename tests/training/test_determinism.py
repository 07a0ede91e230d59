import pytest
import torch

from ganforge.data.batches import Batches
from ganforge.randomness import random_generator, seed_of
from ganforge.recipes.reading import load_recipe
from ganforge.training.log_schedule import is_mark, is_sheet_epoch
from ganforge.training.loop import train
from ganforge.training.noise import NoiseSource
from ganforge.training.state import new_state
from ganforge.training.step import adversarial_step

CPU = torch.device("cpu")


def train_small(data, steps, seed=0, name="vanilla", hooks=(), changes=()):
    recipe = load_recipe(
        name, ["latent.dim=6", "generator.hidden=[12]", "discriminator.hidden=[10]", "batch_size=8", *changes]
    )
    state = new_state(recipe, data.shape, len(data.class_names), seed, CPU)
    streams = {"real": Batches(data, 8, recipe.pixel_range, seed=seed, labels=recipe.conditional, device=CPU)}
    noise = NoiseSource(recipe, seed, CPU)
    train(state, adversarial_step, recipe, streams, noise, stop=lambda s: s.step >= steps, hooks=hooks)
    return state, recipe, streams, noise


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_same_seed_same_weights_other_seed_other_weights(bars):
    first, again, other = (train_small(bars, 10, seed)[0].tensors() for seed in (0, 0, 1))
    assert equal(first, again)
    assert not equal(first, other)


@pytest.mark.parametrize("name", ["vanilla", "cgan-tutorial", "udacity", "two-phase"])
@pytest.mark.parametrize("more", [[], ["terms.historical_averaging.weight=1", "averaging.discriminator=true"]])
def test_a_state_saved_and_loaded_continues_exactly(bars, name, more):
    changes = ["averaging.half_life=100.0", *more]
    uninterrupted = train_small(bars, 12, name=name, changes=changes)[0]
    halfway, recipe, streams, noise = train_small(bars, 5, name=name, changes=changes)
    saved = {key: value.clone() for key, value in halfway.tensors().items()}
    fresh = new_state(recipe, bars.shape, 4, 99, CPU)
    fresh.load(saved, halfway.step, halfway.images_seen)
    train(fresh, adversarial_step, recipe, streams, noise, stop=lambda s: s.step >= 12)
    assert equal(uninterrupted.tensors(), fresh.tensors())
    assert (fresh.step, fresh.images_seen) == (uninterrupted.step, uninterrupted.images_seen)


def test_hooks_are_called_after_every_step_and_change_nothing(bars):
    calls = []
    with_hooks = train_small(bars, 7, hooks=[lambda state, stats: calls.append((state.step, sorted(stats)))])[0]
    assert [step for step, _ in calls] == [1, 2, 3, 4, 5, 6, 7]
    assert equal(with_hooks.tensors(), train_small(bars, 7)[0].tensors())


def test_a_checkpoint_of_other_networks_is_refused(bars):
    saved = train_small(bars, 2)[0].tensors()
    other = train_small(bars, 0, changes=["generator.hidden=[13]"])[0]
    with pytest.raises(ValueError, match="other networks"):
        other.load(saved, 2, 16)
    del saved["discriminator.module.layers.0.weight"]
    with pytest.raises(ValueError, match="lacks"):
        train_small(bars, 0)[0].load(saved, 2, 16)


# Batches


def stream(data, size, seed=0, **options):
    return Batches(data, size, "0..1", seed=seed, labels=True, device=CPU, **options)


def test_every_epoch_has_every_image_once_in_a_new_order(bars):
    batches = stream(bars, 20)
    first = torch.cat([batches[k].images for k in range(10)]).flatten(1)
    second = torch.cat([batches[k].images for k in range(10, 20)]).flatten(1)
    assert not torch.equal(first, second)
    expected = (bars.images / 255.0).flatten(1).sum(1).sort().values
    for epoch in (first, second):
        assert torch.allclose(epoch.sum(1).sort().values, expected, rtol=1e-5)


def test_a_batch_crosses_the_end_of_an_epoch(bars):
    batches = stream(bars, 30)  # 200 images: batch 6 holds the last 20 and the first 10 of the next epoch
    assert len(batches[6].images) == 30
    images = torch.cat([batches[k].images for k in range(20)])  # 600 images: three whole epochs
    assert torch.allclose(images.sum(), 3 * (bars.images / 255.0).sum(), rtol=1e-5)


def test_a_batch_depends_on_its_number_alone(bars):
    forwards, backwards = stream(bars, 30), stream(bars, 30)
    ascending = [forwards[k].images for k in range(14)]
    descending = [backwards[k].images for k in reversed(range(14))][::-1]
    assert all(torch.equal(x, y) for x, y in zip(ascending, descending, strict=True))
    assert not torch.equal(ascending[0], stream(bars, 30, seed=1)[0].images)
    assert not torch.equal(ascending[0], stream(bars, 30, stream="unlabelled")[0].images)


def test_batches_drawn_with_replacement_reach_every_image(bars):
    five = bars.select(slice(0, 5))
    images = torch.cat([stream(five, 5, order="drawn")[k].images for k in range(20)]).flatten(1)
    _, counts = images.unique(dim=0, return_counts=True)
    assert len(counts) == 5 and counts.min() > 5


def test_labels_belong_to_their_images(bars):
    images, labels = stream(bars, 50)[1]
    positions = images.mean(2).view(50, 4, 2).mean(2).argmax(1)
    assert torch.equal(positions, labels)


# Random numbers


def test_seeds_are_fixed_numbers():
    """If this changes, every published seed gives other results."""
    assert seed_of(0, "latent", 1) == seed_of(0, "latent", 1)
    assert (
        len({seed_of(0, "a", 1), seed_of(0, "a", 2), seed_of(1, "a", 1), seed_of(0, "b", 1), seed_of("0", "a", 1)}) == 5
    )
    assert random_generator("x").initial_seed() == seed_of("x") == EXPECTED


EXPECTED = 7156891620277110752


@pytest.mark.parametrize(
    ("name", "mean", "std"), [("vanilla", 0, 1), ("cgan-tutorial", -1, 1), ("udacity", 0, 3**-0.5)]
)
def test_latents_have_the_distribution_of_the_recipe(name, mean, std):
    z = NoiseSource(load_recipe(name), 0, CPU).latent(2000, "test", 1)
    assert z.mean().item() == pytest.approx(mean, abs=0.01)
    assert z.std().item() == pytest.approx(std, rel=0.01)
    assert torch.equal(z, NoiseSource(load_recipe(name), 0, CPU).latent(2000, "test", 1))
    assert not torch.equal(z, NoiseSource(load_recipe(name), 0, CPU).latent(2000, "test", 2))


# Log schedule


def test_marks_become_rarer_independently_of_the_run_length():
    marks = [step for step in range(60_000) if is_mark(step)]
    assert marks[:11] == list(range(11))
    assert 80 < len(marks) < 110
    assert all(b / a < 1.2 for a, b in zip(marks[10:], marks[11:], strict=False))


def test_image_grids_come_after_the_epochs_of_the_tutorials():
    assert [e for e in range(100) if is_sheet_epoch(e)] == [0, 9, 19, 29, 39, 49, 59, 69, 79, 89, 99]
    assert [e for e in range(100, 1000) if is_sheet_epoch(e)] == [199, 299, 399, 499, 599, 699, 799, 899, 999]
