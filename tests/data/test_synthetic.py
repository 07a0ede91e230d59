import math

import pytest
import torch

from conftest import needs_mnist
from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet
from ganforge.data.synthetic import Stacks, grid, mode_number, ring
from ganforge.metrics.modes import mode_coverage

CPU = torch.device("cpu")


def ten_digits():
    """Return ten images of 2×3 px; digit d has pixels of level d."""
    labels = torch.arange(10)
    images = labels.to(torch.uint8)[:, None, None, None].expand(10, 1, 2, 3).contiguous()
    return ImageSet(images, labels, tuple("0123456789"), "ten")


def stream(data, size, order, seed=0, **options):
    return Batches(data, size, "-1..1", seed=seed, labels=False, device=CPU, order=order, **options)


def test_centres_match_the_paper():
    centres = ring().centres
    assert centres.shape == (8, 2)
    assert torch.allclose(centres.norm(dim=1), torch.ones(8, dtype=torch.float64))
    assert torch.allclose((centres - centres.roll(1, 0)).norm(dim=1), torch.tensor(2 * math.sin(math.pi / 8)).double())
    assert {tuple(c) for c in grid().centres.tolist()} == {(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)}
    assert (ring().std, grid().std) == (0.01, 0.05)


@pytest.mark.parametrize("mixture", [ring(), grid()], ids=lambda m: m.name)
def test_points_are_normally_distributed_around_their_centres(mixture):
    drawn = mixture.points(100_000, seed=3)
    modes, distances = mixture.nearest(drawn.points)
    assert (distances <= 3).double().mean().item() == pytest.approx(1 - math.exp(-4.5), abs=0.002)
    assert (modes == drawn.labels).double().mean() > 0.9999
    off = drawn.points - mixture.centres[drawn.labels]
    assert torch.allclose(off.std(0), torch.full((2,), mixture.std, dtype=torch.float64), rtol=0.02)
    counts = torch.bincount(drawn.labels, minlength=len(mixture.centres)).double()
    assert (counts / counts.mean() - 1).abs().max() < 0.1


def test_points_depend_on_count_seed_and_mixture_only():
    first, again, other = (ring().points(50, seed).points for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_points_are_not_scaled_and_an_epoch_has_each_once():
    data = ring().points(60, 0)
    batches = stream(data, 20, "shuffled", dtype=torch.float64)
    epoch = torch.cat([batches[k].images for k in range(3)])
    assert epoch.shape == (60, 2, 1, 1)
    assert sorted(epoch.flatten(1).tolist()) == sorted(data.points.tolist())
    assert batches[0].condition is None


def test_a_stack_has_its_digits_as_channels_and_their_number_as_mode():
    stacks = Stacks(ten_digits())
    assert len(stacks) == 1000
    numbers = torch.tensor([0, 7, 123, 999])
    assert torch.equal(stacks.modes(numbers), numbers)  # for ten digits in order the index of a stack is its mode
    images = stacks.gather(numbers)
    assert images.shape == (4, 3, 2, 3) and images.dtype == torch.uint8
    assert images[2, :, 0, 0].tolist() == [1, 2, 3]
    assert (images == images[:, :, :1, :1]).all()


def test_drawn_stacks_are_a_fixed_set():
    every = Stacks(ten_digits())
    subset = every.some(500, seed=1)
    assert len(subset) == 500
    assert torch.equal(subset.labels, subset.chosen)
    assert torch.equal(subset.labels, every.some(500, seed=1).labels)
    assert not torch.equal(subset.labels, every.some(500, seed=2).labels)
    assert torch.equal(mode_number(subset.gather(torch.arange(500))[:, :, 0, 0].long()), subset.labels)


def test_a_fixed_order_is_the_same_every_epoch():
    batches = stream(Stacks(ten_digits()).some(40, seed=0), 20, "fixed")
    assert torch.equal(batches[0].images, batches[2].images) and torch.equal(batches[1].images, batches[5].images)
    assert not torch.equal(batches[0].images, batches[1].images)


def test_drawn_batches_depend_on_seed_and_index_only():
    stacks = Stacks(ten_digits())
    forwards = [stream(stacks, 64, "drawn")[k].images for k in range(4)]
    assert torch.equal(forwards[3], stream(stacks, 64, "drawn")[3].images)
    assert not torch.equal(forwards[0], forwards[1])
    assert not torch.equal(forwards[0], stream(stacks, 64, "drawn", seed=1)[0].images)
    digits = torch.cat([stream(stacks, 64, "drawn")[k].images for k in range(100)])[:, :, 0, 0]
    shares = torch.bincount(((digits + 1) * 127.5).round().long().flatten(), minlength=10) / digits.numel()
    assert torch.allclose(shares, torch.full((10,), 0.1), atol=0.02)


@needs_mnist
def test_the_reverse_kl_of_real_stacks_matches_the_known_value():
    """At 26,000 samples .0194 for uniform modes and .0236 for MNIST's class frequencies."""
    from ganforge.data.load import load

    splits = load("mnist", images="all")
    stacks = Stacks(splits.train.concat(splits.test))
    assert len(stacks.digits) == 70_000
    coverages = [mode_coverage(stacks.some(26_000, seed).labels, 1000) for seed in range(10)]
    assert all(coverage.modes == 1000 for coverage in coverages)
    assert sum(coverage.reverse_kl for coverage in coverages) / 10 == pytest.approx(0.0236, abs=0.0005)
    even = [mode_coverage(Stacks(ten_digits()).some(26_000, seed).labels, 1000).reverse_kl for seed in range(10)]
    assert sum(even) / 10 == pytest.approx(0.0194, abs=0.0005)
