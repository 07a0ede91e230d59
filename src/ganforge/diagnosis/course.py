"""The course of a training: it diverged, ran away, wanders, was too short, or has stopped to gain."""

from itertools import pairwise
from statistics import mean, median

from ganforge.diagnosis.case import Case
from ganforge.diagnosis.collapse import alike, all_alike, slow_start, spread_evidence
from ganforge.diagnosis.figures import Figures, figures, log_mean, recent
from ganforge.diagnosis.finding import Evidence, Finding
from ganforge.diagnosis.moments import epochs
from ganforge.diagnosis.ratings import has_won
from ganforge.diagnosis.thresholds import (
    EXPLODED_GRADIENT,
    EXPLODED_SPREAD,
    EXPLODED_WEIGHTS,
    FEWEST_FOR_TREND,
    NO_GAIN,
    STILL_GAINS,
    TURNED_OVER,
    WANDERING,
)
from ganforge.diagnosis.trend import Trend, distance_trend, second_half
from ganforge.diagnosis.words import longer, slower
from ganforge.metrics.thresholds import NEAR, READABLE_SHARE, YOUNG


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
    """Gradients, weights or the spread of the pictures run away."""
    evidence = [row for row in (_spread_runs_away(case), _weights_run_away(case), *_gradients_run_away(case)) if row]
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


def _spread_runs_away(case: Case) -> Evidence | None:
    spread = figures(case).spread
    if spread is None or spread < EXPLODED_SPREAD:
        return None
    return Evidence("spread of the pictures, of the real one,", spread, None, EXPLODED_SPREAD, signal="spread")


def _weights_run_away(case: Case) -> Evidence | None:
    norms = [signals.weight_norm for signals in case.signals if signals.weight_norm]
    if len(norms) < 2:
        return None
    growth = max((norms[-1][player] / norms[0][player] for player in norms[0] if norms[0][player]), default=0.0)
    if growth < EXPLODED_WEIGHTS:
        return None
    return Evidence(
        "the growth of a player's weights since the first examination",
        growth,
        None,
        EXPLODED_WEIGHTS,
        signal="weight_norm",
    )


def _gradients_run_away(case: Case) -> list[Evidence]:
    first, last = case.log[: len(case.log) // 2], recent(case.log)
    rows = []
    for player in ("generator", "discriminator", "encoder"):
        key = f"{player}_gradient"
        early = [line[key] for line in first if key in line]
        if early and median(early) > 0 and log_mean(key, last) >= EXPLODED_GRADIENT * median(early):
            growth = log_mean(key, last) / median(early)
            rows.append(Evidence(f"the growth of the {player}'s gradient", growth, None, EXPLODED_GRADIENT))
    return rows


def oscillating(case: Case) -> Finding | None:
    """Class shares or pictures of the same noise wander between examinations, over the second half of the run."""
    late = second_half(case)
    if len(late) < FEWEST_FOR_TREND or alike(figures(case)):
        return None
    evidence = []
    if late[-1].class_shares:
        moved = mean(_variation(a.class_shares, b.class_shares) for a, b in pairwise(late))
        evidence.append(
            Evidence(
                "share of pictures that change their class between examinations",
                moved,
                None,
                WANDERING,
                signal="class_shares",
            )
        )
    if changes := [signals.change for signals in late if signals.change is not None]:
        name = "change of a picture between examinations, of the distance of two real ones"
        evidence.append(Evidence(name, median(changes), None, TURNED_OVER, signal="change"))
    wandering = [row for row in evidence if row.high is not None and row.value > row.high]
    if not wandering:
        return None
    return Finding(
        "oscillating",
        1,
        f"the pictures of the same noise wander: {wandering[0].name} is {wandering[0].value:.2f} "
        f"(healthy: up to {wandering[0].high:g})",
        f"{slower(case)}; averaged weights also help (--set averaging.half_life=...)",
        evidence=tuple(evidence),
        cause="generator and discriminator chase each other in a circle, with steps too large to settle",
        reconsider="examinations so far apart that any training would change its pictures between them",
    )


def _variation(before: tuple[float, ...], after: tuple[float, ...]) -> float:
    """Total variation between two lists of shares: half the sum of their differences."""
    return sum(abs(a - b) for a, b in zip(before, after, strict=True)) / 2


def undertrained(case: Case) -> Finding | None:
    """The run is too short: its pictures still become better, are not readable yet, or do not differ yet."""
    now = figures(case)
    if alike(now):
        return _not_started(case, now) if slow_start(case) else None
    trend, distance = distance_trend(case), now.distance
    if distance is not None and distance > NEAR and trend and trend.gain - trend.error >= STILL_GAINS:
        text = (
            f"the pictures still become better: as many steps again would reduce their distance from real ones by "
            f"about {trend.gain:.0%} (it is {distance:.1f} times real against real; healthy: up to {NEAR})"
        )
        return _too_short(case, text, _gain(trend))
    if not now.readable and not _no_gain(trend):
        expected = "digits" if now.noun == "digit" else "of any class"
        text = (
            f"most pictures are not {expected} yet: the judge is sure of {now.confident:.0%} of them, "
            f"and of {now.confident_on_real:.0%} of real ones"
        )
        healthy = READABLE_SHARE * now.confident_on_real
        sure = Evidence(
            "share of the pictures of which the judge is sure", now.confident or 0.0, healthy, signal="confident"
        )
        return _too_short(case, text, sure)
    return None


def _not_started(case: Case, now: Figures) -> Finding:
    observation = (
        "every noise vector still gives the same picture" if all_alike(now) else "the pictures are still much alike"
    )
    lost = ", and the discriminator rejects all of them" if has_won(case) else ""
    hint = ": the first digits take about five epochs of MNIST" if now.noun == "digit" else ""
    return Finding(
        "undertrained",
        2,
        f"{observation}, after {epochs(case):.2g} epochs{lost}",
        f"train longer{hint}; if nothing changes after {YOUNG} epochs, {slower(case)}",
        evidence=spread_evidence(now),
        cause="the training is too short to tell a slow start from a collapse",
        reconsider=f"pictures that are still alike after {YOUNG} epochs: then they have collapsed",
    )


def _too_short(case: Case, text: str, evidence: Evidence) -> Finding:
    return Finding(
        "undertrained",
        1,
        text,
        longer(case),
        evidence=(evidence,),
        cause="the run ended before its pictures stopped to improve",
        reconsider="a longer run with no better pictures",
    )


def plateau(case: Case) -> Finding | None:
    """Nothing becomes better any more, and the pictures are far from real."""
    trend, distance = distance_trend(case), figures(case).distance
    if distance is None or distance <= NEAR or trend is None or not _no_gain(trend):
        return None
    return Finding(
        "plateau",
        1,
        f"nothing becomes better any more: as many steps again would change the distance from real pictures by about "
        f"{-trend.gain:+.0%}, at {distance:.1f} times real against real (healthy: up to {NEAR})",
        "try another recipe, larger networks (--set generator.filters=...), or more images",
        evidence=(_gain(trend),),
        cause="networks, data or rates bear no better pictures than these",
        reconsider="a smaller distance after a drop of the learning rates",
    )


def _no_gain(trend: Trend | None) -> bool:
    return trend is not None and trend.gain + trend.error < STILL_GAINS and trend.gain < NO_GAIN


def _gain(trend: Trend) -> Evidence:
    return Evidence("part of the distance that as many steps again would remove", trend.gain, None, STILL_GAINS)
