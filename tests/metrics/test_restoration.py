import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from ganforge.metrics.restoration import (
    averaging_gain,
    colourfulness,
    posterior_deficit,
    posterior_gain,
    psnr,
    squared_error,
    ssim,
)


def pictures(n=6, channels=1, side=28, seed=0):
    random = np.random.default_rng(seed)
    smooth = random.random((n, channels, side // 4, side // 4)).repeat(4, 2).repeat(4, 3)
    return (smooth * 255).astype(np.uint8)


def test_psnr_by_hand():
    real = np.zeros((2, 1, 4, 4), np.uint8)
    fake = real.copy()
    fake[1] = 51  # a fifth of the range
    values = psnr(real, fake)
    assert values[0] == math.inf
    assert values[1] == pytest.approx(20 * math.log10(5))


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_agrees_with_another_library(channels):
    real, noise = pictures(channels=channels), np.random.default_rng(1).normal(0, 20, (6, channels, 28, 28))
    fake = np.clip(real + noise, 0, 255)
    ours = ssim(real, fake)
    _, similarities = structural_similarity_index_measure(
        torch.from_numpy(fake),
        torch.from_numpy(real).double(),
        data_range=255.0,
        reduction="none",
        return_full_image=True,
    )
    inside = similarities[:, :, 5:-5, 5:-5].mean((1, 2, 3))  # where the window lies inside the picture
    assert np.abs(ours - inside.numpy()).max() < 1e-3


def similarity(x, y):
    """Return the SSIM of two pictures [8, 8] by equation 13: Gaussian means of 11 pixels, mirrored at the borders."""
    weights = np.exp(-np.square(np.arange(-5, 6)) / (2 * 1.5**2))
    weights = np.outer(weights, weights) / weights.sum() ** 2

    def mean(plane, row, column):
        return (np.pad(plane, 5, mode="symmetric")[row : row + 11, column : column + 11] * weights).sum()

    values = []
    for place in ((row, column) for row in (3, 4) for column in (3, 4)):  # where a window of 7 lies inside
        a, b, aa, bb, ab = (mean(plane, *place) for plane in (x, y, x * x, y * y, x * y))
        first = (2 * a * b + 2.55**2) / (a * a + b * b + 2.55**2)
        values.append(first * (2 * (ab - a * b) + 7.65**2) / (aa - a * a + bb - b * b + 7.65**2))
    return np.mean(values)


def test_ssim_of_pictures_smaller_than_its_window_by_hand():
    real, noise = pictures(side=8), np.random.default_rng(1).normal(0, 40, (6, 1, 8, 8))
    fake = np.clip(real + noise, 0, 255)
    assert ssim(real, fake) == pytest.approx(
        [similarity(*pair) for pair in zip(real[:, 0] * 1.0, fake[:, 0], strict=True)]
    )


@pytest.mark.parametrize("side", range(3, 13))
def test_ssim_of_small_pictures_is_a_similarity(side):
    random = np.random.default_rng(0)
    real, other = random.integers(0, 256, (2, 50, 1, side, side)).astype(np.uint8)
    noisy = [np.clip(real + random.normal(0, level, real.shape), 0, 255) for level in (0, 20, 60)]
    values = [ssim(real, fake).mean() for fake in (*noisy, other)]
    assert values[0] == pytest.approx(1)
    assert values == sorted(values, reverse=True)
    assert values[-1] == pytest.approx(0, abs=0.15)
    assert (np.abs(ssim(real, other)) <= 1).all()
    assert (ssim(real, 255 - real) < 0.5).all()


def test_gain_of_posterior_draws():
    random = np.random.default_rng(0)
    mean = random.normal(128, 30, (2000, 1, 4, 4))
    real = mean + random.normal(0, 10, mean.shape)
    draws = mean + random.normal(0, 10, (8, *mean.shape))
    assert averaging_gain(real, draws) == pytest.approx(posterior_gain(8), abs=0.1)
    assert posterior_gain(8) == pytest.approx(2.4988, abs=1e-4)
    assert averaging_gain(real, np.stack([draws[0]] * 8)) == pytest.approx(0, abs=1e-9)
    assert averaging_gain(real, mean + random.normal(0, 20, (8, *mean.shape))) > 3


@pytest.mark.parametrize("count", [8, 64])
def test_deficit_of_the_mean_of_posterior_draws(count):
    random = np.random.default_rng(1)
    mean = random.normal(128, 30, (1000, 1, 8, 8))
    real = mean + random.normal(0, 10, mean.shape)
    draws = mean + random.normal(0, 10, (count, *mean.shape)).astype(np.float32)
    best, ours = (10 * np.log10(255**2 / squared_error(real, result).mean()) for result in (mean, draws.mean(0)))
    assert best - ours == pytest.approx(posterior_deficit(count), abs=0.03)
    assert posterior_deficit(8) == pytest.approx(0.5115, abs=1e-4)


def test_colourfulness_by_hand():
    assert colourfulness(np.full((2, 3, 4, 4), 90, np.uint8)) == 0
    red = np.zeros((1, 3, 4, 4), np.uint8)
    red[:, 0] = 200
    assert colourfulness(red) == pytest.approx(0.3 * math.hypot(200, 100))
    half = red.copy()
    half[:, :, :2] = 0  # rg is 0 or 200, yb 0 or 100
    assert colourfulness(half) == pytest.approx(math.hypot(100, 50) * 1.3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: psnr(np.zeros((2, 1, 4, 4)), np.zeros((3, 1, 4, 4))),
        lambda: squared_error(np.zeros((2, 4)), np.zeros((2, 4))),
        lambda: ssim(np.zeros((2, 1, 2, 4)), np.zeros((2, 1, 2, 4))),
        lambda: averaging_gain(np.zeros((2, 1, 4, 4)), np.zeros((1, 2, 1, 4, 4))),
        lambda: colourfulness(np.zeros((2, 1, 4, 4))),
    ],
)
def test_other_shapes_are_refused(call):
    with pytest.raises(ValueError, match=r"\["):
        call()
