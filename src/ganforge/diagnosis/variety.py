"""Variety: pictures vary too little everywhere, classes are missing, or the same pictures come again."""

import math

from ganforge.diagnosis.case import Case
from ganforge.diagnosis.collapse import alike
from ganforge.diagnosis.figures import ClassFigures, figures
from ganforge.diagnosis.finding import Evidence, Finding
from ganforge.diagnosis.moments import current
from ganforge.diagnosis.thresholds import FEWEST_EXPECTED, MOST_CLASSES, NARROW_RECALL, REPEATED
from ganforge.diagnosis.trend import still_rises
from ganforge.diagnosis.words import listed, longer
from ganforge.metrics.thresholds import NARROW, PRESENT


def narrow(case: Case) -> Finding | None:
    """The pictures vary too little everywhere: in nearly all classes, or altogether where there are none.

    Where their recall is known, they must also come near too few real ones: the spread of a class of few shapes is no
    sure measure.
    """
    now = figures(case)
    within = now.within_class if now.within_class is not None else now.spread
    spreads = [row.spread for row in now.classes if row.spread is not None]
    few = sum(spread < NARROW for spread in spreads) < MOST_CLASSES * len(spreads)
    if within is None or within >= NARROW or few or alike(now) or not now.readable or still_rises(case, "spread"):
        return None
    if now.relative_recall is not None and now.relative_recall >= NARROW_RECALL:
        return None
    known = now.within_class is not None
    whose = f"of one {now.noun} are" if known else "are"
    return Finding(
        "narrow",
        1,
        f"the pictures {whose} too much alike: {within:.2f} of the real spread (healthy: {NARROW} or more)",
        longer(case),
        evidence=(
            Evidence(
                f"spread{f' within a {now.noun}' if known else ''}, of the real one",
                within,
                NARROW,
                signal="within_class" if known else "spread",
            ),
        ),
        cause="the generator keeps to the commonest pictures, which deceive the discriminator most surely",
        reconsider="real pictures of which a few odd ones make up most of the spread",
    )


def missing_classes(case: Case) -> Finding | None:
    """Some classes are drawn in less than three tenths of their real share."""
    now = figures(case)
    rare = [row for row in now.classes if _rare(row, now.n)]
    if not rare or not now.readable or alike(now) or still_rises(case, "spread"):
        return None
    names = listed([row.name for row in rare])
    return Finding(
        "missing-classes",
        1,
        f"rarely drawn (each in less than {PRESENT:.0%} of its share among real ones): {names}",
        longer(case),
        evidence=tuple(
            Evidence(
                f"share of {now.noun} {row.name} among the pictures",
                row.share,
                PRESENT * row.real_share,
            )
            for row in rare
        ),
        cause="the generator deceives the discriminator without these classes, so that nothing asks for them",
        reconsider="a reader that takes these classes for others: look at pictures of them",
    )


def _rare(row: ClassFigures, n: int) -> bool:
    """Whether a class is rarer than healthy, by more than two standard deviations of its count."""
    if n and n * row.real_share < FEWEST_EXPECTED:
        return False
    limit = PRESENT * row.real_share
    noise = 2 * math.sqrt(limit * (1 - limit) / n) if n else 0.0
    return not row.share or row.share < limit - noise


def repetition(case: Case) -> Finding | None:
    """Many pictures have a twin among the others."""
    now = current(case)
    if now is None or now.repetition is None:
        return None
    share, real = now.repetition, now.repetition_on_real or 0.0
    pictures = figures(case)
    if share < real + REPEATED or alike(pictures) or not pictures.readable:
        return None
    return Finding(
        "repetition",
        1,
        f"the same pictures come again and again: {share:.0%} of them have a twin, of real ones {real:.0%}",
        "use a larger --set batch_size=... or --set latent.dim=...",
        evidence=(Evidence("share of pictures with a twin", share, None, real + REPEATED, signal="repetition"),),
        cause="the generator draws from a short list of pictures, and many noise vectors share one of them",
        reconsider="real pictures that are nearly all equal, too",
    )
