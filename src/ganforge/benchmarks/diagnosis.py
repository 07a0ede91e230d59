"""``benchmark diagnosis``: planted illnesses, healthy runs, and what the diagnosis says of each from its folder.

The command makes the patients that are missing and reports on all in its folder. Started twice at once, both processes
share the patients.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ganforge.benchmarks.common import BenchmarkOptions, count_of
from ganforge.benchmarks.diagnosis_report import DiagnosisReport, outcome_of
from ganforge.benchmarks.patient_runs import CARD, HALVES, folder_of, make_patient
from ganforge.benchmarks.patients import (
    HEALTHY,
    HEALTHY_SEEDS,
    ILLNESSES,
    SEEDS,
    Illness,
    Patient,
    Severity,
    patients,
)
from ganforge.benchmarks.spoiled_data import DATA
from ganforge.benchmarks.task_queue import Task, run_tasks
from ganforge.errors import UserError, suggest_names
from ganforge.experiment.experiment import ProgressListener

QUICK_DATA = ("glyphs",)
BOTH: tuple[Severity, ...] = ("severe", "mild")


def run_diagnosis(options: BenchmarkOptions) -> DiagnosisReport:
    """Make the patients that are missing, and diagnose every finished patient of the folder.

    ``only``: names of illnesses or of planted findings; ``quick``: severe illnesses of the glyphs, one seed.

    Raises:
        UserError: an option does not belong here, no illness or data set has a given name, or data are missing.
        RunFailed: the disk is full.
        Interrupted: a stop signal arrived; the same call resumes.
    """
    for flag, value in (("recipe", options.recipe), ("steps", options.steps)):
        if value is not None:
            raise UserError(f"--{flag} {value}: each patient has its own recipe and length; leave it out")
    folder = options.folder()
    wanted = _wanted(options)
    tasks = [
        Task(patient.name, folder_of(folder, patient) / CARD, partial(_make, folder, patient, options.watcher))
        for patient in wanted
    ]
    run_tasks(tasks, lambda done, total, title: options.watcher.benchmarking(done, total, title, "patients"))
    return report_on(folder, _shortened(options))


def report_on(folder: Path, shortened: str = "") -> DiagnosisReport:
    """Diagnose every finished patient in a folder, and make none."""
    cards = [file for half in HALVES for file in sorted((folder / half).glob(f"*/{CARD}"))]
    return DiagnosisReport(folder, shortened, tuple(outcome_of(file.parent) for file in cards))


def _make(folder: Path, patient: Patient, watcher: ProgressListener, on_share: Callable[[float], None]) -> None:
    make_patient(folder, patient, on_share, watcher)


def _wanted(options: BenchmarkOptions) -> list[Patient]:
    """Return the patients of this call: illnesses first, then healthy runs.

    Raises:
        UserError: no illness, finding or data set has a given name.
    """
    if unknown := [name for name in options.data if name not in DATA]:
        raise UserError(f"--data {unknown[0]}: {suggest_names(unknown[0], DATA)}")
    names = {name for illness in (*ILLNESSES, *HEALTHY) for name in (illness.name, illness.planted)}
    if unknown := [name for name in options.only if name not in names]:
        raise UserError(f"--only {unknown[0]}: {suggest_names(unknown[0], sorted(names))}")
    data = tuple(options.data) or (QUICK_DATA if options.quick else DATA)
    severities = BOTH[:1] if options.quick else BOTH
    sick, well = (_chosen(group, options) for group in (ILLNESSES, HEALTHY))
    seeds = options.seeds or (1 if options.quick else SEEDS)
    healthy_seeds = options.seeds or (1 if options.quick else HEALTHY_SEEDS)
    return [*patients(sick, data, severities, seeds), *patients(well, data, BOTH[:1], healthy_seeds)]


def _chosen(illnesses: tuple[Illness, ...], options: BenchmarkOptions) -> tuple[Illness, ...]:
    if not options.only:
        return illnesses
    return tuple(one for one in illnesses if one.name in options.only or one.planted in options.only)


def _shortened(options: BenchmarkOptions) -> str:
    """Return what makes a call less than the protocol; empty for the protocol."""
    given = [
        *(["--quick: severe illnesses of the glyphs"] if options.quick else []),
        *([count_of(options.seeds, "seed")] if options.seeds else []),
        *([f"only {', '.join(options.only)}"] if options.only else []),
        *([f"data {', '.join(options.data)}"] if options.data else []),
    ]
    return f"no protocol: {'; '.join(given)}" if given else ""
