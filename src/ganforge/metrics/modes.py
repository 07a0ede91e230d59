"""Which classes a generator makes, and how often."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
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
    sure = as_array(confidence)
    if len(sure) == 0 or as_array(classes).shape != sure.shape:
        shapes = f"classes {list(as_array(classes).shape)} and confidence {list(sure.shape)}"
        raise ValueError(f"{shapes} must be as long, and not 0")
    found = _numbers(classes, 0, number_of_classes, "classes")
    return np.bincount(found[sure >= threshold], minlength=number_of_classes) / len(found)


def reverse_kl(shares: ArrayLike | Tensor, reference: ArrayLike | Tensor) -> float:
    """How unevenly classes come: KL(shares ‖ reference) = Σ s·ln(s/r) in nats, both normalised to sum 1.

    0 where both are alike; infinite where a class comes that the reference lacks. A sample of N from K classes has
    about (K − 1)/2N even where the generator is perfect, so it compares only at equal N.

    Args:
        shares: [K], ≥ 0: shares or counts of the fakes.
        reference: [K], ≥ 0: of the reals, or all ones for even classes.

    Raises:
        ValueError: lengths that differ, shares that are negative or not finite, or nothing but zeros.
    """
    s, r = (as_array(values).astype(np.float64) for values in (shares, reference))
    if s.shape != r.shape or s.ndim != 1:
        raise ValueError(f"shares {list(s.shape)} and reference {list(r.shape)} must be as long")
    if (s < 0).any() or (r < 0).any() or not 0 < s.sum() < np.inf or not 0 < r.sum() < np.inf:
        raise ValueError("shares must be finite, 0 or more, and not all 0")
    s, r = s / s.sum(), r / r.sum()
    there = s > 0
    if (r[there] == 0).any():
        return float("inf")
    return max(float((s[there] * np.log(s[there] / r[there])).sum()), 0.0)


class ModeCoverage(NamedTuple):
    """How many modes were hit, and how unevenly: ``reverse_kl`` in nats."""

    modes: int
    reverse_kl: float


def mode_coverage(
    modes: ArrayLike | Tensor, number_of_modes: int, reference: ArrayLike | Tensor | None = None
) -> ModeCoverage:
    """Count the modes with at least one sample, and their reverse KL beside a reference (even, unless given).

    This is the count of the stacked-digits benchmark: 1,000 modes, 26,000 samples, where a perfect generator has a
    reverse KL of .0194 beside even modes. Print N beside both numbers: more samples hit more modes.

    Args:
        modes: int [N], 0 to number_of_modes − 1; samples of no mode (−1) are left out.
        number_of_modes: K.
        reference: [K], shares or counts of the reals.

    Returns:
        The modes hit, 0 to K, and the reverse KL in nats; 0 and infinity where no sample is of any mode.

    Raises:
        ValueError: a mode outside −1 to K − 1, or a reference of another length.

    Metz et al. 2017, "Unrolled generative adversarial networks"; Lin et al. 2018, "PacGAN".
    """
    found = _numbers(modes, -1, number_of_modes, "modes")
    counts = np.bincount(found[found >= 0], minlength=number_of_modes)
    even_or_given = np.ones(number_of_modes) if reference is None else as_array(reference)
    if even_or_given.shape != counts.shape:
        raise ValueError(f"reference {list(even_or_given.shape)}: {number_of_modes} modes need as many shares")
    kl = reverse_kl(counts, even_or_given) if counts.any() else float("inf")
    return ModeCoverage(int((counts > 0).sum()), kl)


def _numbers(values: ArrayLike | Tensor, lowest: int, count: int, name: str) -> NDArray[np.int64]:
    """Return int64 [N], all from ``lowest`` to ``count`` − 1."""
    found = as_array(values)
    if found.ndim != 1 or (len(found) and not np.issubdtype(found.dtype, np.integer)):
        raise ValueError(f"{name} must be whole numbers [N], these are {found.dtype} {list(found.shape)}")
    if len(found) and (found.min() < lowest or found.max() >= count):
        raise ValueError(f"{name} run from {found.min()} to {found.max()}, outside {lowest} to {count - 1}")
    return found.astype(np.int64)
