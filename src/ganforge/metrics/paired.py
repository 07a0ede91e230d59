"""Paired comparison of two methods on the same images and with the same seeds."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

# not scipy.stats, which takes half a second to import
from scipy import special

from ganforge.metrics.intervals import LEVEL


class PairedDifference(NamedTuple):
    """How much one method's error lies above another's: estimate, its standard error, 95 % interval, p-value.

    The p-value is that of no difference, two-sided.
    """

    difference: float
    standard_error: float
    low: float
    high: float
    p_value: float


def paired_difference(one: ArrayLike, other: ArrayLike) -> PairedDifference:
    """Compare errors [S, N] of two methods, of the same S seeds on the same N images; entry (s, n): 1 if wrong, else 0.

    With the differences d of entries, their means d_s over images and d_n over seeds,

        standard error² = var(d_s) / S + var(d_n) / N,

    which holds for other seeds and for other images: neither the variation between trainings nor that between images
    is taken for zero. The part that belongs to pairs of seed and image is counted in both terms, so the standard error
    is too large rather than too small. The interval has Student's distribution with the degrees of freedom of Welch and
    Satterthwaite.

    Raises:
        ValueError: fewer than two seeds or images, or arrays of different shapes.
    """
    first, second = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 2 or min(first.shape) < 2:
        raise ValueError(f"errors need equal shapes [S >= 2, N >= 2], these are {first.shape} and {second.shape}")
    differences = first - second
    estimate = float(differences.mean())
    parts = [differences.mean(axis) for axis in (1, 0)]  # of each seed, of each image
    variances = np.array([part.var(ddof=1) / len(part) for part in parts])
    total = float(variances.sum())
    if total == 0:
        return PairedDifference(estimate, 0.0, estimate, estimate, float(estimate == 0))
    freedom = total**2 / float(sum(variances**2 / [len(part) - 1 for part in parts]))
    error = total**0.5
    half = float(special.stdtrit(freedom, (1 + LEVEL) / 2)) * error
    p_value = 2 * float(special.stdtr(freedom, -abs(estimate) / error))
    return PairedDifference(estimate, error, estimate - half, estimate + half, p_value)
