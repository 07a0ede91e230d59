"""Trends over the examinations of a run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ganforge.diagnosis.case import Case, Signals
from ganforge.diagnosis.figures import figures
from ganforge.diagnosis.moments import last_step, until
from ganforge.diagnosis.thresholds import FEWEST_FOR_TREND, FIRST_STEPS, RISING, STILL_GAINS


@dataclass(frozen=True)
class Trend:
    """A power law through the Fréchet distances of a run's second half.

    Attributes:
        gain: share of the distance that as many steps again would remove: 1 − 2^slope.
        error: standard error of the gain.
    """

    gain: float
    error: float


def second_half(case: Case) -> list[Signals]:
    """Return the examinations of the second half of the steps so far."""
    last = case.signals[-1].step if case.signals else 0
    return [signals for signals in case.signals if 2 * signals.step >= last]


def distance_trend(case: Case) -> Trend | None:
    """Fit log distance against log step over the second half of the steps; None with too few examinations."""
    points = [(s.step, s.frechet) for s in second_half(case) if s.frechet and s.step > 0]
    if len(points) < FEWEST_FOR_TREND:
        return None
    slope, error = _line([math.log(step) for step, _ in points], [math.log(distance) for _, distance in points])
    return Trend(1 - 2**slope, 2**slope * math.log(2) * error)


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
