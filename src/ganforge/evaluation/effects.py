"""What a change does to a figure, beside the same method without it: does it help, harm, or nothing to speak of?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from ganforge.evaluation.compare import FEWEST_SEEDS, LEVEL, holm, shortfall, welch
from ganforge.metrics.intervals import Interval

NOTHING = 0.2
"""What moves a figure by less than this part of the way from the base to real data does nothing to speak of."""

Word = Literal["helps", "harms", "probably helps", "probably harms", "does nothing", "cannot tell"]


@dataclass(frozen=True)
class Effect:
    """What a change did to one figure.

    Attributes:
        word: in a word.
        gain: how far the mean went on the way from the base to real data: 1 is all of it, 0 stays, -1 is twice as far
            away; None where the base is there already.
        interval: the 95 % interval of ``gain`` over seeds (Welch, of this one comparison); None where there is none.
        chance: p of Welch's test, uncorrected; None with too few seeds.
    """

    word: Word
    gain: float | None = None
    interval: Interval | None = None
    chance: float | None = None


def effects(
    base: Sequence[float], changed: Mapping[str, Sequence[float]], better: str, floor: float
) -> dict[str, Effect]:
    """Hold each change, a value for each of its seeds, against the base's seeds.

    *helps* and *harms*: the difference is more than noise at 5 % over all changes together (Welch's test, Holm's
    correction). *does nothing*: it is not, and the whole interval lies within a fifth of the way to real data, so
    that there is nothing to be missed. *probably helps* and *probably harms*: taken alone the difference would be more
    than noise at 5 %, but among so many comparisons some are so by luck. Otherwise, and below three seeds, these seeds
    *cannot tell*.

    Args:
        base: the figure of every seed of the base.
        changed: the same of every change, by name.
        better: where the figure should be (``Kind.better``).
        floor: what real data have.
    """
    start = [shortfall(better, value) for value in base]
    ends = {name: [shortfall(better, value) for value in values] for name, values in changed.items()}
    tested = [name for name, end in ends.items() if min(len(start), len(end)) >= FEWEST_SEEDS]
    chances = {name: welch(start, ends[name]) for name in tested}
    sure = dict(zip(tested, holm(list(chances.values())), strict=True))
    way = float(np.mean(start)) - shortfall(better, floor) if start else 0.0
    return {name: _effect(start, end, way, chances.get(name), sure.get(name, False)) for name, end in ends.items()}


def _effect(start: Sequence[float], end: Sequence[float], way: float, chance: float | None, sure: bool) -> Effect:
    if not start or not end:
        return Effect("cannot tell")
    went = float(np.mean(start) - np.mean(end))
    interval = _interval(start, end) if chance is not None else None
    word: Word = "cannot tell"
    if sure:
        word = "helps" if went > 0 else "harms"
    elif interval and (interval == (0, 0) or (interval.low > -NOTHING * way and interval.high < NOTHING * way)):
        word = "does nothing"
    elif chance is not None and chance < LEVEL:
        word = "probably helps" if went > 0 else "probably harms"
    if way <= 0:
        return Effect(word, chance=chance)
    return Effect(word, went / way, Interval(interval.low / way, interval.high / way) if interval else None, chance)


def _interval(start: Sequence[float], end: Sequence[float]) -> Interval:
    """Welch's 95 % interval of the difference of two means; a point where no seeds differ."""
    difference = float(np.mean(start) - np.mean(end))
    squares = [float(np.var(values, ddof=1)) / len(values) for values in (start, end)]
    if not sum(squares):
        return Interval(difference, difference)
    freedom = sum(squares) ** 2 / sum(
        square**2 / (len(values) - 1) for square, values in zip(squares, (start, end), strict=True)
    )
    reach = float(stats.t.ppf(0.975, freedom)) * sum(squares) ** 0.5
    return Interval(difference - reach, difference + reach)
