"""How sure a figure is: 95 % intervals that hold the estimate between their ends.

A plain bootstrap is no way for distances between clouds: drawing with repetition puts copies into a cloud, a cloud
with copies lies further from every other, and the interval lies beside the estimate it should hold. So the samples are
split into disjoint parts, the figure is taken of each, and from how much these differ follows how much the whole
differs.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

# scipy.stats would take half a second to import
from scipy import special

from ganforge.randomness import random_generator

LEVEL = 0.95
SPLITS = 10


class Interval(NamedTuple):
    """The ends of a 95 % interval."""

    low: float
    high: float


def split_interval(
    figure: Callable[..., float], *groups: Any, splits: int = SPLITS, estimate: float | None = None
) -> Interval:
    """Interval of a figure of one or more groups of samples, by taking it of disjoint parts of them.

    >>> split_interval(frechet_distance, real_features, fake_features)  # doctest: +SKIP
    >>> def spread(real, fake):
    ...     return mean_spread(within_class_spread(*real, *fake, number_of_classes=10))
    >>> split_interval(spread, (real_features, real_classes), (fake_features, fake_classes))  # doctest: +SKIP

    Each group is split at random, always alike, and the figure is taken of the k-th part of each, for every k. How the
    interval follows from these, `interval_of_splits` says.

    Args:
        figure: takes as many groups as are given, returns a number.
        groups: arrays or tensors with a row per sample; a tuple of such holds what belongs to the same samples, such as
            features and labels, and is split as one. Groups are split independently of each other.
        splits: parts of each.
        estimate: the figure of all samples, where it is known already.

    Raises:
        ValueError: fewer than two splits, a group with fewer rows than splits, parallel arrays of different lengths, or
            a figure that is not finite.
    """
    lots = [_lots(group, position, splits) for position, group in enumerate(groups)]
    of_splits = [
        figure(*(_rows(group, lot) for group, lot in zip(groups, parts, strict=True)))
        for parts in zip(*lots, strict=True)
    ]
    return interval_of_splits(figure(*groups) if estimate is None else estimate, of_splits)


def interval_of_splits(
    estimate: float, of_splits: Sequence[float], within: tuple[float, float] = (-math.inf, math.inf)
) -> Interval:
    """Interval around the estimate of all samples, from the same figure of k equal disjoint parts of them.

    estimate ± t·s/√k, with the parts' standard deviation s and the 97.5 % quantile t of Student's distribution with
    k − 1 degrees of freedom. A figure of n/k samples has √k times the standard error of that of n (where it is
    asymptotically normal, as smooth functions of means are). It may also have another bias, as every distance has:
    therefore the interval lies around the estimate and not around the parts' mean, and says how much the estimate would
    differ with other samples of equal number, not how far it is from that of infinitely many. Where two clouds are
    alike, distances vary less than that with n, and the interval is too wide rather than too narrow.

    Where the figure can only lie ``within`` two bounds, so do the interval's ends.

    Politis, Romano & Wolf 1999, "Subsampling".

    Raises:
        ValueError: fewer than two parts, or a figure that is not finite.
    """
    parts = np.asarray(of_splits, dtype=np.float64)
    if len(parts) < 2 or not np.isfinite([*parts, estimate]).all():
        raise ValueError(f"an interval needs at least two splits and finite figures: {estimate} of {parts.tolist()}")
    half = float(special.stdtrit(len(parts) - 1, (1 + LEVEL) / 2) * parts.std(ddof=1) / np.sqrt(len(parts)))
    # rounding may put an estimate beyond its bounds, and the interval holds it
    low, high = max(estimate - half, within[0]), min(estimate + half, within[1])
    return Interval(min(low, estimate), max(high, estimate))


def proportion_interval(hits: int, n: int) -> Interval:
    """Interval of a share, hits of n independent tries (Wilson 1927): it stays within 0..1 and works near both ends.

    Raises:
        ValueError: no tries, or more hits than tries.
    """
    if n < 1 or not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n} is no share")
    z = float(special.ndtri((1 + LEVEL) / 2))
    share = hits / n
    middle = share + z * z / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # rounding must not push the estimate out at 0 and 1
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return Interval(min(float(low), share), max(float(high), share))


def _lots(group: Any, position: int, splits: int) -> tuple[torch.Tensor, ...]:
    lengths = {len(rows) for rows in group} if isinstance(group, tuple) else {len(group)}
    if len(lengths) != 1:
        raise ValueError(f"parallel arrays must be as long, these have {sorted(lengths)} rows")
    n = lengths.pop()
    if not 2 <= splits <= n:
        raise ValueError(f"{splits} splits of {n} rows: there must be at least two, and a row in each")
    return torch.randperm(n, generator=random_generator("splits", position, n)).tensor_split(splits)


def _rows(group: Any, lot: torch.Tensor) -> Any:
    return tuple(rows[lot] for rows in group) if isinstance(group, tuple) else group[lot]
