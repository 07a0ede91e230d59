"""What every metric asks of its arrays: finite float64 [N, F], enough rows, one width."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

Floats = NDArray[np.float64]


def as_array(values: ArrayLike | Tensor) -> NDArray[Any]:
    """Return a numpy array of a tensor or of anything that numpy can read."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def feature_pair(
    real: ArrayLike | Tensor, fake: ArrayLike | Tensor, fewest: int = 2, purpose: str = "a covariance"
) -> tuple[Floats, Floats]:
    """Return both arrays as float64 [N, F] and [M, F].

    Raises:
        ValueError: an array is not two-dimensional, has fewer rows than ``fewest`` (what for, ``purpose`` says) or a
            value that is not finite, or the two differ in width.
    """
    pair = as_array(real).astype(np.float64), as_array(fake).astype(np.float64)
    for name, array in zip(("real", "fake"), pair, strict=True):
        if array.ndim != 2:
            raise ValueError(f"{name} features must be [N, F], these are {list(array.shape)}")
        if len(array) < fewest:
            raise ValueError(f"{name} features: {purpose} needs at least {fewest} samples, found {len(array)}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} features: {int((~np.isfinite(array)).sum())} values are NaN or infinite")
    if pair[0].shape[1] != pair[1].shape[1]:
        raise ValueError(f"real features have {pair[0].shape[1]} columns and fake features {pair[1].shape[1]}")
    return pair
