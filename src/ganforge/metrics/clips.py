"""Continued clips against the true ones: errors summed over a frame, structural similarity, and sharpness."""

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from ganforge.metrics.arrays import Floats, as_array


def frame_error(real: ArrayLike | Tensor, fake: ArrayLike | Tensor) -> Floats:
    """Squared error of each frame, Σ (x − y)² over its pixels in 0..1: a sum, as the Moving MNIST tables have it.

    Published codes (PredRNN, OpenSTL) average this sum over frames and clips. The mean over pixels is smaller by the
    number of pixels, 4,096 for 64×64.

    Args:
        real: true frames, uint8 [N, K, C, H, W].
        fake: results, of the same shape; also floats in 0..255, such as the mean of several draws.

    Returns:
        float64 [N, K].

    Raises:
        ValueError: shapes differ.
    """
    x, y = _same_shape(real, fake)
    error = [np.square((a.astype(np.float64) - b) / 255).sum((1, 2, 3)) for a, b in zip(x, y, strict=True)]
    return np.array(error)


def frame_ssim(real: ArrayLike | Tensor, fake: ArrayLike | Tensor) -> Floats:
    """Structural similarity of each frame by scikit-image's own settings: a uniform window of 7 pixels, range 255.

    PredRNN's code has these settings, on uint8 frames; `ganforge.metrics.restoration.ssim` has the window of the paper.

    Args:
        real, fake: uint8 [N, K, C, H, W], sides of 7 or more.

    Returns:
        float64 [N, K], in -1..1.

    Raises:
        ValueError: shapes differ, or a side is below 7.
    """
    from skimage.metrics import structural_similarity  # takes half a second to import

    x, y = _same_shape(real, fake)
    if min(x.shape[3:]) < 7:
        raise ValueError(f"frame_ssim needs sides of 7 or more: {list(x.shape)}")
    return np.array(
        [
            [structural_similarity(a, b, data_range=255, channel_axis=0) for a, b in zip(clip, result, strict=True)]
            for clip, result in zip(x, y, strict=True)
        ]
    )


def sharpness(pictures: ArrayLike | Tensor) -> float:
    """Mean gradient magnitude, √(Δx² + Δy²) of neighbouring pixels in 0..1, over all pictures uint8 [N, C, H, W]."""
    x = as_array(pictures).astype(np.float64) / 255
    down, right = np.diff(x, axis=2)[:, :, :, :-1], np.diff(x, axis=3)[:, :, :-1]
    return float(np.sqrt(np.square(down) + np.square(right)).mean())


def _same_shape(real: ArrayLike | Tensor, fake: ArrayLike | Tensor) -> tuple[Floats, Floats]:
    x, y = as_array(real), as_array(fake)
    if x.shape != y.shape or x.ndim != 5:
        raise ValueError(f"clips and results need equal shapes [N, K, C, H, W]: {list(x.shape)}, {list(y.shape)}")
    return x, y
