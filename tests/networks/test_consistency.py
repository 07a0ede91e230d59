import pytest
import torch

from ganforge.networks.consistency import LUMA, KnownPixels, WeightedMean


def images(channels=3, low=0.0, high=1.0):
    random = torch.Generator().manual_seed(1)
    return torch.rand(20, channels, 8, 8, generator=random, dtype=torch.float64) * (high - low) + low


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.1), (0.9, 1), (0, 0), (1, 1)])
def test_block_means_are_the_condition(low, high):
    condition = images(1)[:, :, ::4, ::4].repeat_interleave(4, 2).repeat_interleave(4, 3)
    condition[0], condition[1] = 0, 1
    projected = WeightedMean(block=4)(images(1, low, high), condition)
    means = projected.unfold(2, 4, 4).unfold(3, 4, 4).mean((4, 5))
    assert (means - condition[:, :, ::4, ::4]).abs().max() < 1e-5
    assert projected.min() >= 0
    assert projected.max() <= 1


def test_luma_is_the_condition_within_a_grey_level_after_rounding():
    condition = (images(1) * 255).round() / 255
    projected = WeightedMean(channel_weights=LUMA)(images(3), condition)
    rounded = (projected * 255).round()
    weights = torch.tensor(LUMA, dtype=torch.float64).view(1, 3, 1, 1)
    assert ((rounded * weights).sum(1, keepdim=True) - condition * 255).abs().max() <= 0.5 + 1e-6


def test_known_pixels_are_exact():
    mask = (images(1) > 0.5).double()
    given = images(3, 0.2, 0.4) * (1 - mask)
    projected = KnownPixels()(images(3), torch.cat([given, mask], 1))
    kept = (mask == 0).expand(-1, 3, -1, -1)
    assert torch.equal(projected[kept], given[kept])
    assert torch.equal(projected[~kept], images(3)[~kept])


@pytest.mark.parametrize("projection", [WeightedMean(block=4), WeightedMean(channel_weights=(0.2, 0.3, 0.5))])
def test_gradients_pass_and_are_finite(projection):
    pixels = images(3).requires_grad_()
    condition = images(3)[:, :, :1, :1].expand(-1, -1, 8, 8) if projection.block > 1 else images(1)
    projection(pixels, condition).square().sum().backward()
    assert pixels.grad.isfinite().all()
    assert pixels.grad.abs().sum() > 0
