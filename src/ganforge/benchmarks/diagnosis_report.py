"""The report of ``benchmark diagnosis``: which patients were named, when first, and which healthy runs were blamed."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ganforge.benchmarks.common import BenchmarkReport, read_kept
from ganforge.benchmarks.patient_runs import CARD, HALVES, RUN, Card
from ganforge.diagnosis.case import Case
from ganforge.diagnosis.diagnose import diagnose
from ganforge.diagnosis.live import Watch
from ganforge.diagnosis.moments import moments, until
from ganforge.experiment.case import case_of
from ganforge.metrics.intervals import proportion_interval
from ganforge.runs.folder import RunFolder

EARLY = 0.25
"""Share of a run's length after onset within which a severe illness should be named."""


@dataclass(frozen=True)
class Outcome:
    """What the diagnosis says of one patient.

    Attributes:
        name: of the patient's folder.
        card: what was planted.
        findings: names of the findings of severity 1 or 2 at the end.
        remarks: names of those of severity 0.
        said: the same names while it trained, each with the step at which it was first said.
    """

    name: str
    card: Card
    findings: tuple[str, ...]
    remarks: tuple[str, ...]
    said: dict[str, int]

    @property
    def named(self) -> bool:
        """Whether the planted cause or an accepted name is among the findings, or at least remarked."""
        return not self._names.isdisjoint((*self.findings, *self.remarks))

    @property
    def remarked(self) -> bool:
        """Whether it is named by remarks alone, which a user may overlook."""
        return self.named and self._names.isdisjoint(self.findings)

    @property
    def first_said(self) -> float | None:
        """Share of the run after the onset at which the illness was first named: 1 at the end; None if never."""
        if self.card.onset is None or not self.named:
            return None
        steps = [self.said[name] for name in self._names & self.said.keys()]
        return (min([*steps, self.card.steps]) - self.card.onset) / (self.card.steps - self.card.onset)

    @property
    def _names(self) -> set[str]:
        return {self.card.planted, *self.card.accepted}


def outcome_of(folder: Path) -> Outcome:
    """Diagnose a finished patient from its folder, at its end and at every examination of its training.

    Raises:
        UserError: its card or its run is damaged.
    """
    card: Card = read_kept(folder / CARD, Card)
    case = case_of(RunFolder(folder / RUN))
    findings = diagnose(case)
    serious = tuple(finding.name for finding in findings if finding.severity)
    remarks = tuple(finding.name for finding in findings if not finding.severity)
    return Outcome(folder.name, card, serious, remarks, said_while_training(case))


def said_while_training(case: Case) -> dict[str, int]:
    """Return the findings of severity 1 or 2 that a user reads while a run trains, each with its first step."""
    watch = Watch(until(case, 0))
    said = {finding.name: 0 for finding in case.facts.before if finding.severity}
    for step in moments(case):
        for finding in watch.look(until(case, step)):
            said.setdefault(finding.name, step)
    return said


@dataclass(frozen=True)
class DiagnosisReport(BenchmarkReport):
    """All finished patients of a folder, those for tuning and those held out apart.

    Attributes:
        folder: of the patients.
        shortened: what makes this call less than the protocol; empty for the protocol.
        outcomes: of every finished patient in the folder, whichever call made it.
    """

    folder: Path
    shortened: str
    outcomes: tuple[Outcome, ...]
    title = "diagnosis: planted illnesses that must be named, and healthy runs that must not be blamed"
    header = (
        *("half", "planted", "named", "sensitivity", "blamed healthy runs", "specificity"),
        *("first said (median)", f"severe: within {EARLY:.0%}"),
    )

    def table(self) -> list[tuple[str, ...]]:
        """Return a row for each planted finding of each half, and a row for all of them."""
        rows = []
        for half in HALVES:
            sick, well = self._sick(half), self._healthy(half)
            planted = sorted({outcome.card.planted for outcome in sick})
            for name in planted:
                blamed = [outcome for outcome in well if name in outcome.findings]
                rows.append(_row(half, name, [o for o in sick if o.card.planted == name], len(blamed), len(well)))
            if sick or well:
                rows.append(_row(half, "all", sick, sum(bool(outcome.findings) for outcome in well), len(well)))
        return rows

    def notes(self) -> list[str]:
        """Return how to read the table, who was not named, who was blamed, and what was left out."""
        candidates = [outcome for outcome in self.outcomes if outcome.card.planted == "healthy"]
        left_out = [outcome for outcome in candidates if not _is_healthy(outcome)]
        lines = [
            "sensitivity, specificity: with 95 % intervals (Wilson); first said: share of the run after its onset, "
            "while it trained (1: at the end)",
            f"{len(left_out)} of {len(candidates)} trainings meant to be healthy were not, by four figures without a "
            "diagnosis, and count nowhere",
        ]
        for half in HALVES:
            early = [outcome.name for outcome in self._healthy(half) if outcome.said]
            missed = [f"{o.name} ({', '.join(o.findings) or 'nothing'})" for o in self._sick(half) if not o.named]
            blamed = [f"{o.name} ({', '.join(o.findings)})" for o in self._healthy(half) if o.findings]
            remarked = [outcome.name for outcome in self._sick(half) if outcome.remarked]
            for what, names in (
                ("not named", missed),
                ("named by a remark alone (severity 0)", remarked),
                ("healthy and blamed", blamed),
                ("healthy and blamed while it trained", early),
            ):
                if names:
                    lines.append(f"{half}, {what}: {'; '.join(names)}")
        return [*lines, *([self.shortened] if self.shortened else []), f"patients: {self.folder}"]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "benchmark": "diagnosis",
            "folder": str(self.folder),
            "is_protocol": not self.shortened,
            "terms": self.shortened,
            "rows": [dict(zip(self.header, row, strict=True)) for row in self.table()],
            "patients": [
                {**asdict(outcome), "named": outcome.named, "first_said": outcome.first_said}
                for outcome in self.outcomes
            ],
        }

    def _sick(self, half: str) -> list[Outcome]:
        return [o for o in self.outcomes if o.card.planted != "healthy" and _half(o) == half]

    def _healthy(self, half: str) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if _is_healthy(outcome) and _half(outcome) == half]


def _half(outcome: Outcome) -> str:
    return HALVES[outcome.card.held_out]


def _is_healthy(outcome: Outcome) -> bool:
    return outcome.card.health is not None and outcome.card.health.is_healthy


def _row(half: str, planted: str, sick: Sequence[Outcome], blamed: int, well: int) -> tuple[str, ...]:
    """Return a row: patients of one planted finding, and healthy runs that were blamed for it."""
    named = [outcome for outcome in sick if outcome.named]
    shares = [outcome.first_said for outcome in sick if outcome.first_said is not None]
    severe = [outcome for outcome in sick if outcome.card.severity == "severe" and outcome.card.onset is not None]
    early = sum(o.first_said is not None and o.first_said <= EARLY for o in severe)
    return (
        *(half, planted, f"{len(named)} of {len(sick)}", _share(len(named), len(sick))),
        *(f"{blamed} of {well}", _share(well - blamed, well)),
        f"{statistics.median(shares):.2f}" if shares else "–",
        f"{early} of {len(severe)}" if severe else "–",
    )


def _share(hits: int, count: int) -> str:
    """Return "90% (60–98)", or a dash where nothing was counted."""
    if not count:
        return "–"
    low, high = proportion_interval(hits, count)
    return f"{hits / count:.0%} ({100 * low:.0f}–{100 * high:.0f})"
