"""The verbs that train: what ``ganforge train`` and ``ganforge resume`` do, as functions."""

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
from ganforge.experiment.verdict import kept_verdict
from ganforge.recipes.recipe import Recipe
from ganforge.runs.checkpoint import Damaged, newest_checkpoint
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
    """Train a GAN, leave a run folder behind, and say whether it worked.

    Args:
        recipe: a built-in name, the path of a TOML file, or a Recipe; ``default`` is chosen by the data.
        data: a name, a path (also of a folder or zip of pictures), an array or tensor of images, (images, labels), or a
            torch Dataset.
        out: the run's folder, ``runs/<recipe>-<data>-<k>`` unless given.
        steps: train so many steps; or ``epochs``, or ``minutes``; the recipe's epochs unless one is given.
        epochs: see ``steps``.
        minutes: see ``steps``.
        seed: all chance in this run follows from it.
        changes: ``field=value`` changes to the recipe.
        device: "auto", "cpu", "cuda" or "mps".
        evaluate_every: measure on the validation split every so many steps, keep the best generator, draw the curve.
        start_from: a run (its folder, or a `Run`) whose weights to start with, instead of drawn ones; its networks,
            image shape and classes must be the same.
        resize: for pictures in a folder or zip: 32 scales and crops them to 32×32, "32-pad" scales and pads them.
        skip_bad: leave out pictures that cannot be read.
        levels: the pixel levels that are black and white, where their range does not tell: (0, 4095).
        colour: keep three channels where all pictures are grey.
        watcher: is told what happens.

    Raises:
        UserError: the input cannot be used; nothing was written.
        RunFailed: the run diverged or the disk is full; what was saved is safe.
        Interrupted: SIGINT, SIGTERM or SIGHUP came; the state was saved first.
    """
    seed = as_whole("--seed", seed)
    folder = RunFolder(as_path("--out", out)) if out is not None else None
    order = prepare(
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
    return order.start(seed, folder)


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
    """Go on where a run stopped, or beyond its end: the weights are those of a run that never stopped.

    Args:
        run: the run's folder, or the `Run`.
        steps: go on up to this step, counted from the run's start; or ``epochs`` likewise; or ``minutes`` longer.
        epochs: see ``steps``.
        minutes: see ``steps``.
        data: the same data again, where they came from Python, or the path to which they were moved since.
        watcher: is told what happens.

    Raises:
        UserError: no run, its data changed or are gone, nothing left to do.
        RunFailed: as ``train``.
        Interrupted: as ``train``.
    """
    watcher = watcher or ProgressListener()
    given = read_length(steps, epochs, minutes)
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
            raise UserError(f"{source} is not what {folder.path} was trained on: its images or labels have changed")
        if isinstance(data, str | Path):
            folder.update_run(data=saved["data"] | {"source": source_of(data, saved["data"]["name"])})
        experiment = Experiment(recipe, splits, folder, saved["seed"])
        _warn_of_changes(saved, watcher)
        state = experiment.new_state(watcher)
        _load_newest(experiment, state, watcher)
        length = given_length(experiment, **given)
        done = float(saved.get("seconds", 0.0))
        if not given:
            length = StopCondition(saved.get("target_step"), saved.get("target_seconds") or math.inf)
            length = StopCondition(length.step, length.seconds - done)
        finished = state.step >= (length.step or math.inf) or length.seconds <= 0
        if finished and not given and not (saved.get("judged") and kept_verdict(folder)):
            judged = judge_run_and_finish(experiment, state, done, watcher)
            if judged.verdict:
                return judged
        if finished:
            at = f"step {state.step} (epoch {state.step / experiment.steps_per_epoch:g})"
            raise UserError(f"{folder.path} is already at {at}: give --epochs, --steps beyond that, or --minutes")
        folder.create()  # who copies a run may leave its pictures behind
        if state.step:
            watcher.say(f"going on at step {state.step}")
        for file in (folder.log, folder.metrics):
            if file.exists():
                cut_back(file, state.step)
        return run_training(experiment, state, length, done, watcher)


def continue_run(order: TrainingPlan, folder: RunFolder) -> Run:
    """Go on with a run of this order that was begun before; leave it alone if it is complete."""
    if not order.is_complete(folder):
        return resume(folder.path, steps=steps_left(order, folder), data=order.splits, watcher=order.watcher)
    order.watcher.say(f"{folder.path} is complete")
    return complete_run(folder)


def steps_left(order: TrainingPlan, folder: RunFolder) -> int | None:
    """Return the step up to which to resume a run of this order; None where it is there and wants its verdict only."""
    return order.steps if folder.read_run().get("step", 0) != order.steps else None


def _load_newest(experiment: Experiment, state: State, watcher: ProgressListener) -> None:
    """Load the newest whole checkpoint."""
    folder = experiment.folder
    try:
        tensors, note, complaints = newest_checkpoint(folder.checkpoints)
        state.load(tensors, note["step"], note["images_seen"])
    except Damaged as damage:
        raise UserError(f"{folder.path} cannot go on: {damage}; no whole checkpoint is left") from None
    except ValueError as error:
        raise UserError(f"{folder.path} cannot go on: {error}") from None
    except KeyError as missing:
        raise UserError(f"{folder.path} cannot go on: its checkpoint says nothing of {missing}") from None
    for complaint in complaints:
        watcher.say(f"{complaint}; going back to the one before, of step {note['step']}")


def _warn_of_changes(saved: dict[str, Any], watcher: ProgressListener) -> None:
    now = {**versions(), "threads": torch.get_num_threads()}
    before = {**saved.get("versions", {}), "threads": saved.get("threads")}
    changed = [
        f"{name} {before.get(name, '?')} -> {now[name]}"
        for name in ("torch", "threads")
        if before.get(name) != now[name]
    ]
    if changed:
        watcher.say(f"note: {', '.join(changed)}: the result may differ in the last bits from an unbroken run")
