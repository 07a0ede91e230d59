"""Effect of a change on a metric, compared with the same method without the change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from ganforge.evaluation.compare import FEWEST_SEEDS, LEVEL, distance_to_ideal, holm, welch
from ganforge.metrics.intervals import Interval

NOTHING = 0.2
"""Largest fraction of the gap between base and real data that counts as no effect."""

Outcome = Literal["helps", "harms", "probably helps", "probably harms", "does nothing", "cannot tell"]


@dataclass(frozen=True)
class Effect:
    """Effect of a change on one metric.

    Attributes:
        outcome: the verdict.
        gain: fraction of the gap between the base's mean and real data that the change closes: 1 closes it, 0 leaves
            it, -1 doubles it; None where the base has no gap.
        interval: 95 % interval of ``gain`` over seeds (Welch, for this comparison alone), or None.
        p_value: p-value of Welch's test, uncorrected; None with too few seeds.
    """

    outcome: Outcome
    gain: float | None = None
    interval: Interval | None = None
    p_value: float | None = None


def effects(
    base: Sequence[float], changed: Mapping[str, Sequence[float]], better: str, real_reference: float
) -> dict[str, Effect]:
    """Compare each change with the base, over the values of their seeds.

    *helps*, *harms*: the difference is significant at 5 % over all changes (Welch's test, Holm's correction).
    *does nothing*: the difference is not significant, and its whole interval lies within a fifth of the gap between
    base and real data. *probably helps*, *probably harms*: the difference is significant at 5 % alone, but not after
    the correction. *cannot tell*: every other case, and fewer than three seeds.

    Args:
        base: the metric's value for every seed of the base.
        changed: the values of every change, by name.
        better: ideal of the metric (``MetricSpec.better``).
        real_reference: the metric's value for real data.
    """
    base_gaps = [distance_to_ideal(better, value) for value in base]
    changed_gaps = {name: [distance_to_ideal(better, value) for value in values] for name, values in changed.items()}
    tested = [name for name, gaps in changed_gaps.items() if min(len(base_gaps), len(gaps)) >= FEWEST_SEEDS]
    p_values = {name: welch(base_gaps, changed_gaps[name]) for name in tested}
    significant = dict(zip(tested, holm(list(p_values.values())), strict=True))
    gap = float(np.mean(base_gaps)) - distance_to_ideal(better, real_reference) if base_gaps else 0.0
    return {
        name: _effect(base_gaps, gaps, gap, p_values.get(name), significant.get(name, False))
        for name, gaps in changed_gaps.items()
    }


def _effect(
    base: Sequence[float], changed: Sequence[float], gap: float, p_value: float | None, significant: bool
) -> Effect:
    if not base or not changed:
        return Effect("cannot tell")
    improvement = float(np.mean(base) - np.mean(changed))
    interval = _interval(base, changed) if p_value is not None else None
    outcome: Outcome = "cannot tell"
    if significant:
        outcome = "helps" if improvement > 0 else "harms"
    elif interval and (interval == (0, 0) or (interval.low > -NOTHING * gap and interval.high < NOTHING * gap)):
        outcome = "does nothing"
    elif p_value is not None and p_value < LEVEL:
        outcome = "probably helps" if improvement > 0 else "probably harms"
    if gap <= 0:
        return Effect(outcome, p_value=p_value)
    return Effect(
        outcome, improvement / gap, Interval(interval.low / gap, interval.high / gap) if interval else None, p_value
    )


def _interval(base: Sequence[float], changed: Sequence[float]) -> Interval:
    """Return Welch's 95 % interval of the difference of two means; a point where neither group varies."""
    difference = float(np.mean(base) - np.mean(changed))
    variances = [float(np.var(values, ddof=1)) / len(values) for values in (base, changed)]
    if not sum(variances):
        return Interval(difference, difference)
    degrees = sum(variances) ** 2 / sum(
        variance**2 / (len(values) - 1) for variance, values in zip(variances, (base, changed), strict=True)
    )
    half = float(stats.t.ppf(0.975, degrees)) * sum(variances) ** 0.5
    return Interval(difference - half, difference + half)
