"""Make the patients of ``benchmark diagnosis``: a folder each, with a run and a card; finished ones are kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch

from ganforge.benchmarks.common import read_kept
from ganforge.benchmarks.health import Health, judge_of_patients, measure_health
from ganforge.benchmarks.patients import Patient
from ganforge.benchmarks.spoiled_data import data_file
from ganforge.data.images import Splits
from ganforge.data.load import load
from ganforge.errors import RunFailed
from ganforge.experiment.api import resume, train
from ganforge.experiment.experiment import ProgressListener
from ganforge.files import write_atomically
from ganforge.json_text import to_json
from ganforge.runs.folder import RunFolder
from ganforge.training.state import State
from ganforge.training.stats import Stats

CARD, RUN = "patient.json", "run"
HALVES = ("tuning", "held-out")
"""Folders of the patients: thresholds are tuned on the first alone."""


@dataclass(frozen=True)
class Card:
    """What is known of a finished patient without looking at its run.

    Attributes:
        illness, planted, accepted: of its `Illness`.
        data, severity, seed, held_out: as of its `Patient`.
        steps: length of the training.
        onset: the step from which it is ill: 0, because every cause is planted; None where only the end can tell.
        diverged: whether the training ended because a number was no longer finite.
        health: its figures beside real pictures, for a training in which nothing is wrong.
    """

    illness: str
    planted: str
    accepted: list[str]
    data: str
    severity: str
    seed: int
    held_out: bool
    steps: int
    onset: int | None
    diverged: bool
    health: Health | None = None


class _Steps(ProgressListener):
    """Passes on the share of a training that is done; its messages are dropped."""

    def __init__(self, steps: int, on_share: Callable[[float], None]) -> None:
        self._steps, self._on_share = steps, on_share

    def look(self, state: State, stats: Stats) -> None:
        """Report the share of the steps."""
        self._on_share(state.step / self._steps)


def folder_of(root: Path, patient: Patient) -> Path:
    """Return the folder of a patient: those held out from tuning lie apart."""
    return root / HALVES[patient.held_out] / patient.name


def make_patient(root: Path, patient: Patient, on_share: Callable[[float], None], watcher: ProgressListener) -> Card:
    """Train a patient on one thread, or go on with a stopped one, and return its card; a finished one is kept.

    Raises:
        UserError: its data are not on this machine.
        RunFailed: the disk is full.
        Interrupted: a stop signal arrived; the same call resumes.
    """
    file = folder_of(root, patient) / CARD
    if not file.exists():
        with one_thread():
            diverged = _train(root, patient, on_share)
            health = None
            if patient.illness.planted == "healthy" and not diverged:
                health = _health(root, patient, watcher)
        illness, setting = patient.illness, patient.setting
        card = Card(
            illness=illness.name,
            planted=illness.planted,
            accepted=list(illness.accepted),
            data=patient.data,
            severity=patient.severity,
            seed=patient.seed,
            held_out=patient.held_out,
            steps=setting.steps,
            onset=None if illness.at_the_end else 0,
            diverged=diverged,
            health=health,
        )
        write_atomically(file, to_json(asdict(card), indent=2).encode())
    kept: Card = read_kept(file, Card)
    return kept


def _train(root: Path, patient: Patient, on_share: Callable[[float], None]) -> bool:
    """Train the patient's run to its end; return whether it diverged."""
    setting = patient.setting
    run = RunFolder(folder_of(root, patient) / RUN)
    data = data_file(root / "data", patient.data, setting.spoil, setting.strength, patient.seed)
    watcher = _Steps(setting.steps, on_share)
    try:
        if not run.exists:
            train(
                setting.recipe,
                data=data,
                out=run.path,
                steps=setting.steps,
                seed=patient.seed,
                changes=setting.changes,
                device="cpu",
                watcher=watcher,
            )
        elif not _is_complete(run):
            resume(run.path, watcher=watcher)
    except RunFailed:
        if run.exists and run.read_run()["status"] == "diverged":
            return True
        raise
    return False


def _is_complete(run: RunFolder) -> bool:
    """Whether a run has reached its end, and a verdict where one is possible."""
    saved = run.read_run()
    return saved["status"] == "finished" and bool(saved.get("judged") or saved.get("no_judge"))


def _health(root: Path, patient: Patient, watcher: ProgressListener) -> Health:
    splits = _clean_splits(data_file(root / "data", patient.data, "", 0.0, 0))
    judge = judge_of_patients(splits, root / "judges", watcher)
    return measure_health(folder_of(root, patient) / RUN, splits, judge)


@cache
def _clean_splits(source: str | Path) -> Splits:
    return load(source)


@contextmanager
def one_thread() -> Iterator[None]:
    """Work on one thread of torch, so that a patient has the same weights on every machine and shares its cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
