"""Spread: variance of fakes relative to reals; 1 for equal variance, 0 for one repeated image."""

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from ganforge.metrics.arrays import Floats, as_array, feature_pair
from ganforge.metrics.thresholds import FEWEST_FOR_SPREAD


def within_class_spread(
    real_features: ArrayLike | Tensor,
    real_classes: ArrayLike | Tensor,
    fake_features: ArrayLike | Tensor,
    fake_classes: ArrayLike | Tensor,
    number_of_classes: int,
) -> Floats:
    """Variance of the fakes of each class, divided by the variance of the reals of the same class.

    tr Cov(fake | class) / tr Cov(real | class), with unbiased covariances, in float64. The ratio falls for fakes that
    are alike, but not for a few good images that repeat: m equally frequent images keep (m − 1)/m of the variance.

    Args:
        real_features: [N, F].
        real_classes: int [N].
        fake_features: [M, F].
        fake_classes: int [M].
        number_of_classes: K; samples of other classes (such as −1, unlabelled) are ignored.

    Returns:
        float64 [K]; NaN for a class with fewer than 10 reals or fakes, or whose reals are all equal.

    Raises:
        ValueError: shapes that do not fit, fewer than two samples, NaN or infinity.
    """
    real, fake = feature_pair(real_features, fake_features)
    real_index, fake_index = as_array(real_classes), as_array(fake_classes)
    if real_index.shape != real.shape[:1] or fake_index.shape != fake.shape[:1]:
        sizes = f"{real_index.size} and {fake_index.size}"
        raise ValueError(f"{len(real)} real and {len(fake)} fake features need as many classes, not {sizes}")
    ratios = [_ratio(real[real_index == index], fake[fake_index == index]) for index in range(number_of_classes)]
    return np.array(ratios, dtype=np.float64)


def mean_spread(per_class: ArrayLike) -> float:
    """Unweighted mean of `within_class_spread` over the classes with a value; NaN if none has one."""
    ratios = np.asarray(per_class, dtype=np.float64)
    defined = ratios[~np.isnan(ratios)]
    return float(defined.mean()) if len(defined) else float("nan")


def total_spread(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor) -> float:
    """Variance of all fakes divided by that of all reals, tr Cov(fake) / tr Cov(real); NaN where all reals are equal.

    Raises:
        ValueError: fewer than two samples, different widths, NaN or infinity.
    """
    real, fake = feature_pair(real_features, fake_features)
    return _quotient(real, fake)


def _ratio(real: Floats, fake: Floats) -> float:
    return _quotient(real, fake) if min(len(real), len(fake)) >= FEWEST_FOR_SPREAD else float("nan")


def _quotient(real: Floats, fake: Floats) -> float:
    real_trace, fake_trace = (float(features.var(0, ddof=1).sum()) for features in (real, fake))
    return fake_trace / real_trace if real_trace > 0 else float("nan")
