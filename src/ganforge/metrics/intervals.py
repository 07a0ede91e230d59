"""95 % intervals of metrics, which always contain the estimate.

A plain bootstrap fails for distances between distributions: sampling with replacement repeats samples, repetition
increases the distance, and the interval misses the estimate. Instead, the samples are split into disjoint parts, and
the standard deviation of the metric over the parts gives the interval.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

# not scipy.stats, which takes half a second to import
from scipy import special

from ganforge.randomness import random_generator

LEVEL = 0.95
SPLITS = 10


class Interval(NamedTuple):
    """Ends of a 95 % interval."""

    low: float
    high: float


def split_interval(
    figure: Callable[..., float], *groups: Any, splits: int = SPLITS, estimate: float | None = None
) -> Interval:
    """Interval of a metric of one or more groups of samples, from its values on disjoint parts of them.

    >>> split_interval(frechet_distance, real_features, fake_features)  # doctest: +SKIP
    >>> def spread(real, fake):
    ...     return mean_spread(within_class_spread(*real, *fake, number_of_classes=10))
    >>> split_interval(spread, (real_features, real_classes), (fake_features, fake_classes))  # doctest: +SKIP

    Each group is split by a fixed random permutation. The metric is computed on the k-th part of every group, for each
    k, and `interval_of_splits` gives the interval of these values.

    Args:
        figure: function of the groups that returns a number.
        groups: arrays or tensors with a row per sample, or tuples of arrays of the same samples, such as features and
            labels, which are split alike. Different groups are split independently.
        splits: number of parts.
        estimate: the metric of all samples, if it is known already.

    Raises:
        ValueError: fewer than two splits, a group with fewer rows than splits, parallel arrays of different lengths, or
            a metric that is not finite.
    """
    splits_of_groups = [_split_rows(group, position, splits) for position, group in enumerate(groups)]
    of_splits = [
        figure(*(_select(group, rows) for group, rows in zip(groups, parts, strict=True)))
        for parts in zip(*splits_of_groups, strict=True)
    ]
    return interval_of_splits(figure(*groups) if estimate is None else estimate, of_splits)


def interval_of_splits(
    estimate: float, of_splits: Sequence[float], within: tuple[float, float] = (-math.inf, math.inf)
) -> Interval:
    """Interval around the estimate of all samples, from the metric of k equal disjoint parts of them.

    estimate ± t·s/√k, with the parts' standard deviation s and the 97.5 % quantile t of Student's distribution with
    k − 1 degrees of freedom. A metric of n/k samples has √k times the standard error of the metric of n samples if it
    is asymptotically normal, as smooth functions of means are. Its bias may depend on n, as that of every distance
    does. Therefore the interval is centred at the estimate, not at the parts' mean; it describes the variation over
    other samples of the same number, not the distance from the limit of infinitely many. For two equal distributions,
    distances vary less, and the interval is too wide rather than too narrow.

    The ends are clipped to ``within``, the smallest and largest possible value of the metric.

    Politis, Romano & Wolf 1999, "Subsampling".

    Raises:
        ValueError: fewer than two parts, or a metric that is not finite.
    """
    parts = np.asarray(of_splits, dtype=np.float64)
    if len(parts) < 2 or not np.isfinite([*parts, estimate]).all():
        raise ValueError(f"an interval needs at least two splits and finite values: {estimate} of {parts.tolist()}")
    half = float(special.stdtrit(len(parts) - 1, (1 + LEVEL) / 2) * parts.std(ddof=1) / np.sqrt(len(parts)))
    # the interval contains the estimate, even if rounding put it beyond the bounds
    low, high = max(estimate - half, within[0]), min(estimate + half, within[1])
    return Interval(min(low, estimate), max(high, estimate))


def proportion_interval(hits: int, n: int) -> Interval:
    """Wilson interval (1927) of ``hits`` in n independent trials; it lies within 0..1 and is valid near both ends.

    Raises:
        ValueError: no trials, or ``hits`` outside 0 to n.
    """
    if n < 1 or not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n} is no proportion: 0 <= hits <= n and n >= 1")
    z = float(special.ndtri((1 + LEVEL) / 2))
    share = hits / n
    centre = share + z * z / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # the interval contains the estimate, despite rounding at 0 and 1
    low, high = (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)
    return Interval(min(float(low), share), max(float(high), share))


def _split_rows(group: Any, position: int, splits: int) -> tuple[torch.Tensor, ...]:
    lengths = {len(rows) for rows in group} if isinstance(group, tuple) else {len(group)}
    if len(lengths) != 1:
        raise ValueError(f"parallel arrays must have equal lengths, these have {sorted(lengths)} rows")
    n = lengths.pop()
    if not 2 <= splits <= n:
        raise ValueError(f"{splits} splits of {n} rows: give at least two splits, and a row for each")
    return torch.randperm(n, generator=random_generator("splits", position, n)).tensor_split(splits)


def _select(group: Any, rows: torch.Tensor) -> Any:
    return tuple(array[rows] for array in group) if isinstance(group, tuple) else group[rows]
