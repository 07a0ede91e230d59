"""Whether fakes are copies, of training images or of each other: how near they lie, beside what reals do."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ganforge.metrics.arrays import Floats, as_array, feature_pair
from ganforge.metrics.neighbours import nearest_others

BLOCK = 500
"""Rows whose distances are held at once: against 55,000 others these are 110 MB in single precision."""
RUNNERS_UP = 4
"""Training rows that are compared exactly for each row: those that single precision finds nearest."""
CLOSE = 0.01
"""The part of the held-out reals that lie nearest to the training images: a fake as near as these is suspicious."""
SAME = 1e-5
"""Rows that differ by less than this part of the training rows' length count as equal: a network's float32 features of
one image differ by 3e-7 of it between blocks of one and of 500 images (the digit judge), held-out digits by 4e-2."""
PURPOSE = "a nearest neighbour"


@dataclass(frozen=True, eq=False)
class Copying:
    """How near M fakes and N held-out reals lie to the training rows.

    Attributes:
        nearer_share: probability that a fake lies nearer than a held-out real does: .5 as reals, 1 copies.
        fake_median: of the fakes' distances to their nearest training rows.
        held_out_median: of the held-out reals' distances.
        ratio: of the two medians: 1 as reals, 0 copies; NaN where the held-out median is 0.
        share_close: share of the fakes that lie nearer than the nearest 1 % of the held-out reals; about .01 of reals.
        share_exact: share of the fakes at distance 0, up to the rounding of float32 features.
        nearest: int64 [M], the nearest training row of each fake.
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
    """Hold the distances from fakes to their nearest training rows against those of reals that were held out.

    Neither a good nor a poor generator that invents comes nearer than fresh reals do. Figures compare only at equal
    numbers of training rows: the more there are, the nearer is the nearest.

    Args:
        train_features: [T, F], what the generator learned from.
        held_out_features: [N, F], reals it has not seen.
        fake_features: [M, F].

    Raises:
        ValueError: different widths, no rows, NaN or infinity.

    Meehan, Chaudhuri & Dasgupta 2020, "A non-parametric test to detect data-copying in generative models".
    """
    train, held_out = feature_pair(train_features, held_out_features, 1, PURPOSE, ("training", "held-out"))
    train, fake = feature_pair(train, fake_features, 1, PURPOSE, ("training", "fake"))
    (of_fake, nearest), (of_held_out, _) = nearest_distances(fake, train), nearest_distances(held_out, train)
    fake_median, held_out_median = float(np.median(of_fake)), float(np.median(of_held_out))
    return Copying(
        closer_probability=closer_probability(of_fake, of_held_out),
        fake_median=fake_median,
        held_out_median=held_out_median,
        ratio=fake_median / held_out_median if held_out_median > 0 else float("nan"),
        share_close=float((of_fake < np.quantile(of_held_out, CLOSE)).mean()),
        share_exact=float(exact_copies(of_fake, train).mean()),
        nearest=nearest,
        fake_distances=of_fake,
        held_out_distances=of_held_out,
    )


def nearest_distances(
    features: ArrayLike | Tensor, train_features: ArrayLike | Tensor
) -> tuple[Floats, NDArray[np.int64]]:
    """Distance of every row to the nearest training row, and which row that is (the first of equally near ones).

    Args:
        features: [N, F].
        train_features: [T, F].

    Returns:
        float64 [N], int64 [N].

    Raises:
        ValueError: different widths, no rows, NaN or infinity.
    """
    train, rows = feature_pair(train_features, features, 1, PURPOSE, ("training", "other"))
    # Single precision is several times as fast. It errs by about 1e-6 of the largest squared length, so it may mistake
    # one near row for another; the few that it finds nearest are therefore compared as differences in float64, where
    # a copy is at exactly 0. What is left is a tie of more than a few rows within that error.
    centre = train.mean(0)
    largest = max(np.abs(train - centre).max(), np.abs(rows - centre).max()) or 1.0
    stock, asked = (torch.from_numpy((array - centre) / largest).float() for array in (train, rows))
    lengths, count = stock.square().sum(1), min(RUNNERS_UP, len(train))
    distances, nearest = np.empty(len(rows)), np.empty(len(rows), np.int64)
    for start in range(0, len(rows), BLOCK):
        block = slice(start, start + BLOCK)
        rough = torch.addmm(lengths, asked[block], stock.T, alpha=-2)
        found = rough.topk(count, largest=False).indices.sort(1).values.numpy()
        exact = np.square(rows[block, None] - train[found]).sum(2)
        best = exact.argmin(1)[:, None]
        distances[block] = np.sqrt(np.take_along_axis(exact, best, 1)[:, 0])
        nearest[block] = np.take_along_axis(found, best, 1)[:, 0]
    return distances, nearest


def closer_probability(fake_distances: ArrayLike, held_out_distances: ArrayLike) -> float:
    """Probability that a fake lies nearer to the training images than a held-out real does.

    P(d(fake) < d(held out)) + P(=)/2, the Mann-Whitney statistic divided by N·M: 0.5 where fakes lie as near as other
    reals, 1 where all are copies; below 0.5 where they lie further off than reals do, as poor fakes do.

    Raises:
        ValueError: no distances.

    Meehan, Chaudhuri & Dasgupta 2020, "A non-parametric test to detect data-copying in generative models": their test
    is this statistic, counted the other way round and scaled to a z-score that is far below 0 for copies, here taken
    over the whole space at once.
    """
    fakes, held = np.sort(as_array(fake_distances)), as_array(held_out_distances)
    if not len(fakes) or not len(held):
        raise ValueError("distances of both fakes and held-out reals are needed")
    below, up_to = np.searchsorted(fakes, held, "left"), np.searchsorted(fakes, held, "right")
    return float((below + up_to).mean() / (2 * len(fakes)))


def repetition(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor) -> float:
    """Probability that a fake lies nearer to the nearest other fake than a real to the nearest other real.

    `nearer_share` of the distances within either set: .5 where fakes vary as finely as reals do, 1 where every picture
    is shown again, as after a mode collapse. Fakes that lie scattered where no real is get less than .5. Give equal
    numbers of both: the more there are, the nearer is the nearest.

    Args:
        real_features: [N, F], N ≥ 2.
        fake_features: [M, F], M ≥ 2.

    Raises:
        ValueError: different widths, fewer than two rows, NaN or infinity.

    The statistic of Meehan, Chaudhuri & Dasgupta 2020 with the fakes themselves in the place of the training images.
    """
    feature_pair(real_features, fake_features, 2, PURPOSE)
    return closer_probability(nearest_others(fake_features), nearest_others(real_features))


def exact_copies(distances: ArrayLike, train_features: ArrayLike | Tensor) -> NDArray[np.bool_]:
    """Return which of the rows at such distances [N] from their nearest training row are that row up to rounding."""
    train = as_array(train_features).astype(np.float64)
    same: NDArray[np.bool_] = as_array(distances) <= SAME * np.sqrt(np.square(train).sum(1).mean())
    return same
