"""A run as a report reads it: everything in its folder, each part absent where the folder lacks it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganforge.diagnosis.case import Case, Signals
from ganforge.diagnosis.diagnose import diagnose
from ganforge.diagnosis.finding import Finding
from ganforge.diagnosis.remedies import prescribe
from ganforge.errors import UserError
from ganforge.evaluation.result import Evaluation, parse_evaluation
from ganforge.experiment.case import case_of
from ganforge.experiment.saved_recipe import saved_recipe
from ganforge.experiment.signals_hook import read_signals
from ganforge.experiment.verdict import Verdict, kept_verdict
from ganforge.recipes.recipe import Recipe
from ganforge.runs.folder import RunFolder
from ganforge.runs.listing import list_run
from ganforge.runs.log import read_lines, read_log

METRIC = "frechet_distance"


@dataclass(frozen=True)
class RunRecord:
    """The contents of a run folder.

    Attributes:
        folder: where it lies.
        name: its name on the page.
        saved: the content of ``run.json``.
        status: "running", "interrupted", "finished" or "diverged".
        recipe: None where ``recipe.toml`` is missing or damaged.
        case: what a diagnosis knows of the run; None where recipe or generator are missing or damaged.
        log: the statistics of its steps, in order.
        signals: the examinations during the training, in order; none in runs of earlier versions.
        verdict: the latest on its last step; None before the end.
        findings: most serious first, with their remedies: those of the verdict, or of a diagnosis of what is there.
        evaluation: the latest of `ganforge evaluate` on its last step, or None.
        quality: the lines that ``--evaluate-every`` wrote.
    """

    folder: RunFolder
    name: str
    saved: Mapping[str, Any]
    status: str
    recipe: Recipe | None
    case: Case | None
    log: Sequence[Mapping[str, float]]
    signals: Sequence[Signals]
    verdict: Verdict | None
    findings: Sequence[Finding]
    evaluation: Evaluation | None
    quality: Sequence[Mapping[str, Any]]

    @property
    def step(self) -> int:
        """The last saved step."""
        return int(self.saved.get("step", 0))

    def seconds_at(self, step: int) -> float | None:
        """Return the seconds of training until a step, between two lines of the log in proportion; None without one."""
        if not self.log:
            return None
        steps = [0, *(int(line["step"]) for line in self.log)]
        seconds = [0.0, *(float(line.get("seconds", 0.0)) for line in self.log)]
        return float(np.interp(step, steps, seconds))


def read_record(folder: RunFolder, name: str) -> RunRecord:
    """Read a run folder.

    Raises:
        UserError: the folder is not a run, or its ``run.json`` is damaged.
    """
    saved = folder.read_run()
    lines = read_lines(folder.metrics)
    case, verdict, step = _case(folder), kept_verdict(folder), int(saved.get("step", 0))
    return RunRecord(
        folder,
        name,
        saved,
        list_run(folder).status,
        _recipe(folder),
        case,
        read_log(folder.log),
        read_signals(folder),
        verdict,
        _findings(verdict, case, step),
        _evaluation(folder, lines, step),
        [line for line in lines if METRIC in line.get("quality", {})],
    )


def _recipe(folder: RunFolder) -> Recipe | None:
    try:
        return saved_recipe(folder)
    except UserError:
        return None


def _case(folder: RunFolder) -> Case | None:
    try:
        return case_of(folder)
    except UserError:
        return None


def _findings(verdict: Verdict | None, case: Case | None, step: int) -> Sequence[Finding]:
    """Return the findings of a verdict; those of an earlier version, which lack evidence, are found again.

    A run without a verdict is diagnosed by its log and its examinations.
    """
    kept = verdict.findings if verdict else ()
    if case is None or any(finding.evidence for finding in kept):
        found = kept
    else:
        found = tuple(diagnose(case)) if case.measured or case.signals or case.log else kept
    return prescribe(found, case.facts, step) if case else found


def _evaluation(folder: RunFolder, lines: Sequence[Mapping[str, Any]], step: int) -> Evaluation | None:
    """Return the latest evaluation of the last step; one that this version cannot read counts as none."""
    kept = [line["evaluation"] for line in lines if "evaluation" in line and line["step"] == step]
    try:
        return parse_evaluation(kept[-1], str(folder.metrics)) if kept else None
    except UserError:
        return None
