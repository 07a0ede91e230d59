"""The diagnosis of a run folder: the public function `diagnose`, behind the command of the same name."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ganforge.diagnosis import diagnose as checks
from ganforge.diagnosis.figures import figures
from ganforge.diagnosis.finding import Finding
from ganforge.diagnosis.lines import lines_of
from ganforge.diagnosis.remedies import prescribe
from ganforge.errors import UserError
from ganforge.experiment.case import case_of
from ganforge.process_state import plain_state
from ganforge.python_arguments import as_path
from ganforge.runs.folder import RunFolder


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a run, why, and what may cure it.

    Attributes:
        run: the run's folder.
        recipe, data: their names.
        step: the step that was examined.
        epoch: the same in epochs.
        status: status of the run: "finished", "running", "interrupted" or "diverged".
        findings: most serious first, causes before consequences, each with its remedies.
        followed: share of pictures that show the class asked for, relative to real ones read as their label; None
            without labels.
    """

    run: Path
    recipe: str
    data: str
    step: int
    epoch: float
    status: str
    findings: tuple[Finding, ...]
    followed: float | None = None

    @property
    def words(self) -> str:
        """The diagnosis as text, one line for each statement."""
        head = f"{self.run}: {self.recipe} on {self.data}, {self.status} at step {self.step:,} (epoch {self.epoch:.1f})"
        return "\n".join([head, *(line for finding in self.findings for line in lines_of(finding))])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "run": str(self.run)}


@plain_state()
def diagnose(run: str | os.PathLike[str]) -> Diagnosis:
    """Say what is wrong with a run, why, and what may cure it; nothing is trained and nothing is written.

    Args:
        run: the run's folder, or the `Run`.

    Raises:
        UserError: the folder is not a run, or nothing was measured in it yet.
    """
    folder = run_folder(as_path("diagnose", run))
    saved = folder.read_run()
    case = case_of(folder)
    if not case.log and not case.signals and case.measured is None:
        raise UserError(f"{folder.path}: nothing was measured yet; 'ganforge resume {folder.path}' trains the run")
    step = max(int(saved.get("step", 0)), int(case.log[-1]["step"]) if case.log else 0)
    return Diagnosis(
        run=folder.path,
        recipe=saved["recipe"],
        data=saved["data"]["name"],
        step=step,
        epoch=step / saved["steps_per_epoch"],
        status=_status(folder, saved),
        findings=tuple(prescribe(checks.diagnose(case), case.facts, step)),
        followed=figures(case).followed,
    )


def _status(folder: RunFolder, saved: dict[str, Any]) -> str:
    """Return the status of a run: one that no process trains any more is not running."""
    status = str(saved.get("status", "running"))
    return "interrupted" if status == "running" and not folder.has_trainer() else status


def run_folder(path: Path) -> RunFolder:
    """Return the folder of a single run.

    Raises:
        UserError: the path is a generator file or a folder of several runs.
    """
    if path.is_file():
        of_run = f", {path.parent}" if RunFolder(path.parent).exists else ""
        raise UserError(f"{path} is a file: name the folder of its run{of_run}")
    folder = RunFolder(path)
    if not folder.exists and (seeds := sorted(path.glob("*/run.json"))):
        raise UserError(f"{path} holds {len(seeds)} runs: name one of them, such as {seeds[0].parent}")
    return folder
