"""Evaluations side by side: only under one protocol, and whether a difference is more than noise."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from ganforge.errors import UserError
from ganforge.evaluation.metric_table import METRICS
from ganforge.evaluation.report import Evaluation, shown

LEVEL = 0.05
FEWEST_SEEDS = 3


@dataclass(frozen=True)
class Group:
    """Evaluations of one method, one for each seed."""

    name: str
    evaluations: tuple[Evaluation, ...]

    def values(self, figure: str) -> list[float]:
        """Return a figure of every seed; fewer where one lacks it."""
        return [found.value for evaluation in self.evaluations for found in evaluation.figures if found.name == figure]


@dataclass(frozen=True)
class Summary:
    """A figure over the seeds of a group: mean, standard deviation (None for one seed) and the worst seed's."""

    group: str
    seeds: int
    mean: float
    sd: float | None
    worst: float


@dataclass(frozen=True)
class Comparison:
    """One figure of every group, and what can be said of the difference."""

    figure: str
    summaries: tuple[Summary, ...]
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def compare(groups: Sequence[Group]) -> list[Comparison]:
    """Compare every figure that all groups have.

    Raises:
        UserError: fewer than two groups, or evaluations of different protocols (the difference is named), or none
            with a figure in common.
    """
    if len(groups) < 2:
        raise UserError("compare needs two runs or more: ganforge compare RUN RUN")
    first = groups[0].evaluations[0]
    for group in groups:
        for evaluation in group.evaluations:
            if difference := first.protocol.difference(evaluation.protocol):
                raise UserError(
                    f"{first.what} and {evaluation.what} were not measured alike: {difference}; evaluate them anew "
                    "with the same --data, --judge, --split and --n"
                )
    shared = _shared(groups)
    if not shared:
        raise UserError(
            f"no figure was taken of all of {', '.join(group.name for group in groups)}; evaluate them anew"
        )
    return [_compare(name, groups) for name in shared]


def _shared(groups: Sequence[Group]) -> list[str]:
    return [name for name in METRICS if all(len(g.values(name)) == len(g.evaluations) for g in groups)]


def _compare(figure: str, groups: Sequence[Group]) -> Comparison:
    summaries = tuple(_summary(figure, group) for group in groups)
    return Comparison(figure, summaries, _words(figure, *groups[:2]) if len(groups) == 2 else _best(figure, groups))


def _summary(figure: str, group: Group) -> Summary:
    values = group.values(figure)
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Summary(
        group.name, len(values), float(np.mean(values)), sd, max(values, key=lambda v: distance_to_ideal(figure, v))
    )


def distance_to_ideal(figure: str, value: float) -> float:
    """How far a figure is from where it should be: the larger, the worse."""
    return shortfall(METRICS[figure].better, value)


def shortfall(better: str, value: float) -> float:
    """How far a value is from where it should be, ``low``, ``high``, at ``1`` or ``half``: the larger, the worse."""
    return {"low": value, "high": -value, "1": abs(value - 1), "half": abs(value - 0.5)}[better]


def _words(figure: str, one: Group, other: Group) -> str:
    """Say whether two groups differ by more than their seeds do."""
    a, b = (_badnesses(figure, group) for group in (one, other))
    if a == b:
        return "the same"
    ahead = one.name if np.mean(a) < np.mean(b) else other.name
    few = min(len(a), len(b))
    if few < FEWEST_SEEDS:
        return f"cannot tell with {few} seed{'s' * (few > 1)}: {ahead} is ahead; {FEWEST_SEEDS} or more would tell"
    chance = welch(a, b)
    if chance == 0:
        return f"{ahead} is better: every seed says so"
    if chance < LEVEL:
        return f"{ahead} is better: more than noise (p = {chance:.2g}, {few} seeds)"
    return f"cannot tell with {few} seeds (p = {chance:.2g}): the difference is no larger than that between seeds"


def _best(figure: str, groups: Sequence[Group]) -> str:
    """Name the first of three or more, and the others that it is ahead of by more than seeds differ."""
    first, *others = sorted(groups, key=lambda group: float(np.mean(_badnesses(figure, group))))
    few = min(len(group.evaluations) for group in groups)
    if few < FEWEST_SEEDS:
        return f"{first.name} is ahead; cannot tell with {few} seed{'s' * (few > 1)}: {FEWEST_SEEDS} or more would"
    best = _badnesses(figure, first)
    chances = sorted((welch(best, _badnesses(figure, other)), other.name) for other in others)
    held = holm([chance for chance, _ in chances])
    beaten = [name for (_, name), sure in zip(chances, held, strict=True) if sure]
    unsure = [group.name for group in others if group.name not in beaten]
    if not beaten:
        return f"{first.name} is ahead, of none by more than noise"
    words = f"{first.name} is better than {', '.join(beaten)}: more than noise"
    return words + (f"; cannot tell from {', '.join(unsure)}" if unsure else "")


def _badnesses(figure: str, group: Group) -> list[float]:
    return [distance_to_ideal(figure, value) for value in group.values(figure)]


def holm(chances: Sequence[float]) -> list[bool]:
    """Say which of several tests hold.

    Several tests find a difference by chance more often than one: Holm's correction (1979) keeps that at 5 % in all.
    """
    held = [False] * len(chances)
    for tests, index in zip(range(len(chances), 0, -1), np.argsort(chances, kind="stable"), strict=True):
        if chances[index] * tests >= LEVEL:
            break
        held[index] = True
    return held


def welch(one: Sequence[float], other: Sequence[float]) -> float:
    """Welch's t-test: the chance of such a difference between seeds of one method; 0 or 1 where no seeds differ."""
    if np.ptp(one) == 0 and np.ptp(other) == 0:
        return float(one[0] == other[0])
    # from moments: scipy's test of samples warns where those of one method are all the same
    moments = [number for values in (one, other) for number in (np.mean(values), np.std(values, ddof=1), len(values))]
    chance = float(stats.ttest_ind_from_stats(*moments, equal_var=False).pvalue)
    return chance if math.isfinite(chance) else 1.0


def summary_rows(group: Group) -> list[tuple[str, str]]:
    """The table of one method over its seeds: each figure that all of them have, mean ± deviation (worst)."""
    return [(METRICS[name].title, _summarised(name, _summary(name, group))) for name in _shared([group])]


def comparison_rows(comparisons: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """The table of a comparison: each figure of each group, and what follows."""
    return [
        (METRICS[found.figure].title, *(_summarised(found.figure, it) for it in found.summaries), found.verdict)
        for found in comparisons
    ]


def _summarised(name: str, it: Summary) -> str:
    if it.sd is None:
        return shown(it.mean, name)
    return f"{shown(it.mean, name)} ± {shown(it.sd, name)} ({shown(it.worst, name)})"
