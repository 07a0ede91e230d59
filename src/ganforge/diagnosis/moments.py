"""The moments of a training at which a case was looked at: its examinations, and lines of its log at the same marks."""

from bisect import bisect_right
from dataclasses import replace

from ganforge.diagnosis.case import Case, Signals
from ganforge.diagnosis.thresholds import STALE, YOUNG_STEPS
from ganforge.metrics.thresholds import YOUNG
from ganforge.training.log_schedule import is_examination


def moments(case: Case) -> list[int]:
    """Return the steps of the examinations and of the log's lines at examination marks, in order."""
    logged = {line["step"] for line in case.log if is_examination(line["step"])}
    return sorted(logged | {signals.step for signals in case.signals})


def until(case: Case, step: int) -> Case:
    """Return the case as it was at a step of its training."""
    lines = bisect_right(case.log, step, key=lambda line: line["step"])
    examinations = bisect_right(case.signals, step, key=lambda signals: signals.step)
    facts = replace(case.facts, status="running")
    return replace(case, facts=facts, signals=case.signals[:examinations], log=case.log[:lines], measured=None)


def last_step(case: Case) -> int:
    """Return the step of the latest line or examination; 0 before the first one."""
    logged = int(case.log[-1].get("step", 0)) if case.log else 0
    return max(logged, case.signals[-1].step if case.signals else 0)


def current(case: Case) -> Signals | None:
    """Return the latest examination; None where the training has gone on far beyond it."""
    if not case.signals or last_step(case) > STALE * case.signals[-1].step:
        return None
    return case.signals[-1]


def epochs(case: Case) -> float:
    """Epochs of the training so far; 0 without a log and without signals."""
    if case.log and "epoch" in case.log[-1]:
        return float(case.log[-1]["epoch"])
    return case.signals[-1].step / case.facts.steps_per_epoch if case.signals else 0.0


def young(case: Case) -> bool:
    """Whether a run is too short to tell a slow start from a fault."""
    return epochs(case) < YOUNG or last_step(case) < YOUNG_STEPS
