"""The treatment of a run: its best remedies are tried beside an untreated control, in run folders of their own.

Each remedy becomes the run ``RUN-treated-K``; ``RUN-control`` is RUN without a remedy. All begin where RUN stands, with
its weights, the moments of its optimisers and its step count, so that the control equals RUN trained on, byte for byte.
A remedy that the weights cannot follow begins at step 0. All make the same number of further steps, and RUN is only
read. Every folder is an ordinary run: ``ganforge resume RUN-treated-2`` goes on with it.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch

from ganforge.data.images import Splits
from ganforge.data.reading_rules import ReadingRules
from ganforge.diagnosis.finding import Finding, Remedy
from ganforge.diagnosis.remedies import LONGER, changed_recipe
from ganforge.errors import Interrupted, RunFailed, UserError
from ganforge.experiment.api import resume, saved_experiment
from ganforge.experiment.before import look_before_training
from ganforge.experiment.diagnosis import Diagnosis, diagnose, run_folder
from ganforge.experiment.examiner import Examiner
from ganforge.experiment.experiment import Experiment, ProgressListener, check_recipe_fits_data
from ganforge.experiment.hooks import save_run
from ganforge.experiment.length import Length
from ganforge.experiment.options import TrainOptions
from ganforge.experiment.preflight import TrainingPlan
from ganforge.experiment.saved_recipe import saved_recipe
from ganforge.experiment.treatment_figures import compare_runs
from ganforge.experiment.treatment_outcome import Arm, Treatment, judge_treatment
from ganforge.experiment.warm_start import continue_state
from ganforge.process_state import plain_state
from ganforge.python_arguments import as_path
from ganforge.recipes.recipe import Recipe
from ganforge.runs.folder import RunFolder
from ganforge.training.tuning.step_timer import fastest_steps, timed_step

MOST_REMEDIES = 3
USUAL_MINUTES = 2.0
FORETOLD = ("recipe", "few-data", "data-range", "data-polarity", "data-duplicates", "data-classes")
"""Findings from before the first step."""
OVERHEAD = 1.15
"""Time of a training over that of its steps alone: log, frames, examinations and checkpoints."""


@dataclass(frozen=True)
class Plan:
    """What a treatment tries.

    Attributes:
        original: the experiment of the run.
        step: the step that the run has reached.
        treated: name of the finding that shall be gone.
        recipes: a recipe for each remedy, and that of the run for the control, which has no remedy.
        steps: further steps of each.
        minutes: the time that the user gave, from which the steps follow; None: the user gave the steps.
    """

    original: Experiment
    step: int
    treated: str
    recipes: tuple[tuple[Remedy | None, Recipe], ...]
    steps: int
    minutes: float | None

    def note(self, remedy: Remedy | None) -> dict[str, Any]:
        """Return the entry ``treatment`` of ``run.json``: equal entries are the same trial."""
        return {
            "of": self.original.folder.path.name,
            "step": self.step,
            "steps": self.steps,
            "minutes": self.minutes,
            "remedy": remedy.name if remedy else "",
            "anew": bool(remedy and remedy.anew),
        }


@plain_state()
def treat(
    run: str | os.PathLike[str],
    *,
    minutes: float | None = None,
    steps: int | None = None,
    data: Any = None,
    diagnosis: Diagnosis | None = None,
    watcher: ProgressListener | None = None,
) -> Treatment | None:
    """Try the best three remedies of a run beside an untreated control; None if there is nothing to try.

    Args:
        run: the run's folder, or the `Run`; it is only read.
        minutes: training time of all trials together, from which their steps follow by a measurement of their speed.
        steps: the same number of steps for each trial, in place of ``minutes``.
        data: the same data again if they came from Python.
        diagnosis: of the run, where it is known already.
        watcher: receives progress and messages.

    Raises:
        UserError: the run cannot be diagnosed, is being trained, or its data are gone.
        Interrupted: everything so far is saved; the same call goes on.
    """
    watcher = watcher or ProgressListener()
    length = Length.chosen(steps=steps, minutes=minutes)
    folder = run_folder(as_path("treat", run))
    diagnosis = diagnosis or diagnose(folder.path)
    if folder.has_trainer():
        raise UserError(f"{folder.path} is being trained: wait for it, or stop it first")
    original = saved_experiment(folder, folder.read_run(), data, watcher)
    if (treated := _treated(diagnosis)) is None:
        watcher.say("no treatment: no remedy of these findings is a change of the recipe that a training could try")
        return None
    plan = _plan(original, diagnosis, treated, length, watcher)
    arms = [_train_arm(plan, number, watcher) for number in range(len(plan.recipes))]
    folders = [folder, *(arm.folder for arm in arms)]
    comparison = compare_runs(original, Examiner(original).reader, folders, treated.name, watcher)
    return judge_treatment(arms, treated.name, plan.steps, comparison)


def _treated(diagnosis: Diagnosis) -> Finding | None:
    """Return the most serious finding with a remedy that a training can try, the first one among equals.

    A finding that foretells an illness from data and recipe alone is treated only if there is no other: a change of the
    recipe makes it go away, whether or not the pictures become better.
    """
    ill = [f for f in diagnosis.findings if f.severity and any(map(_can_try, f.remedies))]
    return max(ill, key=lambda finding: (finding.name not in FORETOLD, finding.severity), default=None)


def _can_try(remedy: Remedy) -> bool:
    """Whether a training can try a remedy: a change of the recipe, or training on, which the control does."""
    return bool(remedy.changes or remedy.recipe or remedy.name == LONGER)


def _best(diagnosis: Diagnosis, treated: Finding, original: Experiment) -> list[tuple[Remedy, Recipe]]:
    """Return the best remedies of the treated finding, then of the others, with the recipes that they lead to."""
    chosen: list[tuple[Remedy, Recipe]] = []
    others = [finding for finding in diagnosis.findings if finding.severity and finding is not treated]
    for remedy in (remedy for finding in (treated, *others) for remedy in finding.remedies):
        if not (remedy.changes or remedy.recipe) or len(chosen) == MOST_REMEDIES:
            continue
        recipe = changed_recipe(original.recipe, remedy)
        with suppress(UserError):
            check_recipe_fits_data(recipe, original.splits)
            if not any(recipe.trains_like(other) for _, other in chosen):
                chosen.append((remedy, recipe))
    return chosen


def _plan(
    original: Experiment,
    diagnosis: Diagnosis,
    treated: Finding,
    length: Length,
    watcher: ProgressListener,
) -> Plan:
    """Return the plan of a treatment: an interrupted one of the same run and time keeps its number of steps."""
    remedies = _best(diagnosis, treated, original)
    recipes = (*remedies, (None, original.recipe))
    minutes = None if length.steps else length.minutes or USUAL_MINUTES
    steps = length.steps or _steps_begun(original.folder, diagnosis.step, minutes)
    if not steps:
        watcher.say("measuring the speed of the trials ...")
        steps = _steps_in(minutes or USUAL_MINUTES, [recipe for _, recipe in recipes], original.splits)
    what = f"{len(remedies)} remedies and an untreated control" if remedies else "training on, without a remedy"
    watcher.say(f"treatment of {treated.name}: {what}, {steps:,} further steps each")
    return Plan(original, diagnosis.step, treated.name, recipes, steps, minutes)


def _steps_in(minutes: float, recipes: Sequence[Recipe], splits: Splits) -> int:
    """Return the number of steps that all recipes can make in this time, one after another."""
    train = splits.train
    timers = {str(k): timed_step(recipe, train.shape, len(train.class_names)) for k, recipe in enumerate(recipes)}
    return max(1, round(minutes * 60 / (OVERHEAD * sum(fastest_steps(timers).values()))))


def _steps_begun(folder: RunFolder, step: int, minutes: float | None) -> int:
    """Return the steps of a treatment of this run that was begun with the same time; 0 if there is none."""
    notes = [_note_of(other) for other in _relatives(folder)]
    same = {"of": folder.path.name, "step": step, "minutes": minutes}
    return next((note["steps"] for note in notes if same.items() <= note.items()), 0)


def _train_arm(plan: Plan, number: int, watcher: ProgressListener) -> Arm:
    """Train one trial to its end, or take it as it is if it is complete; a divergence ends it.

    Raises:
        Interrupted: the trial is saved.
    """
    remedy, recipe = plan.recipes[number]
    folder = _begun(plan, remedy, recipe) or _begin(plan, remedy, recipe, watcher)
    saved = folder.read_run()
    what = remedy.text if remedy else "untreated control"
    watcher.say(f"trial {number + 1} of {len(plan.recipes)}: {what} -> {folder.path}")
    if saved["status"] != "diverged" and not (saved["status"] == "finished" and _is_judged(saved)):
        try:
            resume(folder.path, data=plan.original.splits, watcher=watcher)
        except RunFailed as failure:
            if folder.read_run()["status"] != "diverged":  # the disk is full
                raise
            watcher.say(str(failure))
        except Interrupted as stop:
            raise Interrupted(f"{stop}; the same command goes on with the treatment") from None
    return Arm(folder, remedy)


def _is_judged(saved: dict[str, Any]) -> bool:
    return bool(saved.get("judged") or saved.get("no_judge"))


def _begun(plan: Plan, remedy: Remedy | None, recipe: Recipe) -> RunFolder | None:
    """Return the folder of the same trial, if it was begun before."""
    for other in _relatives(plan.original.folder):
        if _note_of(other) == plan.note(remedy) and saved_recipe(other).trains_like(recipe):
            return other
    return None


def _begin(plan: Plan, remedy: Remedy | None, recipe: Recipe, watcher: ProgressListener) -> RunFolder:
    """Write a trial at its first step, into the next free folder."""
    original = plan.original
    experiment = Experiment(recipe, original.splits, _free_folder(original.folder, bool(remedy)), original.seed)
    state = experiment.new_state(watcher)
    if not (remedy and remedy.anew):
        continue_state(state, original.folder)
    saved = original.folder.read_run()
    options = TrainOptions(
        recipe=recipe,
        data=saved["data"]["source"],
        rules=ReadingRules.of_run(saved["data"]),
        length=Length(steps=state.step + plan.steps),
        seed=original.seed,
    )
    before = look_before_training(options.data, recipe, original.splits, ProgressListener())
    training = TrainingPlan(options, recipe, original.splits, before)
    note = {"step": state.step, "treatment": plan.note(remedy)}
    training.write_checkpoint(experiment, state, torch.get_num_threads(), **note)
    if state.step:
        save_run(experiment, state, 0.0)  # a trial that diverges at once has a generator, too
        for frame in original.folder.samples.glob("evolution-*.png"):
            shutil.copy2(frame, experiment.folder.samples)
    return experiment.folder


def _free_folder(folder: RunFolder, treated: bool) -> RunFolder:
    """Return the first free folder of RUN-treated-1, -2, ... or of RUN-control, RUN-control-2, ..."""
    path = _named(folder)
    names = (
        f"{path.name}-treated-{k}" if treated else f"{path.name}-control{f'-{k}' if k > 1 else ''}" for k in count(1)
    )
    return RunFolder(next(other for name in names if not (other := path.with_name(name)).exists()))


def _relatives(folder: RunFolder) -> list[RunFolder]:
    """Return the runs beside a run that hold a treatment of it, by name."""
    path = _named(folder)
    runs = [RunFolder(file.parent) for file in sorted(path.parent.glob("*/run.json"))]
    return [run for run in runs if run.path.name.startswith((f"{path.name}-treated-", f"{path.name}-control"))]


def _note_of(folder: RunFolder) -> dict[str, Any]:
    """Return the entry ``treatment`` of a run; empty for a run that is no trial, or is damaged."""
    with suppress(UserError):
        return dict(folder.read_run().get("treatment", {}))
    return {}


def _named(folder: RunFolder) -> Path:
    """Return the path of a run with a name: that of ``.`` is the name of the current folder."""
    return folder.path if folder.path.name not in ("", "..") else folder.path.resolve()
