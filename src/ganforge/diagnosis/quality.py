"""The quality of the pictures: far from real though varied, still learning, or healthy."""

from ganforge.diagnosis.case import Case
from ganforge.diagnosis.figures import ClassFigures, Figures, distance_evidence, figures
from ganforge.diagnosis.finding import Finding
from ganforge.diagnosis.trend import settled
from ganforge.diagnosis.words import longer, these
from ganforge.metrics.thresholds import NARROW, NEAR, PRESENT


def rough(case: Case) -> Finding | None:
    """The pictures vary as real ones do, and are far from them."""
    now = figures(case)
    spread = now.within_class if now.within_class is not None else now.spread
    if now.distance is None or not now.far or spread is None or spread < NARROW or not settled(case):
        return None
    return Finding(
        "rough",
        1,
        f"the pictures vary, and are far from real ones: their Fréchet distance is {now.distance:.1f} times real "
        f"against real (healthy: up to {NEAR})",
        longer(case),
        evidence=distance_evidence(now),
        cause="the pictures show noise, blots or torn lines that real ones do not have",
        reconsider="pictures that look like real ones: then the reader sees a difference that does not matter",
    )


def well(case: Case) -> Finding:
    """Return the finding of a run without problems: healthy, or learning with the conditions that are not met yet.

    A run that still trains is learning.
    """
    now = figures(case)
    running, missing = case.facts.status == "running", _missing(now)
    evidence = distance_evidence(now)
    if not missing and not running:
        return Finding(
            "healthy",
            0,
            "healthy so far",
            evidence=evidence,
            cause="generator and discriminator learn from each other",
            reconsider="pictures that a person would not take for real ones",
        )
    return Finding(
        "learning",
        0,
        f"still learning{_nothing_wrong(now)}{': ' if missing else ''}{'; '.join(missing)}",
        longer(case),
        evidence=evidence,
        cause="the training has not come far enough yet, or too little was measured",
        reconsider="no change in the next epochs",
    )


def _nothing_wrong(now: Figures) -> str:
    """Return that nothing is wrong; nothing where most classes are rare, which more training may change."""
    rare = sum(_below_share(row) for row in now.classes)
    return "" if 2 * rare > len(now.classes) else ", nothing is wrong so far"


def _missing(now: Figures) -> list[str]:
    rare = [row.name for row in now.classes if _below_share(row)]
    missing = [f"{these(now.noun, rare)} rarely drawn"] if rare else []
    if now.distance is None:
        missing.append(
            "there are too few real images for a Fréchet distance, so the quality of the pictures is unknown"
        )
    elif now.distance > NEAR:
        missing.append(f"the Fréchet distance is {now.distance:.1f} times real against real (healthy: up to {NEAR})")
    return missing


def _below_share(row: ClassFigures) -> bool:
    return not row.share or row.share < PRESENT * row.real_share
