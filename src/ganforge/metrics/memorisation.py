"""Copies of training images, and repetitions among fakes: nearest distances, compared with those of reals."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ganforge.metrics.arrays import Floats, as_array, feature_pair
from ganforge.metrics.neighbours import nearest_others

BLOCK = 500
"""Rows per block of distances: 110 MB in float32 against 55,000 other rows."""
CANDIDATES = 4
"""Nearest training rows in float32 that are compared again in float64."""
CLOSE = 0.01
"""Quantile of the held-out distances below which a fake counts as close to a training image."""
SAME = 1e-5
"""Largest distance of equal rows, relative to the length of the training rows. For the digit judge, float32 features
of one image differ by 3e-7 between blocks of 1 and of 500 images, and those of held-out digits by 4e-2."""
PURPOSE = "a nearest neighbour"


@dataclass(frozen=True, eq=False)
class Copying:
    """Distances of M fakes and of N held-out reals to their nearest training rows.

    Attributes:
        closer_probability: probability that a fake is nearer than a held-out real: .5 for reals, 1 for copies.
        fake_median: median distance of the fakes.
        held_out_median: median distance of the held-out reals.
        ratio: fake over held-out median: 1 for reals, 0 for copies; NaN where the held-out median is 0.
        share_close: share of the fakes below the 1 % quantile of the held-out distances; about .01 for reals.
        share_exact: share of the fakes at distance 0, up to the rounding of float32 features.
        nearest: int64 [M], index of the nearest training row of each fake.
        fake_distances: float64 [M].
        held_out_distances: float64 [N].
    """

    closer_probability: float
    fake_median: float
    held_out_median: float
    ratio: float
    share_close: float
    share_exact: float
    nearest: NDArray[np.int64]
    fake_distances: Floats
    held_out_distances: Floats


def copying(
    train_features: ArrayLike | Tensor, held_out_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor
) -> Copying:
    """Compare the distances from fakes to their nearest training rows with those of held-out reals.

    Fakes of a generator that does not copy, good or poor, are no nearer than held-out reals. Values compare only at
    equal numbers of training rows, because nearest distances shrink with that number.

    Args:
        train_features: [T, F], the generator's training images.
        held_out_features: [N, F], reals that it was not trained on.
        fake_features: [M, F].

    Raises:
        ValueError: different widths, no rows, NaN or infinity.

    Meehan, Chaudhuri & Dasgupta 2020, "A non-parametric test to detect data-copying in generative models".
    """
    train, held_out = feature_pair(train_features, held_out_features, 1, PURPOSE, ("training", "held-out"))
    train, fake = feature_pair(train, fake_features, 1, PURPOSE, ("training", "fake"))
    (fake_distances, nearest), (held_out_distances, _) = (
        nearest_distances(fake, train),
        nearest_distances(held_out, train),
    )
    fake_median, held_out_median = float(np.median(fake_distances)), float(np.median(held_out_distances))
    return Copying(
        closer_probability=closer_probability(fake_distances, held_out_distances),
        fake_median=fake_median,
        held_out_median=held_out_median,
        ratio=fake_median / held_out_median if held_out_median > 0 else float("nan"),
        share_close=float((fake_distances < np.quantile(held_out_distances, CLOSE)).mean()),
        share_exact=float(exact_copies(fake_distances, train).mean()),
        nearest=nearest,
        fake_distances=fake_distances,
        held_out_distances=held_out_distances,
    )


def nearest_distances(
    features: ArrayLike | Tensor, train_features: ArrayLike | Tensor
) -> tuple[Floats, NDArray[np.int64]]:
    """Return the distance of every row to its nearest training row, and its index (the first of equal ones).

    Args:
        features: [N, F].
        train_features: [T, F].

    Returns:
        float64 [N], int64 [N].

    Raises:
        ValueError: different widths, no rows, NaN or infinity.
    """
    train, rows = feature_pair(train_features, features, 1, PURPOSE, ("training", "other"))
    # float32 is several times as fast, but its error of about 1e-6 of the largest squared length can confuse near rows.
    # The few nearest rows in float32 are therefore compared as differences in float64, where a copy has distance 0.
    # A wrong row remains possible only if more than these few tie within the error.
    centre = train.mean(0)
    largest = max(np.abs(train - centre).max(), np.abs(rows - centre).max()) or 1.0
    scaled_train, scaled_rows = (torch.from_numpy((array - centre) / largest).float() for array in (train, rows))
    squared_norms, count = scaled_train.square().sum(1), min(CANDIDATES, len(train))
    distances, nearest = np.empty(len(rows)), np.empty(len(rows), np.int64)
    for start in range(0, len(rows), BLOCK):
        block = slice(start, start + BLOCK)
        approximate = torch.addmm(squared_norms, scaled_rows[block], scaled_train.T, alpha=-2)
        candidates = approximate.topk(count, largest=False).indices.sort(1).values.numpy()
        exact = np.square(rows[block, None] - train[candidates]).sum(2)
        best = exact.argmin(1)[:, None]
        distances[block] = np.sqrt(np.take_along_axis(exact, best, 1)[:, 0])
        nearest[block] = np.take_along_axis(candidates, best, 1)[:, 0]
    return distances, nearest


def closer_probability(fake_distances: ArrayLike, held_out_distances: ArrayLike) -> float:
    """Probability that a fake is nearer to the training images than a held-out real.

    P(d(fake) < d(held out)) + P(=)/2, the Mann-Whitney statistic divided by N·M: 0.5 for other reals, 1 for
    copies, and below 0.5 for fakes that are farther away than reals, as poor fakes are.

    Raises:
        ValueError: no distances.

    Meehan, Chaudhuri & Dasgupta 2020, "A non-parametric test to detect data-copying in generative models": their test
    uses the complementary statistic as a z-score, far below 0 for copies, in cells of the space; here the whole space
    is one cell.
    """
    fake, held_out = np.sort(as_array(fake_distances)), as_array(held_out_distances)
    if not len(fake) or not len(held_out):
        raise ValueError("closer_probability needs distances of both fakes and held-out reals")
    below, up_to = np.searchsorted(fake, held_out, "left"), np.searchsorted(fake, held_out, "right")
    return float((below + up_to).mean() / (2 * len(fake)))


def repetition(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor) -> float:
    """Probability that a fake is nearer to its nearest other fake than a real to its nearest other real.

    `closer_probability` of the nearest distances within each set: .5 for fakes as varied as reals, 1 if every image
    repeats, as after mode collapse, and less than .5 for fakes scattered outside the reals. Give equal numbers of
    both, because nearest distances shrink with the number.

    Args:
        real_features: [N, F], N ≥ 2.
        fake_features: [M, F], M ≥ 2.

    Raises:
        ValueError: different widths, fewer than two rows, NaN or infinity.

    The statistic of Meehan, Chaudhuri & Dasgupta 2020 with the fakes themselves as training images.
    """
    feature_pair(real_features, fake_features, 2, PURPOSE)
    return closer_probability(nearest_others(fake_features), nearest_others(real_features))


def twin_share(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor) -> float:
    """Share of the fakes with a twin: another fake that is as near as only 1 of 100 reals has another real.

    About .01 for other reals, 1 if every image repeats. Give equal numbers of both, because nearest distances shrink
    with the number.

    Args and errors as `repetition`.
    """
    feature_pair(real_features, fake_features, 2, PURPOSE)
    limit = np.quantile(nearest_others(real_features), CLOSE)
    return float((nearest_others(fake_features) <= limit).mean())


def exact_copies(distances: ArrayLike, train_features: ArrayLike | Tensor) -> NDArray[np.bool_]:
    """Return which rows equal their nearest training row up to rounding, from their distances [N] to it."""
    train = as_array(train_features).astype(np.float64)
    same: NDArray[np.bool_] = as_array(distances) <= SAME * np.sqrt(np.square(train).sum(1).mean())
    return same
