"""Collapse: all pictures are alike, or all of each class, or all of some classes; or noise has no effect."""

from statistics import mean

from ganforge.diagnosis.case import Case
from ganforge.diagnosis.figures import ClassFigures, Figures, figures, log_spreads, recent
from ganforge.diagnosis.finding import Evidence, Finding
from ganforge.diagnosis.moments import current, young
from ganforge.diagnosis.ratings import for_long, has_won
from ganforge.diagnosis.thresholds import EQUAL_DRAWS, FALLEN, FIRST_STEPS
from ganforge.diagnosis.trend import still_rises
from ganforge.diagnosis.words import listed, longer, plural, slower
from ganforge.metrics.thresholds import (
    CLASSES_HEALTHY,
    COLLAPSED,
    FEW_HANDWRITINGS,
    LABEL_IGNORED,
    NARROW,
    PRESENT,
)


def mode_collapse(case: Case) -> Finding | None:
    """All pictures, or all pictures of each class asked for, are alike."""
    now = figures(case)
    if not alike(now) or slow_start(case):
        return None
    if all_alike(now):
        text = "every noise vector gives the same picture: mode collapse"
    else:
        kind = "kind of digit" if now.noun == "digit" else "class"
        text = f"there is one picture for each {kind}, whatever the noise: mode collapse"
    return Finding(
        "mode-collapse",
        2,
        text,
        slower(case),
        evidence=spread_evidence(now),
        cause="the generator found one picture that deceives the discriminator, and gains nothing by any other",
        reconsider="a sheet of pictures ('ganforge sample RUN') that clearly differ from each other",
    )


def class_collapse(case: Case) -> Finding | None:
    """The pictures of some classes are alike, or come near less than half of their real ones.

    Only classes that follow their label count. Images that are unreadable, or too much alike altogether, have a low
    recall for that reason alone.
    """
    now = figures(case)
    if (
        not now.readable
        or alike(now)
        or still_rises(case, "spread")
        or (now.within_class is not None and now.within_class < NARROW)
    ):
        return None
    equal = [row for row in now.classes if row.spread is not None and row.spread < COLLAPSED]
    worst = equal[0] if equal else min(now.classes, key=lambda row: _recall_ratio(row, now), default=None)
    if worst is None or (not equal and _recall_ratio(worst, now) >= FEW_HANDWRITINGS):
        return None
    if equal:
        names = listed([row.name for row in equal])
        text = f"all pictures of {now.noun if len(equal) == 1 else plural(now.noun)} {names} are alike"
    else:
        text = _few_ways(now, worst)
    return Finding(
        "class-collapse",
        1,
        text,
        f"look at many of {worst.name}: if they are blurred or rough, {longer(case)}; if the same few repeat, "
        "use a larger --set batch_size=... or --set latent.dim=...",
        evidence=_class_evidence(now, worst),
        cause="the generator draws these classes from few of their kinds",
        reconsider=f"many pictures of {worst.name} that differ as real ones do",
    )


def noise_ignored(case: Case) -> Finding | None:
    """A generator driven by a picture or by codes draws the same for one condition, whatever the noise."""
    latest = current(case)
    if latest is None:
        return None
    share = latest.draws_spread
    if share is None or share >= EQUAL_DRAWS:
        return None
    return Finding(
        "noise-ignored",
        1,
        f"the draws for one condition are all equal, whatever the noise: they vary {share:.3f} of what real ones do",
        "compare two draws of one condition with each other in the loss (--set terms.fidelity.score=energy)",
        evidence=(Evidence("variation between draws for one condition, of the real one", share, EQUAL_DRAWS),),
        cause="the condition alone satisfies the loss, so that the generator has no use for the noise",
        reconsider="a task with a single right answer for each condition",
    )


def all_alike(now: Figures) -> bool:
    """Whether all pictures are alike."""
    return now.spread is not None and now.spread < COLLAPSED


def alike(now: Figures) -> bool:
    """Whether all pictures are alike, or all pictures of each class."""
    return all_alike(now) or (now.within_class is not None and now.within_class < COLLAPSED)


def slow_start(case: Case) -> bool:
    """Whether pictures that are alike may still begin to differ.

    The run is young, its pictures never differed more than now, and the discriminator did not win half of the run; or
    the logged batches differ, and only the averaged weights still lag behind. One readable picture for each class is a
    collapse at any age.
    """
    now, batches = figures(case), [spread for step, spread in log_spreads(case) if step >= FIRST_STEPS]
    if not case.log and not case.signals:
        return False
    beginning = young(case) or case.facts.status == "running"
    if beginning and all_alike(now) and batches and mean(recent(batches)) >= FALLEN:
        return True
    if not young(case) or for_long(has_won, case) or max(batches, default=0.0) >= FALLEN:
        return False
    return all_alike(now) or not (now.readable and _many_classes(now))


def spread_evidence(now: Figures) -> tuple[Evidence, ...]:
    """Return the spread of the pictures, and the spread within a class."""
    rows = [("spread of the pictures, of the real one", now.spread, "spread")]
    rows.append((f"spread within a {now.noun}, of the real one", now.within_class, "within_class"))
    return tuple(Evidence(name, value, NARROW, signal=signal) for name, value, signal in rows if value is not None)


def _many_classes(now: Figures) -> bool:
    present = [row for row in now.classes if row.share and row.share >= PRESENT * row.real_share]
    return len(present) >= CLASSES_HEALTHY * len(now.classes)


def _recall_ratio(row: ClassFigures, now: Figures) -> float:
    """Recall of a class relative to other reals; 1 where it is unknown, or the class does not follow its label."""
    if row.recall is None or not row.recall_real_reference:
        return 1.0
    requested = any(other.agreement is not None for other in now.classes)
    if requested and (row.agreement or 0.0) < LABEL_IGNORED * now.accuracy:
        return 1.0
    return row.recall / row.recall_real_reference


def _few_ways(now: Figures, row: ClassFigures) -> str:
    few = "handwritings" if now.noun == "digit" else "ways"
    return (
        f"{now.noun} {row.name} is drawn in few {few}: its pictures come near {row.recall:.0%} of the real ones, "
        f"other real ones near {row.recall_real_reference:.0%}"
    )


def _class_evidence(now: Figures, row: ClassFigures) -> tuple[Evidence, ...]:
    rows = []
    if row.spread is not None:
        rows.append(Evidence(f"spread within {now.noun} {row.name}, of the real one", row.spread, NARROW))
    if row.recall is not None and row.recall_real_reference:
        healthy = FEW_HANDWRITINGS * row.recall_real_reference
        rows.append(Evidence(f"share of the real ones of {now.noun} {row.name} near to a fake", row.recall, healthy))
    return tuple(rows)
