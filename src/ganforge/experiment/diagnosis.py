"""The diagnosis of a run folder: the public function `diagnose`, behind the command of the same name."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ganforge.diagnosis.case import Facts
from ganforge.diagnosis.finding import Finding
from ganforge.diagnosis.lines import lines_of
from ganforge.diagnosis.remedies import prescribe
from ganforge.errors import UserError
from ganforge.experiment.preflight import saved_recipe
from ganforge.experiment.verdict import kept_verdict
from ganforge.generation.generator import load_generator
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
    """

    run: Path
    recipe: str
    data: str
    step: int
    epoch: float
    status: str
    findings: tuple[Finding, ...]

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
    verdict = kept_verdict(folder)
    if verdict is None:
        raise UserError(f"{folder.path} has no verdict yet: 'ganforge resume {folder.path}' ends the run and judges it")
    findings = prescribe(verdict.findings, facts_of(folder))
    step = int(saved.get("step", 0))
    epoch = step / saved["steps_per_epoch"]
    status = str(saved.get("status", "running"))
    return Diagnosis(folder.path, saved["recipe"], saved["data"]["name"], step, epoch, status, tuple(findings))


def run_folder(path: Path) -> RunFolder:
    """Return the folder of a single run.

    Raises:
        UserError: the path is a generator file or a folder of several runs.
    """
    if path.is_file():
        raise UserError(f"{path} is a file, and a diagnosis needs the folder of its run, {path.parent}, with its log")
    folder = RunFolder(path)
    if not folder.exists and (seeds := sorted(path.glob("*/run.json"))):
        raise UserError(f"{path} holds {len(seeds)} runs: name one of them, such as {seeds[0].parent}")
    return folder


def facts_of(folder: RunFolder) -> Facts:
    """Return what is known of a run without its training."""
    recipe, saved = saved_recipe(folder), folder.read_run()
    note = load_generator(folder.path).note
    steps = int(saved["steps_per_epoch"])
    return Facts(
        recipe=recipe.to_dict(),
        class_names=tuple(note["class_names"]),
        n_train=steps * recipe.batch_size * recipe.game.discriminator_steps,
        shape=tuple(note["shape"]),
        steps_per_epoch=steps,
        status=str(saved.get("status", "running")),
    )
