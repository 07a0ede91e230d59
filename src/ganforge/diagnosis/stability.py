"""Stability: the training diverged, ran away, or wanders."""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import mean, median

from ganforge.diagnosis.case import Case
from ganforge.diagnosis.figures import figures, log_spreads
from ganforge.diagnosis.finding import Evidence, Finding
from ganforge.diagnosis.moments import last_step
from ganforge.diagnosis.ratings import ratings
from ganforge.diagnosis.thresholds import (
    EXPLODED_LOGITS,
    EXPLODED_SPREAD,
    EXPLODED_WEIGHTS,
    FEWEST_FOR_TREND,
    FEWEST_JUMPS,
    FIRST_STEPS,
    JUMPS,
    SMALL_SPREAD,
    TURNED_OVER,
    WANDERING,
    YOUNG_STEPS,
)
from ganforge.diagnosis.trend import late
from ganforge.diagnosis.words import slower


def diverged(case: Case) -> Finding | None:
    """A weight is no longer finite."""
    if case.facts.status != "diverged":
        return None
    return Finding(
        "diverged",
        2,
        "the training diverged: a loss or a weight is no longer a finite number",
        slower(case),
        cause="steps so large that each makes the next one larger",
        reconsider="a number in the data that is not finite",
    )


def unstable(case: Case) -> Finding | None:
    """The discriminator's logits, the weights, or the spread of the pictures run away."""
    evidence = [row for row in (_logits_run_away(case), _weights_run_away(case), _spread_runs_away(case)) if row]
    if not evidence:
        return None
    first = evidence[0]
    return Finding(
        "unstable",
        2,
        f"the training runs away: {first.name} is {first.value:,.1f} (healthy: up to {first.high:g})",
        slower(case),
        evidence=tuple(evidence),
        cause="the learning rates are too high for these players, so that each step overshoots",
        reconsider="figures that return to their range without a change",
    )


def _logits_run_away(case: Case) -> Evidence | None:
    now = ratings(case)
    if now is None or now.gap is None or now.deviation is None:
        return None
    largest = max(abs(now.gap), now.deviation)
    name = "the size of the discriminator's logits"
    return Evidence(name, largest, None, EXPLODED_LOGITS) if largest > EXPLODED_LOGITS else None


def _weights_run_away(case: Case) -> Evidence | None:
    norms = [signals.weight_norm for signals in case.signals if signals.weight_norm]
    if len(norms) < 2:
        return None
    growth = max((norms[-1][player] / norms[0][player] for player in norms[0] if norms[0][player]), default=0.0)
    name = "the growth of a player's weights since the first examination"
    return Evidence(name, growth, None, EXPLODED_WEIGHTS) if growth > EXPLODED_WEIGHTS else None


def _spread_runs_away(case: Case) -> Evidence | None:
    spread = figures(case).spread
    if spread is None or spread < EXPLODED_SPREAD or last_step(case) < FIRST_STEPS:
        return None
    return Evidence("the spread of the pictures, of the real one,", spread, None, EXPLODED_SPREAD, signal="spread")


def oscillating(case: Case) -> Finding | None:
    """The pictures wander in the second half of the run: their variety, their classes, or each of them."""
    evidence = [row for row in (_variety_jumps(case), _classes_wander(case), _pictures_wander(case)) if row]
    wandering = [row for row in evidence if row.high is not None and row.value > row.high]
    if not wandering:
        return None
    return Finding(
        "oscillating",
        1,
        f"the pictures wander: {wandering[0].name} is {wandering[0].value:.2f} (healthy: up to {wandering[0].high:g})",
        f"{slower(case)}; averaged weights also help (--set averaging.half_life=...)",
        evidence=tuple(evidence),
        cause="generator and discriminator chase each other in a circle, with steps too large to settle",
        reconsider="examinations so far apart that any training would change its pictures between them",
    )


def _variety_jumps(case: Case) -> Evidence | None:
    """Mean factor between the spreads of successive logged batches, beyond a steady rise or fall."""
    spreads = [
        max(spread, SMALL_SPREAD)
        for step, spread in log_spreads(case)
        if step >= max(FIRST_STEPS // 2, last_step(case) / 2)
    ]
    if len(spreads) < FEWEST_JUMPS:
        return None
    changes = [math.log(after / before) for before, after in pairwise(spreads)]
    jump = math.exp(mean(map(abs, changes)) - abs(mean(changes)))
    return Evidence("the factor between the varieties of successive batches", jump, None, JUMPS)


def _classes_wander(case: Case) -> Evidence | None:
    examined = late(case)
    if len(examined) < FEWEST_FOR_TREND or not examined[-1].class_shares or _begins(case):
        return None
    moved = mean(_variation(a.class_shares, b.class_shares) for a, b in pairwise(examined))
    return Evidence("the share of pictures that change their class between examinations", moved, None, WANDERING)


def _begins(case: Case) -> bool:
    """Whether a run still trains, and every picture changes because all of it is new."""
    return case.facts.status == "running" and last_step(case) < YOUNG_STEPS


def _variation(before: Sequence[float], after: Sequence[float]) -> float:
    """Total variation between two lists of shares: half the sum of their differences."""
    return sum(abs(a - b) for a, b in zip(before, after, strict=False)) / 2


def _pictures_wander(case: Case) -> Evidence | None:
    changes = [signals.change for signals in late(case) if signals.change is not None]
    if len(changes) < FEWEST_FOR_TREND or _begins(case):
        return None
    name = "the change of a picture between examinations, of the distance of two real ones,"
    return Evidence(name, median(changes), None, TURNED_OVER, signal="change")
