import pytest
import torch

from ganforge.networks.consistency import LUMA, KnownPixels, WeightedMean, clamp


def images(channels=3, low=0.0, high=1.0):
    random = torch.Generator().manual_seed(1)
    return torch.rand(20, channels, 8, 8, generator=random, dtype=torch.float64) * (high - low) + low


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.1), (0.9, 1), (0, 0), (1, 1)])
def test_block_means_are_the_condition(low, high):
    condition = images(1)[:, :, ::4, ::4].repeat_interleave(4, 2).repeat_interleave(4, 3)
    condition[0], condition[1] = 0, 1
    projected = WeightedMean(block=4)(images(1, low, high), condition)
    means = projected.unfold(2, 4, 4).unfold(3, 4, 4).mean((4, 5))
    assert (means - condition[:, :, ::4, ::4]).abs().max() < 2e-5
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
    torch.testing.assert_close(projected[~kept], images(3)[~kept])


@pytest.mark.parametrize("projection", [WeightedMean(block=4), WeightedMean(channel_weights=(0.2, 0.3, 0.5))])
def test_gradients_are_those_of_the_projection(projection):
    values = (0.4 + 0.2 * images(3)[:2]).requires_grad_()  # no value reaches a bound, where the gradient is one-sided
    condition = 0.4 + 0.2 * (images(3)[2:4, :, :1, :1].expand(-1, -1, 8, 8) if projection.block > 1 else images(1)[:2])
    assert torch.autograd.gradcheck(lambda a: projection(a, condition), values, eps=1e-3, atol=1e-4)


@pytest.mark.parametrize("target", [0.0, 1e-3, 0.5, 1.0])
def test_gradients_of_values_far_outside_the_range_are_finite(target):
    values = torch.tensor([-80.0, 80]).repeat(2, 1, 8, 4).requires_grad_()
    WeightedMean(block=4)(values, torch.full((2, 1, 8, 8), target)).square().sum().backward()
    assert values.grad.isfinite().all()


def test_black_pixels_stay_black_where_the_mean_rises():
    values = torch.full((1, 1, 4, 4), -2.0, dtype=torch.float64)
    values[..., 0] = 0.5
    projected = WeightedMean(block=4)(values, torch.full((1, 1, 4, 4), 0.24, dtype=torch.float64))
    assert projected[..., 0].allclose(torch.tensor(0.96, dtype=torch.float64))
    assert projected[..., 1:].max() == 0


def test_clamp_passes_gradients_that_lead_back_into_the_range():
    values = torch.tensor([-1.0, -1, 0.5, 0.5, 2, 2], requires_grad=True)
    weights = torch.tensor([1.0, -1, 1, -1, 1, -1])
    assert clamp(values).tolist() == [0, 0, 0.5, 0.5, 1, 1]
    (clamp(values) * weights).sum().backward()
    assert values.grad.tolist() == [0, -1, 1, -1, 1, 0]
