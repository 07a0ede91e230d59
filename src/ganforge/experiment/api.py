"""The public functions `train` and `resume`, behind the commands of the same names."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ganforge.data.reading_rules import ReadingRules
from ganforge.errors import UserError
from ganforge.experiment.experiment import Experiment, ProgressListener
from ganforge.experiment.length import Length, StopCondition
from ganforge.experiment.options import TrainOptions
from ganforge.experiment.preflight import (
    TrainingPlan,
    choose_device,
    load,
    prepare,
    source_of,
    versions,
)
from ganforge.experiment.run import Run, complete_run, judge_run_and_finish, run_training
from ganforge.experiment.saved_recipe import saved_recipe
from ganforge.experiment.trainer import load_state
from ganforge.experiment.verdict import kept_verdict
from ganforge.process_state import plain_state
from ganforge.python_arguments import as_path
from ganforge.recipes.recipe import Recipe
from ganforge.runs.checkpoint import Damaged
from ganforge.runs.folder import RunFolder
from ganforge.runs.log import cut_back
from ganforge.training.state import State


def train(
    recipe: str | os.PathLike[str] | Recipe = "default",
    *,
    data: Any = "auto",
    out: str | os.PathLike[str] | None = None,
    steps: int | None = None,
    epochs: float | None = None,
    minutes: float | None = None,
    seed: int = 0,
    changes: Sequence[str] = (),
    device: str = "auto",
    evaluate_every: int | None = None,
    start_from: str | os.PathLike[str] | None = None,
    resize: str | int | None = None,
    skip_bad: bool = False,
    levels: tuple[float, float] | None = None,
    colour: bool = False,
    watcher: ProgressListener | None = None,
) -> Run:
    """Train a GAN into a run folder, and judge the result.

    Args:
        recipe: a built-in name, the path of a TOML file, or a Recipe; ``default`` depends on the data.
        data: a name, a path, an array or tensor of images, (images, labels), or a torch Dataset.
        out: the run's folder, ``runs/<recipe>-<data>-<k>`` unless given.
        steps, epochs, minutes: the length; the recipe's epochs unless one of them is given.
        seed: the seed of all randomness in this run.
        changes: ``field=value`` changes to the recipe.
        device: "auto", "cpu", "cuda" or "mps".
        evaluate_every: steps between measurements on the validation split, which select the best generator.
        start_from: a run whose weights replace the random initial weights; networks, image shape and classes must fit.
        resize: for pictures in a folder or zip: 32 scales and crops them to 32×32, "32-pad" scales and pads them.
        skip_bad, colour: leave out pictures that cannot be read; keep three channels even if all pictures are grey.
        levels: the pixel levels of black and white, where they cannot be detected: (0, 4095).
        watcher: receives progress and messages.

    Raises:
        UserError: the input cannot be used; nothing was written.
        RunFailed: the run diverged or the disk is full; everything saved so far is safe.
        Interrupted: SIGINT, SIGTERM or SIGHUP arrived; the state was saved first.
    """
    arguments = locals()  # all of them, by name
    return start_run(TrainOptions.chosen(**arguments))


@plain_state()
def start_run(options: TrainOptions) -> Run:
    """Train a GAN as `train` does, with options that are checked already."""
    return prepare(options).start(options.seed, None if options.out is None else RunFolder(options.out))


@plain_state()
def resume(
    run: str | os.PathLike[str],
    *,
    steps: int | None = None,
    epochs: float | None = None,
    minutes: float | None = None,
    data: Any = None,
    watcher: ProgressListener | None = None,
) -> Run:
    """Continue a run where it stopped, or beyond its end: the weights equal those of an uninterrupted run.

    Args:
        run: the run's folder, or the `Run`.
        steps, epochs, minutes: the last step or epoch, counted from the run's start, or further minutes.
        data: the same data again if they came from Python, or their new path if they were moved.
        watcher: receives progress and messages.

    Raises:
        UserError: the folder is not a run, its data changed or are gone, or the run is complete.
        RunFailed: as in `train`.
        Interrupted: as in `train`.
    """
    watcher = watcher or ProgressListener()
    length = Length.chosen(steps, epochs, minutes)
    folder = RunFolder(as_path("resume", run))
    folder.read_run()  # only a run is locked
    with folder.locked():
        saved = folder.read_run()
        experiment = saved_experiment(folder, saved, data, watcher)
        _warn_of_changes(saved, watcher)
        state = experiment.new_state(watcher)
        load_newest(experiment, state, watcher)
        seconds = float(saved.get("seconds", 0.0))
        end = length.end(experiment.recipe, len(experiment.splits.train)) if length.is_given else _saved_end(saved)
        if end.is_reached(state.step):
            return _finished_run(experiment, state, seconds, watcher, judge=not length.is_given)
        folder.create()  # a copy of a run may lack its sample folder
        if state.step:
            watcher.say(f"resuming at step {state.step}")
        for file in (folder.log, folder.signals, folder.metrics):
            if file.exists():
                cut_back(file, state.step)
        return run_training(experiment, state, end, seconds, watcher)


def saved_experiment(folder: RunFolder, saved: dict[str, Any], data: Any, watcher: ProgressListener) -> Experiment:
    """Return the experiment of a run, with ``data`` in place of their saved source unless that is None.

    Raises:
        UserError: the data cannot be loaded, or are not those of the run.
    """
    recipe = saved_recipe(folder)
    choose_device(recipe.run.device, recipe)
    data = Path(data) if isinstance(data, os.PathLike) else data
    source = data if data is not None else saved["data"]["source"]
    if source is None:
        raise UserError(f"{folder.path} was trained on data from Python: call ganforge.resume(run, data=...)")
    splits = load(source, recipe.data.images, ReadingRules.of_run(saved["data"]), watcher).called(saved["data"]["name"])
    if splits.fingerprint != saved["fingerprint"]:
        raise UserError(
            f"{source} is not the data of {folder.path}: its images or labels have changed; give these data"
        )
    if isinstance(data, str | Path):
        folder.update_run(data=saved["data"] | {"source": source_of(data, saved["data"]["name"])})
    return Experiment(recipe, splits, folder, saved["seed"])


def _saved_end(saved: dict[str, Any]) -> StopCondition:
    """Return the end of a stopped run, as requested when it started or was last resumed."""
    seconds = saved.get("target_seconds") or math.inf
    return StopCondition(saved.get("target_step"), seconds - float(saved.get("seconds", 0.0)))


def _finished_run(
    experiment: Experiment, state: State, seconds: float, watcher: ProgressListener, *, judge: bool
) -> Run:
    """Return a run that is at its end: with ``judge``, one that still lacks a verdict gets it now.

    Raises:
        UserError: the run is complete, or no judge fits its data.
    """
    folder = experiment.folder
    if judge and not (folder.read_run().get("judged") and kept_verdict(folder)):
        judged = judge_run_and_finish(experiment, state, seconds, watcher)
        if judged.verdict and judged.verdict.measured:
            return judged
    place = f"step {state.step} (epoch {state.step / experiment.steps_per_epoch:g})"
    raise UserError(f"{folder.path} is already at {place}: give more --epochs or --steps, or --minutes")


def continue_run(plan: TrainingPlan, folder: RunFolder) -> Run:
    """Resume an existing run of this plan; a complete run is left alone."""
    if not plan.is_complete(folder):
        return resume(folder.path, steps=steps_left(plan, folder), data=plan.splits, watcher=plan.options.watcher)
    plan.options.watcher.say(f"{folder.path} is complete")
    return complete_run(folder)


def steps_left(plan: TrainingPlan, folder: RunFolder) -> int | None:
    """Return the last step for the resumption of a run of this plan; None if only its verdict is missing."""
    return plan.end.step if folder.read_run().get("step", 0) != plan.end.step else None


def load_newest(experiment: Experiment, state: State, watcher: ProgressListener) -> None:
    """Load the newest undamaged checkpoint."""
    folder = experiment.folder
    try:
        note, messages = load_state(folder.checkpoints, state)
    except Damaged as damage:
        raise UserError(f"{folder.path} cannot be resumed: {damage}; restore a checkpoint, or train again") from None
    except ValueError as error:
        raise UserError(f"{folder.path} cannot be resumed: {error}; restore it, or train again") from None
    except KeyError as missing:
        raise UserError(
            f"{folder.path} cannot be resumed: its checkpoint lacks {missing}; restore it, or train again"
        ) from None
    for message in messages:
        watcher.say(f"{message}; using the previous one, of step {note['step']}")


def _warn_of_changes(saved: dict[str, Any], watcher: ProgressListener) -> None:
    current = {**versions(), "threads": torch.get_num_threads()}
    previous = {**saved.get("versions", {}), "threads": saved.get("threads")}
    changed = [
        f"{name} {previous.get(name, '?')} -> {current[name]}"
        for name in ("torch", "threads")
        if previous.get(name) != current[name]
    ]
    if changed:
        watcher.say(
            f"note: {', '.join(changed)}: the last bits of the result may differ from those of an uninterrupted run"
        )
