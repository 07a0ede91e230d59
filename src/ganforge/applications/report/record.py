"""A run as a report reads it: everything in its folder, each part absent where the folder lacks it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganforge.diagnosis.case import Signals
from ganforge.diagnosis.finding import Finding
from ganforge.errors import UserError
from ganforge.evaluation.result import Evaluation, parse_evaluation
from ganforge.experiment.saved_recipe import saved_recipe
from ganforge.experiment.verdict import Verdict, kept_verdict
from ganforge.recipes.recipe import Recipe
from ganforge.runs.folder import RunFolder
from ganforge.runs.listing import list_run
from ganforge.runs.log import fitting, read_lines, read_log

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
        log: the statistics of its steps, in order.
        signals: the examinations during the training, in order; none in runs of earlier versions.
        verdict: the latest on its last step; None without a judge, and before the end.
        evaluation: the latest of `ganforge evaluate` on its last step, or None.
        quality: the lines that ``--evaluate-every`` wrote.
    """

    folder: RunFolder
    name: str
    saved: Mapping[str, Any]
    status: str
    recipe: Recipe | None
    log: Sequence[Mapping[str, float]]
    signals: Sequence[Signals]
    verdict: Verdict | None
    evaluation: Evaluation | None
    quality: Sequence[Mapping[str, Any]]

    @property
    def step(self) -> int:
        """The last saved step."""
        return int(self.saved.get("step", 0))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of its verdict, most severe first; those before step 1 are not among them."""
        return self.verdict.findings if self.verdict else ()

    @property
    def before(self) -> list[Finding]:
        """The findings on data and recipe, made before step 1."""
        return fitting(list[Finding], self.saved.get("before", [])) or []

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
    return RunRecord(
        folder,
        name,
        saved,
        list_run(folder).status,
        _recipe(folder),
        read_log(folder.log),
        [signals for line in read_lines(folder.path / "signals.jsonl") if (signals := fitting(Signals, line))],
        kept_verdict(folder),
        _evaluation(folder, lines, int(saved.get("step", 0))),
        [line for line in lines if METRIC in line.get("quality", {})],
    )


def _recipe(folder: RunFolder) -> Recipe | None:
    try:
        return saved_recipe(folder)
    except UserError:
        return None


def _evaluation(folder: RunFolder, lines: Sequence[Mapping[str, Any]], step: int) -> Evaluation | None:
    """Return the latest evaluation of the last step; one that this version cannot read counts as none."""
    kept = [line["evaluation"] for line in lines if "evaluation" in line and line["step"] == step]
    try:
        return parse_evaluation(kept[-1], str(folder.metrics)) if kept else None
    except UserError:
        return None
