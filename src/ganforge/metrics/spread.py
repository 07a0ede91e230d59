"""How varied fakes are beside reals: 1 is as varied, 0 is one picture."""

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from ganforge.metrics.arrays import Floats, as_array, feature_pair

FEWEST = 10
"""Samples of a class below which its spread is not given: at 10 it is already uncertain by about a fifth."""


def within_class_spread(
    real_features: ArrayLike | Tensor,
    real_classes: ArrayLike | Tensor,
    fake_features: ArrayLike | Tensor,
    fake_classes: ArrayLike | Tensor,
    number_of_classes: int,
) -> Floats:
    """Variance of the fakes of each class around their mean, divided by that of the reals of the same class.

    tr Cov(fake | class) / tr Cov(real | class), with unbiased covariances, in float64. It sees fakes drawn together and
    does not see a small stock of good pictures shown again and again: m equally frequent pictures keep (m − 1)/m of the
    variance.

    Args:
        real_features: [N, F].
        real_classes: int [N].
        fake_features: [M, F].
        fake_classes: int [M].
        number_of_classes: K; samples of other classes (such as −1, unlabelled) are left out.

    Returns:
        float64 [K]; NaN for a class with fewer than 10 reals or fakes, or whose reals are all equal.

    Raises:
        ValueError: shapes that do not fit, fewer than two samples, NaN or infinity.
    """
    real, fake = feature_pair(real_features, fake_features)
    real_of, fake_of = as_array(real_classes), as_array(fake_classes)
    if real_of.shape != real.shape[:1] or fake_of.shape != fake.shape[:1]:
        found = f"{real_of.size} and {fake_of.size}"
        raise ValueError(f"{len(real)} real and {len(fake)} fake features need as many classes, not {found}")
    ratios = [_ratio(real[real_of == index], fake[fake_of == index]) for index in range(number_of_classes)]
    return np.array(ratios, dtype=np.float64)


def mean_spread(per_class: ArrayLike) -> float:
    """Mean of `within_class_spread` over the classes that have one, each weighing the same; NaN where none has."""
    ratios = np.asarray(per_class, dtype=np.float64)
    known = ratios[~np.isnan(ratios)]
    return float(known.mean()) if len(known) else float("nan")


def total_spread(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor) -> float:
    """Variance of all fakes divided by that of all reals, tr Cov(fake) / tr Cov(real); NaN where all reals are equal.

    Raises:
        ValueError: fewer than two samples, different widths, NaN or infinity.
    """
    real, fake = feature_pair(real_features, fake_features)
    return _quotient(real, fake)


def _ratio(real: Floats, fake: Floats) -> float:
    return _quotient(real, fake) if min(len(real), len(fake)) >= FEWEST else float("nan")


def _quotient(real: Floats, fake: Floats) -> float:
    real_trace, fake_trace = (float(features.var(0, ddof=1).sum()) for features in (real, fake))
    return fake_trace / real_trace if real_trace > 0 else float("nan")
