"""The public functions `train` and `resume`, behind the commands of the same names."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ganforge.ambient import plain_state
from ganforge.arguments import as_path, as_whole
from ganforge.data.reading_rules import ReadingRules
from ganforge.errors import UserError
from ganforge.experiment.experiment import Experiment, ProgressListener, StopCondition
from ganforge.experiment.preflight import (
    TrainingPlan,
    choose_device,
    given_length,
    load,
    prepare,
    read_length,
    saved_recipe,
    source_of,
    versions,
)
from ganforge.experiment.run import Run, complete_run, judge_run_and_finish, run_training
from ganforge.experiment.trainer import load_state
from ganforge.experiment.verdict import kept_verdict
from ganforge.recipes.recipe import Recipe
from ganforge.runs.checkpoint import Damaged
from ganforge.runs.folder import RunFolder
from ganforge.runs.log import cut_back
from ganforge.training.state import State


@plain_state()
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
        data: a name, a path (also of a folder or zip of pictures), an array or tensor of images, (images, labels), or a
            torch Dataset.
        out: the run's folder, ``runs/<recipe>-<data>-<k>`` unless given.
        steps: number of steps; or give ``epochs``, or ``minutes``. The recipe's epochs unless one of them is given.
        epochs: see ``steps``.
        minutes: see ``steps``.
        seed: the seed of all randomness in this run.
        changes: ``field=value`` changes to the recipe.
        device: "auto", "cpu", "cuda" or "mps".
        evaluate_every: steps between measurements on the validation split, which also select the best generator and
            make the curve.
        start_from: a run (its folder, or a `Run`) whose weights replace the random initial weights; its networks,
            image shape and classes must be the same.
        resize: for pictures in a folder or zip: 32 scales and crops them to 32×32, "32-pad" scales and pads them.
        skip_bad: leave out pictures that cannot be read.
        levels: the pixel levels of black and white, where they cannot be detected: (0, 4095).
        colour: keep three channels even if all pictures are grey.
        watcher: receives progress and messages.

    Raises:
        UserError: the input cannot be used; nothing was written.
        RunFailed: the run diverged or the disk is full; everything saved so far is safe.
        Interrupted: SIGINT, SIGTERM or SIGHUP arrived; the state was saved first.
    """
    seed = as_whole("--seed", seed)
    folder = RunFolder(as_path("--out", out)) if out is not None else None
    plan = prepare(
        recipe,
        data=data,
        steps=steps,
        epochs=epochs,
        minutes=minutes,
        changes=changes,
        device=device,
        evaluate_every=evaluate_every,
        start_from=start_from,
        resize=resize,
        skip_bad=skip_bad,
        levels=levels,
        colour=colour,
        watcher=watcher,
    )
    return plan.start(seed, folder)


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
        steps: the last step, counted from the run's start; or give ``epochs`` likewise, or further ``minutes``.
        epochs: see ``steps``.
        minutes: see ``steps``.
        data: the same data again if they came from Python, or their new path if they were moved.
        watcher: receives progress and messages.

    Raises:
        UserError: the folder is not a run, its data changed or are gone, or the run is complete.
        RunFailed: as in `train`.
        Interrupted: as in `train`.
    """
    watcher = watcher or ProgressListener()
    requested_length = read_length(steps, epochs, minutes)
    folder = RunFolder(as_path("resume", run))
    data = Path(data) if isinstance(data, os.PathLike) else data
    saved = folder.read_run()
    with folder.locked():
        saved = folder.read_run()
        recipe = saved_recipe(folder)
        choose_device(recipe.device, recipe)
        source = data if data is not None else saved["data"]["source"]
        if source is None:
            raise UserError(f"{folder.path} was trained on data from Python: call ganforge.resume(run, data=...)")
        splits = load(source, recipe, ReadingRules.of_run(saved["data"]), watcher).called(saved["data"]["name"])
        if splits.fingerprint != saved["fingerprint"]:
            raise UserError(
                f"{source} is not the data of {folder.path}: its images or labels have changed; give these data"
            )
        if isinstance(data, str | Path):
            folder.update_run(data=saved["data"] | {"source": source_of(data, saved["data"]["name"])})
        experiment = Experiment(recipe, splits, folder, saved["seed"])
        _warn_of_changes(saved, watcher)
        state = experiment.new_state(watcher)
        _load_newest(experiment, state, watcher)
        length = given_length(experiment, **requested_length)
        seconds_trained = float(saved.get("seconds", 0.0))
        if not requested_length:
            length = StopCondition(saved.get("target_step"), saved.get("target_seconds") or math.inf)
            length = StopCondition(length.step, length.seconds - seconds_trained)
        finished = state.step >= (length.step or math.inf) or length.seconds <= 0
        if finished and not requested_length and not (saved.get("judged") and kept_verdict(folder)):
            judged = judge_run_and_finish(experiment, state, seconds_trained, watcher)
            if judged.verdict:
                return judged
        if finished:
            place = f"step {state.step} (epoch {state.step / experiment.steps_per_epoch:g})"
            raise UserError(f"{folder.path} is already at {place}: give more --epochs or --steps, or --minutes")
        folder.create()  # a copy of a run may lack its sample folder
        if state.step:
            watcher.say(f"resuming at step {state.step}")
        for file in (folder.log, folder.metrics):
            if file.exists():
                cut_back(file, state.step)
        return run_training(experiment, state, length, seconds_trained, watcher)


def continue_run(plan: TrainingPlan, folder: RunFolder) -> Run:
    """Resume an existing run of this plan; a complete run is left alone."""
    if not plan.is_complete(folder):
        return resume(folder.path, steps=steps_left(plan, folder), data=plan.splits, watcher=plan.watcher)
    plan.watcher.say(f"{folder.path} is complete")
    return complete_run(folder)


def steps_left(plan: TrainingPlan, folder: RunFolder) -> int | None:
    """Return the last step for the resumption of a run of this plan; None if only its verdict is missing."""
    return plan.steps if folder.read_run().get("step", 0) != plan.steps else None


def _load_newest(experiment: Experiment, state: State, watcher: ProgressListener) -> None:
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
