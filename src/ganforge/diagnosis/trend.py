"""Trends over the examinations of a run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ganforge.diagnosis.case import Case, Signals
from ganforge.diagnosis.figures import figures
from ganforge.diagnosis.moments import last_step, until
from ganforge.diagnosis.thresholds import FEWEST_FOR_TREND, FIRST_STEPS, RESOLVED, RISING, STILL_GAINS


@dataclass(frozen=True)
class Trend:
    """A power law through the Fréchet distances of a run's late examinations.

    Attributes:
        gain: share of the distance that as many steps again would remove: 1 − 2^slope.
        error: standard error of the gain.
    """

    gain: float
    error: float


def late(case: Case) -> list[Signals]:
    """Return the examinations of equal size since a third of the steps; the fuller one at the end is no equal."""
    if not case.signals:
        return []
    last, sizes = case.signals[-1].step, [signals.n for signals in case.signals[-3:-1]]
    size = sizes[-1] if sizes else case.signals[-1].n
    return [signals for signals in case.signals if 3 * signals.step >= last and signals.n == size]


def distance_trend(case: Case) -> Trend | None:
    """Fit log distance against log step over the late examinations.

    None with too few of them, and where their distance is so small that their number of pictures hides its change.
    """
    points = [(signals.step, signals.frechet) for signals in late(case) if signals.frechet and _resolved(signals)]
    if len(points) < FEWEST_FOR_TREND:
        return None
    slope, error = _line([math.log(step) for step, _ in points], [math.log(distance) for _, distance in points])
    return Trend(1 - 2**slope, 2**slope * math.log(2) * error)


def _resolved(signals: Signals) -> bool:
    reference = signals.frechet_real_reference
    return bool(signals.frechet and reference and signals.frechet >= RESOLVED * reference)


def settled(case: Case) -> bool:
    """Whether a training has ended, or its pictures no longer become much better."""
    trend = distance_trend(case)
    return case.facts.status != "running" or (trend is not None and trend.gain < STILL_GAINS)


def still_rises(case: Case, figure: str) -> bool:
    """Whether a run still trains, and a figure is higher than at half of its steps, or the run has only begun.

    Args:
        case: the run.
        figure: a field of `Figures` of which more is better: "spread", "agreement", "recall".
    """
    if case.facts.status != "running":
        return False
    now, before = (getattr(figures(then), figure) for then in (case, until(case, last_step(case) // 2)))
    return last_step(case) < FIRST_STEPS or now is None or before is None or now > RISING * before


def _line(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Return slope and standard error of the least-squares line."""
    n, mean_x, mean_y = len(x), sum(x) / len(x), sum(y) / len(y)
    square = sum((a - mean_x) ** 2 for a in x)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / square
    rest = sum((b - mean_y - slope * (a - mean_x)) ** 2 for a, b in zip(x, y, strict=True))
    return slope, math.sqrt(rest / (n - 2) / square)
