"""One method with several seeds: one run after the other, or side by side."""

import os
from pathlib import Path
from typing import Any

from ganforge.ambient import plain_state
from ganforge.arguments import as_path, as_whole
from ganforge.errors import Interrupted, UserError
from ganforge.experiment.api import continue_run, steps_left
from ganforge.experiment.preflight import RUNS, TrainingPlan, prepare
from ganforge.experiment.run import Run, complete_run
from ganforge.experiment.verdict import Verdict
from ganforge.files import user_path
from ganforge.recipes.recipe import Recipe
from ganforge.runs.folder import RunFolder, claim_folder, refuse_strangers
from ganforge.training.parallelism import runs_at_once, threads_each
from ganforge.worker_pool import Job, side_by_side


@plain_state()
def train_seeds(
    recipe: str | os.PathLike[str] | Recipe = "default",
    seeds: int = 3,
    *,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    at_once: int | None = None,
    **wishes: Any,
) -> list[Run]:
    """Train a method ``seeds`` times, with ``seed``, ``seed`` + 1, ..., all in one folder.

    Args:
        recipe: as `train`.
        seeds: how many.
        seed: the first one.
        out: the folder, in which each run is ``seed-0``, ``seed-1``, ...; ``runs/<recipe>-<data>-<k>`` unless given.
            In a folder that was begun before, what is finished is left alone and what was interrupted goes on.
        at_once: how many to play side by side, in processes that share the cores; 1: one after the other, each with
            all cores. Unless given, what is faster here is found out (`runs_at_once`). With ``minutes``, and with data
            from Python, each run has the machine for itself.
        wishes: all else that `train` takes.

    Raises:
        UserError: as `train`.
        RunFailed: as `train`; the runs before are complete, those beside are saved.
        Interrupted: as `train`; the same call goes on.
    """
    seed, seeds = as_whole("--seed", seed), as_whole("--seeds", seeds)
    at_once = None if at_once is None else as_whole("--at-once", at_once)
    place = None if out is None else user_path(as_path("--out", out))
    for flag, value in (("seeds", seeds), ("at-once", at_once)):
        if value is not None and value < 1:
            raise UserError(f"--{flag} {value}: must be 1 or more")
    order = prepare(recipe, **wishes)
    why_alone = "--minutes" if "minutes" in order.length else "data from Python" if not order.data["source"] else ""
    if why_alone and (at_once or 1) > 1:
        raise UserError(f"--at-once {at_once}: runs cannot share the machine with {why_alone}")
    if place is not None:
        if RunFolder(place).exists:
            raise UserError(f"{place} is one run, and --seeds makes a folder of several: choose another --out")
        if not any(place.glob("seed-*/run.json")):
            refuse_strangers(place, lambda name: name.startswith("seed-"))
    else:
        order.check_start()
        place = claim_folder(RUNS, f"{order.recipe.name}-{order.splits.train.name}").path
    folders = {each: RunFolder(place / f"seed-{each}") for each in range(seed, seed + seeds)}
    with RunFolder(place).locked():
        left = [each for each, folder in folders.items() if not order.is_complete(folder)]
        if at_once is None:
            at_once = 1 if why_alone else _faster(order, len(left))
        try:
            if at_once > 1 and len(left) > 1:
                return _side_by_side(order, folders, left, min(at_once, len(left)))
            return _one_by_one(order, folders)
        except Interrupted:
            raise Interrupted(f"stopped, everything is saved; the same command with --out {place} goes on") from None


def _faster(order: TrainingPlan, runs: int) -> int:
    """Return how many runs to play at once so that all are done soonest."""
    train = order.splits.train
    assert order.steps is not None
    return runs_at_once(order.recipe, train.shape, len(train.class_names), runs, order.steps)


def _one_by_one(order: TrainingPlan, folders: dict[int, RunFolder]) -> list[Run]:
    runs = []
    for count, (each, folder) in enumerate(folders.items(), 1):
        order.watcher.say(f"seed {each} ({count} of {len(folders)})")
        runs.append(continue_run(order, folder) if folder.exists else order.start(each, folder))
    return runs


def _side_by_side(order: TrainingPlan, folders: dict[int, RunFolder], left: list[int], at_once: int) -> list[Run]:
    """Lay every run out as far as its first step, and let processes resume them."""
    watcher, threads = order.watcher, threads_each(at_once)
    for each in left:
        if not folders[each].exists:
            order.write_initial_checkpoint(each, folders[each], threads)
    jobs = [_job(order, each, folders[each]) for each in left]
    watcher.say(
        f"{len(left)} seeds, {at_once} at a time in processes of their own, threads for each: {threads}"
        " (--at-once 1: one after the other)"
    )
    try:
        results = side_by_side(jobs, at_once, threads, watcher.hear)
    finally:
        watcher.end()
    told = dict(zip(left, results, strict=True))
    return [_told(told[each]) if each in told else complete_run(folder) for each, folder in folders.items()]


def _job(order: TrainingPlan, seed: int, folder: RunFolder) -> Job:
    steps = steps_left(order, folder)
    return Job(f"seed {seed}", ("resume", str(folder.path), "--json", *(("--steps", str(steps)) if steps else ())))


def _told(result: dict[str, Any]) -> Run:
    """Return the run that ``ganforge resume --json`` told of."""
    verdict = Verdict.from_dict(result["verdict"] or {})
    return Run(Path(result["run"]), result["step"], result["epoch"], result["seconds"], verdict)
