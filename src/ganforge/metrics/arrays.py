"""Checks of the arrays that every metric takes: finite float64 [N, F], enough rows, equal widths."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

Floats = NDArray[np.float64]


def as_array(values: ArrayLike | Tensor) -> NDArray[Any]:
    """Return a tensor, or anything that NumPy can read, as a NumPy array."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def feature_pair(
    real: ArrayLike | Tensor,
    fake: ArrayLike | Tensor,
    fewest: int = 2,
    purpose: str = "a covariance",
    names: tuple[str, str] = ("real", "fake"),
) -> tuple[Floats, Floats]:
    """Return both arrays as float64 [N, F] and [M, F].

    Raises:
        ValueError: an array is not two-dimensional, has no column, fewer than ``fewest`` rows or a value that is not
            finite, or the widths differ. The message uses ``names`` for the arrays and ``purpose`` for the row limit.
    """
    pair = as_array(real).astype(np.float64), as_array(fake).astype(np.float64)
    for name, array in zip(names, pair, strict=True):
        if array.ndim != 2 or not array.shape[1]:
            raise ValueError(f"{name} features must be [N, F], these are {list(array.shape)}")
        if len(array) < fewest:
            needed = f"{fewest} sample{'s' * (fewest > 1)}"
            raise ValueError(f"{name} features: {purpose} needs at least {needed}, found {len(array)}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} features: {int((~np.isfinite(array)).sum())} values are NaN or infinite")
    width, other_width = (array.shape[1] for array in pair)
    if width != other_width:
        raise ValueError(f"{names[0]} features have {width} columns and {names[1]} features {other_width}")
    return pair
