"""Which classes a generator makes, and how often."""

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from ganforge.metrics.arrays import Floats, as_array


def class_shares(
    classes: ArrayLike | Tensor, confidence: ArrayLike | Tensor, number_of_classes: int, threshold: float = 0.8
) -> Floats:
    """Share of all samples that a classifier takes for each class with at least ``threshold`` confidence.

    The shares of a poor generator sum to less than 1: what is missing is taken for no class with confidence.

    Args:
        classes: int [N], 0 to number_of_classes − 1.
        confidence: [N] in [0, 1].
        number_of_classes: K.
        threshold: in [0, 1]; 0 counts every sample.

    Returns:
        float64 [K], each in [0, 1].

    Raises:
        ValueError: no samples, lengths that differ, or a class outside 0 to K − 1.
    """
    found, sure = as_array(classes), as_array(confidence)
    if len(found) == 0 or found.shape != sure.shape:
        raise ValueError(f"classes {list(found.shape)} and confidence {list(sure.shape)} must be as long, and not 0")
    if found.min() < 0 or found.max() >= number_of_classes:
        raise ValueError(f"classes run from {found.min()} to {found.max()}, outside 0 to {number_of_classes - 1}")
    return np.bincount(found[sure >= threshold], minlength=number_of_classes) / len(found)
