"""What came of a treatment: which remedy cured, by findings, labels and a comparison with the untreated control.

A remedy cured a run if

1. the treated finding is gone,
2. no other finding of severity 2 is there, those on the data left aside (`ON_DATA`),
3. the label is followed in at least 90 % of what is read rightly in real pictures, where there are labels, and
4. the pictures are better than the control's beyond noise, by the figure that the treated finding rests on
   (`treatment_figures`): the 95 % interval of the difference lies above 0.

The control is RUN trained on. It counts as cured by 1 to 3, if it is better than RUN was.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ganforge.diagnosis.finding import Finding, Remedy
from ganforge.experiment.diagnosis import diagnose
from ganforge.experiment.treatment_figures import Comparison, Measured
from ganforge.metrics.intervals import Interval
from ganforge.metrics.thresholds import LABEL_FOLLOWED
from ganforge.runs.folder import RunFolder

ON_DATA = ("data-range", "data-polarity", "data-duplicates", "data-classes", "few-data", "label-noise")
"""Findings that no recipe can cure: they do not speak against the cure of another one."""


@dataclass(frozen=True)
class Arm:
    """A trial: a run folder, and the remedy that it tries; the control has none."""

    folder: RunFolder
    remedy: Remedy | None


@dataclass(frozen=True)
class Outcome:
    """What came of one trial.

    Attributes:
        run: its folder.
        remedy: what it tried; None for the control.
        status: "finished" or "diverged".
        step: its last step.
        findings: names of its findings.
        value: its figure; None if it was not measured.
        better_by: 95 % interval of the control's figure minus this one; for the control, of the run's before.
        faults: what speaks against a cure; nothing for a cured run.
    """

    run: Path
    remedy: Remedy | None
    status: str
    step: int
    findings: tuple[str, ...] = ()
    value: float | None = None
    better_by: Interval | None = None
    faults: tuple[str, ...] = ()

    @property
    def cured(self) -> bool:
        """Whether the remedy, or training on, cured the run."""
        return not self.faults

    @property
    def words(self) -> str:
        """The outcome in words."""
        what = self.remedy.text if self.remedy else "untreated control"
        left = [name for name in self.findings if name not in ("healthy", "learning")]
        cured = f"cured, {', '.join(left)} is left" if left else "cured"
        return f"{self.run} · {what} · {cured if self.cured else '; '.join(self.faults)}"


@dataclass(frozen=True)
class Treatment:
    """A treatment of a run.

    Attributes:
        treated: name of the finding that was treated.
        steps: further steps of each trial.
        figure: what the trials are compared by, in words; lower is better.
        before: the figure of the run before the treatment; None if it was not measured.
        outcomes: the trials, the best first, the control last.
    """

    treated: str
    steps: int
    figure: str
    before: float | None
    outcomes: tuple[Outcome, ...]

    @property
    def cured(self) -> bool:
        """Whether a remedy, or training on, cured the run."""
        return any(outcome.cured for outcome in self.outcomes)

    @property
    def winner(self) -> Outcome | None:
        """The best cured run; None if none is cured."""
        return next((outcome for outcome in self.outcomes if outcome.cured), None)

    @property
    def words(self) -> str:
        """The treatment as text: a line for each trial, and how to go on."""
        before = "" if self.before is None else f" · {self.figure} before: {_number(self.before)}"
        lines = [f"treatment of {self.treated}, {self.steps:,} further steps each{before}"]
        lines += [f"  {outcome.words}{self._figure_words(outcome)}" for outcome in self.outcomes]
        if self.winner:
            lines.append(f"go on with the winner: ganforge resume {self.winner.run} --minutes 10")
        else:
            lines.append("nothing cured the run in this time: more --minutes may, or a remedy further down the list")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        outcomes = [{**asdict(outcome), "run": str(outcome.run), "cured": outcome.cured} for outcome in self.outcomes]
        winner = str(self.winner.run) if self.winner else None
        return {**asdict(self), "outcomes": outcomes, "cured": self.cured, "winner": winner}

    def _figure_words(self, outcome: Outcome) -> str:
        if outcome.value is None:
            return ""
        gain, other = outcome.better_by, "the control" if outcome.remedy else "before"
        better = (
            f", better than {other} by {_number(gain.low)} to {_number(gain.high)}" if gain and gain.low > 0 else ""
        )
        return f" · {self.figure} {_number(outcome.value)}{better}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def judge_treatment(arms: Sequence[Arm], treated: str, steps: int, comparison: Comparison) -> Treatment:
    """Say what came of a treatment.

    Args:
        arms: the trials, the control last.
        treated: name of the treated finding.
        steps: further steps of each trial.
        comparison: of the run before the treatment, then of the trials.
    """
    before, *figures = comparison.runs
    control = figures[-1]
    outcomes = [
        _outcome(arm, treated, figure, control if arm.remedy else before)
        for arm, figure in zip(arms, figures, strict=True)
    ]
    *trials, last = outcomes
    trials.sort(key=lambda outcome: (not outcome.cured, math.inf if outcome.value is None else outcome.value))
    return Treatment(treated, steps, comparison.figure, before.value if before else None, (*trials, last))


def _outcome(arm: Arm, treated: str, figure: Measured | None, other: Measured | None) -> Outcome:
    """Return the outcome of a trial whose figure must be better than that of another run."""
    saved = arm.folder.read_run()
    outcome = Outcome(arm.folder.path, arm.remedy, saved["status"], int(saved["step"]))
    if outcome.status != "finished":
        return replace(outcome, faults=(outcome.status,))
    diagnosis = diagnose(arm.folder.path)
    better_by = figure.better_than(other) if figure and other else None
    faults = _remaining(diagnosis.findings, treated)
    if diagnosis.followed is not None and diagnosis.followed < LABEL_FOLLOWED:
        faults.append(f"the label is followed in {diagnosis.followed:.0%} only")
    if not (better_by and better_by.low > 0):
        faults.append(f"not better than {'the control' if arm.remedy else 'before'} beyond noise")
    return replace(
        outcome,
        findings=tuple(finding.name for finding in diagnosis.findings),
        value=figure.value if figure else None,
        better_by=better_by,
        faults=tuple(faults),
    )


def _remaining(findings: Sequence[Finding], treated: str) -> list[str]:
    """Return which findings speak against a cure; a remark, of severity 0, does not."""
    faults = [f"{finding.name} is still there" for finding in findings if finding.name == treated and finding.severity]
    others = [finding for finding in findings if finding.severity == 2 and finding.name not in (treated, *ON_DATA)]
    return faults + [f"{finding.name} is there" for finding in others]
