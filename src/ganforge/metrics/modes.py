"""Classes and modes among the fakes, and their shares."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ganforge.metrics.arrays import Floats, as_array
from ganforge.metrics.thresholds import CONFIDENT, PRESENT, RARE


def class_shares(
    classes: ArrayLike | Tensor, confidence: ArrayLike | Tensor, number_of_classes: int, threshold: float = CONFIDENT
) -> Floats:
    """Share of all samples that a classifier assigns to each class with confidence ≥ ``threshold``.

    The shares sum to less than 1 if some samples have lower confidence, as those of a poor generator do.

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
    confidences = as_array(confidence)
    if len(confidences) == 0 or as_array(classes).shape != confidences.shape:
        shapes = f"classes {list(as_array(classes).shape)} and confidence {list(confidences.shape)}"
        raise ValueError(f"{shapes} must have the same length, at least 1")
    class_index = _as_indices(classes, 0, number_of_classes, "classes")
    return np.bincount(class_index[confidences >= threshold], minlength=number_of_classes) / len(class_index)


def confident_share(confidence: ArrayLike | Tensor) -> float:
    """Return the share of samples with confidence ≥ .8; ``confidence`` is [N] in [0, 1]."""
    return float((as_array(confidence) >= CONFIDENT).mean())


def label_agreement(classes: ArrayLike | Tensor, labels: ArrayLike | Tensor) -> float:
    """Return the share of samples whose predicted class is their label; both are int [N]."""
    return float((as_array(classes) == as_array(labels)).mean())


def classes_among(real_shares: Floats, labels: ArrayLike | Tensor | None = None) -> list[int]:
    """Return the classes that real images contain, as indices in ascending order.

    These are the labels that occur. Without labels they are the predicted classes with at least a tenth of an equal
    share, because a classifier assigns some images to classes that do not occur.

    Args:
        real_shares: [K], shares of all reals by predicted class.
        labels: int [N], −1 for an unknown label.
    """
    if labels is not None:
        return [int(label) for label in np.unique(as_array(labels)) if label >= 0]
    classes: list[int] = np.flatnonzero(real_shares >= RARE / len(real_shares)).tolist()
    return classes or list(range(len(real_shares)))


def classes_present(shares: Floats, real_shares: Floats, classes: Sequence[int]) -> int:
    """Return how many of ``classes`` have at least .3 of their share among the reals; both shares are [K]."""
    return int(((shares >= PRESENT * real_shares) & (shares > 0))[classes].sum())


def reverse_kl(shares: ArrayLike | Tensor, reference: ArrayLike | Tensor) -> float:
    """Reverse KL divergence of class shares: KL(shares ‖ reference) = Σ s·ln(s/r) in nats, both normalised to sum 1.

    0 for equal shares, infinite for a class that the reference lacks. A perfect generator has about (K − 1)/2N with N
    samples of K classes, so values compare only at equal N.

    Args:
        shares: [K], ≥ 0: shares or counts of the fakes.
        reference: [K], ≥ 0: shares or counts of the reals, or all ones for equal classes.

    Raises:
        ValueError: lengths that differ, shares that are negative or not finite, or nothing but zeros.
    """
    s, r = (as_array(values).astype(np.float64) for values in (shares, reference))
    if s.shape != r.shape or s.ndim != 1:
        raise ValueError(f"shares {list(s.shape)} and reference {list(r.shape)} must both be [K]")
    if (s < 0).any() or (r < 0).any() or not 0 < s.sum() < np.inf or not 0 < r.sum() < np.inf:
        raise ValueError("shares must be finite, 0 or more, and not all 0")
    s, r = s / s.sum(), r / r.sum()
    positive = s > 0
    if (r[positive] == 0).any():
        return float("inf")
    return max(float((s[positive] * np.log(s[positive] / r[positive])).sum()), 0.0)


class ModeCoverage(NamedTuple):
    """Number of modes with a sample, and the reverse KL of their shares in nats."""

    modes: int
    reverse_kl: float


def mode_coverage(
    modes: ArrayLike | Tensor, number_of_modes: int, reference: ArrayLike | Tensor | None = None
) -> ModeCoverage:
    """Count the modes with at least one sample, and compute their reverse KL to a reference (default: equal modes).

    This is the metric of the stacked-digits benchmark: with 1,000 modes and 26,000 samples, a perfect generator has a
    reverse KL of .0194 to equal modes. Report N with both numbers, because more samples hit more modes.

    Args:
        modes: int [N], 0 to number_of_modes − 1; samples of no mode (−1) are left out.
        number_of_modes: K.
        reference: [K], shares or counts of the reals.

    Returns:
        The modes hit, 0 to K, and the reverse KL in nats; 0 and infinity if no sample belongs to a mode.

    Raises:
        ValueError: a mode outside −1 to K − 1, or a reference of another length.

    Metz et al. 2017, "Unrolled generative adversarial networks"; Lin et al. 2018, "PacGAN".
    """
    mode_index = _as_indices(modes, -1, number_of_modes, "modes")
    counts = np.bincount(mode_index[mode_index >= 0], minlength=number_of_modes)
    target = np.ones(number_of_modes) if reference is None else as_array(reference)
    if target.shape != counts.shape:
        raise ValueError(f"reference {list(target.shape)}: {number_of_modes} modes need as many shares")
    kl = reverse_kl(counts, target) if counts.any() else float("inf")
    return ModeCoverage(int((counts > 0).sum()), kl)


def _as_indices(values: ArrayLike | Tensor, lowest: int, count: int, name: str) -> NDArray[np.int64]:
    """Return the values as int64 [N] after checking that all lie in ``lowest`` to ``count`` − 1."""
    array = as_array(values)
    if array.ndim != 1 or (len(array) and not np.issubdtype(array.dtype, np.integer)):
        raise ValueError(f"{name} must be whole numbers [N], these are {array.dtype} {list(array.shape)}")
    if len(array) and (array.min() < lowest or array.max() >= count):
        raise ValueError(f"{name} run from {array.min()} to {array.max()}, outside {lowest} to {count - 1}")
    return array.astype(np.int64)
