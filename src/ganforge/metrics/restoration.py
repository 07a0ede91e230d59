"""Distortion of results against their true pictures, agreement of repeated draws, and colourfulness."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from ganforge.metrics.arrays import Floats, as_array

WINDOW_SIGMA = 1.5
"""Standard deviation in pixels of the window of SSIM (Wang et al. 2004, section III.B)."""


def psnr(real: ArrayLike | Tensor, fake: ArrayLike | Tensor) -> Floats:
    """Peak signal-to-noise ratio of each picture in dB: 10 log₁₀(255² / mean squared error); higher is better.

    Args:
        real: true pictures, uint8 [N, C, H, W].
        fake: results, of the same shape; also floats in 0..255, such as the mean of several draws.

    Returns:
        float64 [N]; infinite for equal pictures.

    Raises:
        ValueError: shapes differ.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(255**2 / squared_error(real, fake)))


def squared_error(real: ArrayLike | Tensor, fake: ArrayLike | Tensor) -> Floats:
    """Mean squared error of each picture, float64 [N], in squared grey levels.

    Raises:
        ValueError: shapes differ.
    """
    x, y = (as_array(pictures).astype(np.float64) for pictures in (real, fake))
    if x.shape != y.shape or x.ndim != 4:
        raise ValueError(
            f"pictures and results must have the same shape [N, C, H, W]: {list(x.shape)}, {list(y.shape)}"
        )
    error: Floats = np.square(x - y).mean((1, 2, 3))
    return error


def ssim(real: ArrayLike | Tensor, fake: ArrayLike | Tensor) -> Floats:
    """Structural similarity of each picture (Wang et al. 2004, eq. 13): 1 for equal pictures; higher is better.

    With a Gaussian window of 11 pixels and standard deviation 1.5; the mean over the channels, and over the places at
    which the window lies inside the picture. In pictures below 11 pixels these are the places of the largest odd window
    that fits, and the Gaussian one sees the picture mirrored at its borders. scikit-image computes it.

    Args:
        real: true pictures, uint8 [N, C, H, W], sides of 3 or more.
        fake: results, of the same shape; also floats in 0..255.

    Returns:
        float64 [N], in -1..1.

    Raises:
        ValueError: shapes differ, or a side is below 3.
    """
    from skimage.metrics import structural_similarity  # takes half a second to import

    x, y = (as_array(pictures).astype(np.float64) for pictures in (real, fake))
    if x.shape != y.shape or x.ndim != 4 or min(x.shape[2:]) < 3:
        raise ValueError(f"ssim needs equal shapes and sides of 3 or more: {list(x.shape)}, {list(y.shape)}")
    radius = min(5, (min(x.shape[2:]) - 1) // 2)
    options: dict[str, Any] = {
        "data_range": 255,
        "channel_axis": 0,
        "gaussian_weights": True,
        "sigma": WINDOW_SIGMA,
        "win_size": 2 * radius + 1,
        "use_sample_covariance": False,
    }
    return np.array([structural_similarity(a, b, **options) for a, b in zip(x, y, strict=True)])


def averaging_gain(real: ArrayLike | Tensor, draws: ArrayLike | Tensor) -> float:
    """Gain in dB of the mean of P draws over one draw: 10 log₁₀ of the ratio of their mean squared errors.

    Draws from the true posterior have twice the error variance of its mean, and the mean of P of them 1 + 1/P times: a
    gain of 10 log₁₀(2P/(P + 1)), 2.50 dB for P = 8 (Bendel et al. 2023, section 3.2). Equal draws gain 0; draws that
    differ more than the posterior gain more.

    Args:
        real: true pictures [N, C, H, W].
        draws: results [P, N, C, H, W], P ≥ 2.

    Raises:
        ValueError: shapes differ, or fewer than two draws.
    """
    samples = as_array(draws)
    if samples.ndim != 5 or len(samples) < 2:
        raise ValueError(f"draws must be [P, N, C, H, W] with two or more draws, these are {list(samples.shape)}")
    single = float(np.mean([squared_error(real, draw).mean() for draw in samples]))
    mean = float(squared_error(real, samples.mean(0, dtype=np.float64)).mean())
    return 10 * math.log10(single / mean) if mean else 0.0


def posterior_gain(count: int) -> float:
    """Return the `averaging_gain` of ``count`` draws from the true posterior, in dB."""
    return 10 * math.log10(2 * count / (count + 1))


def posterior_deficit(count: int) -> float:
    """Return by how many dB the mean of ``count`` draws from the true posterior lies below the posterior's mean.

    With the error variance σ² of the posterior's mean, the mean of P draws has σ² + σ²/P: a deficit of
    10 log₁₀(1 + 1/P), .51 dB for P = 8 and .07 dB for P = 64.
    """
    return 10 * math.log10(1 + 1 / count)


def colourfulness(pictures: ArrayLike | Tensor) -> float:
    """Mean colourfulness M of RGB pictures (Hasler and Süsstrunk 2003, metric 3): 0 for grey ones.

    M = √(σ²_rg + σ²_yb) + 0.3 √(μ²_rg + μ²_yb), over the pixels of a picture, with rg = R - G, yb = (R + G)/2 - B.

    Args:
        pictures: uint8 [N, 3, H, W].

    Raises:
        ValueError: pictures of another shape.
    """
    x = as_array(pictures).astype(np.float64)
    if x.ndim != 4 or x.shape[1] != 3:
        raise ValueError(f"colourfulness needs RGB pictures [N, 3, H, W], these are {list(x.shape)}")
    red, green, blue = x.reshape(len(x), 3, -1).transpose(1, 0, 2)
    opponents = np.stack([red - green, (red + green) / 2 - blue])
    spread, mean = np.sqrt(opponents.var(2).sum(0)), np.sqrt(np.square(opponents.mean(2)).sum(0))
    return float((spread + 0.3 * mean).mean())
