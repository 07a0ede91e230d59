"""Detail in reconstructions and fakes, compared with real images."""

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from ganforge.metrics.arrays import Floats, as_array


def relative_mse(real: ArrayLike | Tensor, again: ArrayLike | Tensor) -> float:
    """Squared error of reconstructions, relative to the variance of the reals.

    Σ ‖x - x̂‖² / Σ ‖x - x̄‖², x̄ the mean of the reals: 0 is perfect, 1 is as bad as always x̄.

    Args:
        real: [N, ...].
        again: reconstructions of the same shape, in the same units.

    Returns:
        A ratio ≥ 0; NaN where all reals are equal.

    Raises:
        ValueError: shapes that differ, fewer than two samples, NaN or infinity.
    """
    x, y = (as_array(values).astype(np.float64) for values in (real, again))
    if x.shape != y.shape or len(x) < 2:
        raise ValueError(
            f"relative_mse needs two or more reals and as many reconstructions: {list(x.shape)} and {list(y.shape)}"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("relative_mse: a value is NaN or infinite")
    spread = float(np.square(x - x.mean(0)).sum())
    return float(np.square(x - y).sum()) / spread if spread else float("nan")


def sharpness(real: ArrayLike | Tensor, fake: ArrayLike | Tensor) -> float:
    """Mean absolute Laplacian of fakes over that of reals: 1 is as sharp, below is blurred, above is speckled.

    |4p - (sum of its four neighbours)|, averaged over the inner pixels p of all images: 0 on uniform areas and linear
    gradients, large at edges. The metric ignores shapes: noise has the highest value.

    Args:
        real: [N, C, H, W], sides of 3 or more.
        fake: [M, C, H, W], in the same units.

    Returns:
        A ratio ≥ 0; NaN where the Laplacian of the reals is 0.

    Raises:
        ValueError: an array of another shape.
    """
    real_mean, fake_mean = (float(np.abs(laplacian(planes)).mean()) for planes in (real, fake))
    return fake_mean / real_mean if real_mean else float("nan")


def laplacian(planes: ArrayLike | Tensor) -> Floats:
    """Return 4p minus its neighbours above, below, left and right: [N, C, H, W] -> [N, C, H - 2, W - 2]."""
    x = as_array(planes).astype(np.float64)
    if x.ndim != 4 or min(x.shape[2:]) < 3 or not len(x):
        raise ValueError(f"planes must be [N, C, H, W] with sides of 3 or more, these are {list(x.shape)}")
    centre: Floats = 4 * x[:, :, 1:-1, 1:-1]
    return centre - x[:, :, :-2, 1:-1] - x[:, :, 2:, 1:-1] - x[:, :, 1:-1, :-2] - x[:, :, 1:-1, 2:]
