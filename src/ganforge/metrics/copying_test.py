"""A test for copies of training images that needs no training rows in equal number, and takes images as its units."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from ganforge.metrics.arrays import Floats, feature_pair
from ganforge.metrics.memorisation import PURPOSE, nearest_distances


class CopyingTest(NamedTuple):
    """Result of `copying_test`.

    Attributes:
        nearer_to_training: share of fakes whose nearest real image is a training image, for equal numbers of training
            and of held-out images: about .5 without copying, 1 for copies.
        p_value: probability of counts as one-sided without copying.
    """

    nearer_to_training: float
    p_value: float


def copying_test(
    train_features: ArrayLike | Tensor, held_out_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor
) -> CopyingTest:
    """Test whether fakes lie nearer to training images than to held-out images.

    Training images and held-out images form one pool. Without copying they are exchangeable: the number of fakes cⱼ
    whose nearest image is image j has the same distribution for both kinds. The p-value is that of the one-sided test
    of Mann and Whitney 1947 of the counts of training images against those of held-out images (normal approximation,
    corrected for ties). The images are the units of the test, not the fakes: many equal fakes beside one training image
    are no proof.

    The share is that of equal numbers of both: with a training images nearest and b held-out images nearest among T and
    H of them, o = ((a + ½) / (b + ½)) · (H / T) and the share is o / (1 + o).

    Args:
        train_features: [T, F], images that the generator was trained on.
        held_out_features: [H, F], images of the same source that it was not trained on.
        fake_features: [M, F].

    Raises:
        ValueError: different widths, no rows, NaN or infinity.
    """
    train, held_out = feature_pair(train_features, held_out_features, 1, PURPOSE, ("training", "held-out"))
    pool = np.concatenate([train, held_out])
    _, nearest = nearest_distances(fake_features, pool)
    counts = np.bincount(nearest, minlength=len(pool)).astype(np.float64)
    of_training, of_held_out = counts[: len(train)].sum() + 0.5, counts[len(train) :].sum() + 0.5
    odds = of_training / of_held_out * len(held_out) / len(train)
    return CopyingTest(float(odds / (1 + odds)), one_sided_p(counts[: len(train)], counts[len(train) :]))


def one_sided_p(larger: Floats, smaller: Floats) -> float:
    """Return the p-value of Mann and Whitney's test that values of the first set [N] exceed those of the second [M].

    z = (U − NM/2) / √(NM/12 · (n + 1 − Σ(t³ − t)/(n(n − 1)))) with n = N + M and t the sizes of ties; 1 where all
    values are equal.
    """
    values = np.concatenate([larger, smaller])
    n, first = len(values), len(larger)
    _, kind, ties = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (ties.cumsum() - (ties - 1) / 2)[kind]
    statistic = ranks[:first].sum() - first * (first + 1) / 2
    correction = (ties.astype(np.float64) ** 3 - ties).sum() / (n * (n - 1))
    variance = first * len(smaller) / 12 * (n + 1 - correction)
    if variance <= 0:
        return 1.0
    z = (statistic - first * len(smaller) / 2) / math.sqrt(variance)
    return 0.5 * math.erfc(z / math.sqrt(2))
