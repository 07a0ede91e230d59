"""Comparison of evaluations under one protocol: is a difference larger than the noise between seeds?"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from ganforge.errors import UserError
from ganforge.evaluation.metric_table import METRICS
from ganforge.evaluation.result import Evaluation, shown

LEVEL = 0.05
FEWEST_SEEDS = 3


@dataclass(frozen=True)
class Group:
    """Evaluations of one method, one for each seed."""

    name: str
    evaluations: tuple[Evaluation, ...]

    def values(self, metric: str) -> list[float]:
        """Return the values of a metric, one per seed that has it."""
        return [entry.value for evaluation in self.evaluations for entry in evaluation.metrics if entry.name == metric]


@dataclass(frozen=True)
class Summary:
    """A metric over the seeds of a group: mean, standard deviation (None for one seed) and worst value."""

    group: str
    seeds: int
    mean: float
    sd: float | None
    worst: float


@dataclass(frozen=True)
class Comparison:
    """One metric of every group, with a verdict on the difference."""

    metric: str
    summaries: tuple[Summary, ...]
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON; its key for the metric is ``figure``, as in earlier versions."""
        values = asdict(self)
        return {"figure": values.pop("metric"), **values}


def compare(groups: Sequence[Group]) -> list[Comparison]:
    """Compare every metric that all groups have.

    Raises:
        UserError: fewer than two groups, different protocols (the message names the difference), or no metric that
            all groups have.
    """
    if len(groups) < 2:
        raise UserError("compare needs at least two runs: ganforge compare RUN RUN")
    first = groups[0].evaluations[0]
    for group in groups:
        for evaluation in group.evaluations:
            if difference := first.protocol.difference(evaluation.protocol):
                raise UserError(
                    f"{first.what} and {evaluation.what} have different protocols: {difference}; evaluate both again "
                    "with the same --data, --judge, --split and --n"
                )
    shared = _common_metrics(groups)
    if not shared:
        raise UserError(f"{', '.join(group.name for group in groups)}: no metric in common; evaluate them again")
    return [_compare(name, groups) for name in shared]


def _common_metrics(groups: Sequence[Group]) -> list[str]:
    return [name for name in METRICS if all(len(g.values(name)) == len(g.evaluations) for g in groups)]


def _compare(metric: str, groups: Sequence[Group]) -> Comparison:
    summaries = tuple(_summarise(metric, group) for group in groups)
    return Comparison(
        metric, summaries, _pair_verdict(metric, *groups[:2]) if len(groups) == 2 else _group_verdict(metric, groups)
    )


def _summarise(metric: str, group: Group) -> Summary:
    values = group.values(metric)
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Summary(
        group.name,
        len(values),
        float(np.mean(values)),
        sd,
        max(values, key=lambda value: distance_to_ideal(METRICS[metric].better, value)),
    )


def distance_to_ideal(better: str, value: float) -> float:
    """Return how far a value is from its ideal ``low``, ``high``, ``1`` or ``half``; larger is worse."""
    return {"low": value, "high": -value, "1": abs(value - 1), "half": abs(value - 0.5)}[better]


def _pair_verdict(metric: str, one: Group, other: Group) -> str:
    """Return the verdict on two groups: do they differ by more than their seeds?"""
    a, b = (_distances(metric, group) for group in (one, other))
    if a == b:
        return "the same"
    ahead = one.name if np.mean(a) < np.mean(b) else other.name
    fewest = min(len(a), len(b))
    if fewest < FEWEST_SEEDS:
        return (
            f"cannot tell with {fewest} seed{'s' * (fewest > 1)}: {ahead} is ahead; {FEWEST_SEEDS} or more would tell"
        )
    p_value = welch(a, b)
    if p_value == 0:
        return f"{ahead} is better: every seed says so"
    if p_value < LEVEL:
        return f"{ahead} is better: more than noise (p = {p_value:.2g}, {fewest} seeds)"
    return f"cannot tell with {fewest} seeds (p = {p_value:.2g}): the difference is no larger than that between seeds"


def _group_verdict(metric: str, groups: Sequence[Group]) -> str:
    """Return the verdict on three or more groups: the best one, and those it beats by more than noise."""
    first, *others = sorted(groups, key=lambda group: float(np.mean(_distances(metric, group))))
    fewest = min(len(group.evaluations) for group in groups)
    if fewest < FEWEST_SEEDS:
        return (
            f"{first.name} is ahead; cannot tell with {fewest} seed{'s' * (fewest > 1)}: {FEWEST_SEEDS} or more would"
        )
    best_distances = _distances(metric, first)
    p_values = sorted((welch(best_distances, _distances(metric, other)), other.name) for other in others)
    significant = holm([p_value for p_value, _ in p_values])
    beaten = [name for (_, name), is_significant in zip(p_values, significant, strict=True) if is_significant]
    undecided = [group.name for group in others if group.name not in beaten]
    if not beaten:
        return f"{first.name} is ahead, but of no other by more than noise"
    verdict = f"{first.name} is better than {', '.join(beaten)}: more than noise"
    return verdict + (f"; cannot tell from {', '.join(undecided)}" if undecided else "")


def _distances(metric: str, group: Group) -> list[float]:
    return [distance_to_ideal(METRICS[metric].better, value) for value in group.values(metric)]


def holm(p_values: Sequence[float]) -> list[bool]:
    """Return which of several p-values are significant under Holm's correction (1979).

    The correction keeps the probability of any false positive among all tests at 5 %.
    """
    significant = [False] * len(p_values)
    for tests, index in zip(range(len(p_values), 0, -1), np.argsort(p_values, kind="stable"), strict=True):
        if p_values[index] * tests >= LEVEL:
            break
        significant[index] = True
    return significant


def welch(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the p-value of Welch's t-test; 0 or 1 where neither group varies over its seeds."""
    if np.ptp(one) == 0 and np.ptp(other) == 0:
        return float(one[0] == other[0])
    # from moments: scipy's test on samples warns where all values of one group are equal
    moments = [number for values in (one, other) for number in (np.mean(values), np.std(values, ddof=1), len(values))]
    p_value = float(stats.ttest_ind_from_stats(*moments, equal_var=False).pvalue)
    return p_value if math.isfinite(p_value) else 1.0


def summary_rows(group: Group) -> list[tuple[str, str]]:
    """Return the table of one group: for each metric that all seeds have, mean ± standard deviation (worst)."""
    return [(METRICS[name].title, _format_summary(name, _summarise(name, group))) for name in _common_metrics([group])]


def comparison_rows(comparisons: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """Return the table of a comparison: each metric of each group, and the verdict."""
    return [
        (
            METRICS[comparison.metric].title,
            *(_format_summary(comparison.metric, summary) for summary in comparison.summaries),
            comparison.verdict,
        )
        for comparison in comparisons
    ]


def _format_summary(name: str, summary: Summary) -> str:
    if summary.sd is None:
        return shown(summary.mean, name)
    return f"{shown(summary.mean, name)} ± {shown(summary.sd, name)} ({shown(summary.worst, name)})"
