"""Progress: the run was too short, or nothing becomes better any more."""

from ganforge.diagnosis.case import Case
from ganforge.diagnosis.collapse import alike, all_alike, slow_start, spread_evidence
from ganforge.diagnosis.figures import Figures, distance_evidence, figures, sure_evidence
from ganforge.diagnosis.finding import Evidence, Finding
from ganforge.diagnosis.moments import epochs, last_step
from ganforge.diagnosis.ratings import has_won
from ganforge.diagnosis.thresholds import NO_GAIN, SHORT_RECALL, STILL_GAINS, YOUNG_STEPS
from ganforge.diagnosis.trend import Trend, distance_trend
from ganforge.diagnosis.words import longer, slower
from ganforge.metrics.thresholds import NEAR, YOUNG


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
    if epochs(case) < 1 and (short := _falls_short(now)):
        figure = f"{short[0].name} {short[0].value:.2g}"
        return _too_short(
            case, f"the run is shorter than an epoch, and not near to real pictures yet: {figure}", *short
        )
    if not now.readable and not _no_gain(trend):
        expected = "digits" if now.noun == "digit" else "of any class"
        text = (
            f"most pictures are not {expected} yet: {now.reader} is sure of {now.confident:.0%} of them, "
            f"and of {now.confident_on_real:.0%} of real ones"
        )
        return _too_short(case, text, *sure_evidence(now))
    return None


def _falls_short(now: Figures) -> tuple[Evidence, ...]:
    """Return the figures of pictures that are not near enough to real ones, or near to too few of them."""
    if now.distance is not None and now.distance > NEAR:
        return distance_evidence(now)
    if now.relative_recall is not None and now.relative_recall < SHORT_RECALL:
        return (
            Evidence(
                "share of real pictures near to a fake, of that of other real ones",
                now.relative_recall,
                SHORT_RECALL,
                signal="recall",
            ),
        )
    return ()


def _not_started(case: Case, now: Figures) -> Finding:
    observation = (
        "every noise vector still gives the same picture" if all_alike(now) else "the pictures are still much alike"
    )
    lost = ", and the discriminator rejects all of them" if has_won(case) else ""
    hint = ": the first digits take about five epochs of MNIST" if now.noun == "digit" else ""
    return Finding(
        "undertrained",
        2,
        f"{observation}, after {last_step(case):,} steps (epoch {epochs(case):.1f}){lost}",
        f"train longer{hint}; if nothing changes after {YOUNG} epochs and {YOUNG_STEPS} steps, {slower(case)}",
        evidence=spread_evidence(now),
        cause="the training is too short to tell a slow start from a collapse",
        reconsider=f"pictures still alike after {YOUNG} epochs and {YOUNG_STEPS} steps: then they have collapsed",
    )


def _too_short(case: Case, text: str, *evidence: Evidence) -> Finding:
    return Finding(
        "undertrained",
        1,
        text,
        longer(case),
        evidence=evidence,
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
