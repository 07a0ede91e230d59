"""Training a recipe with several seeds, one after another or in parallel."""

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
from ganforge.training.tuning.parallelism import runs_at_once, threads_each
from ganforge.worker_pool import Job, side_by_side


@plain_state()
def train_seeds(
    recipe: str | os.PathLike[str] | Recipe = "default",
    seeds: int = 3,
    *,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    at_once: int | None = None,
    **options: Any,
) -> list[Run]:
    """Train a recipe with ``seeds`` seeds: ``seed``, ``seed`` + 1, ..., all in one folder.

    Args:
        recipe: as in `train`.
        seeds: the number of seeds.
        seed: the first seed.
        out: the folder of the runs ``seed-0``, ``seed-1``, ...; ``runs/<recipe>-<data>-<k>`` unless given. In an
            existing folder, finished runs are left alone and interrupted ones are resumed.
        at_once: the number of runs in parallel, in processes that share the cores; 1: one after another, each with all
            cores. Unless given, the faster way is measured (`runs_at_once`). With ``minutes``, or data from Python,
            runs never share the machine.
        options: the other arguments of `train`.

    Raises:
        UserError: as in `train`.
        RunFailed: as in `train`; earlier runs are complete, parallel ones are saved.
        Interrupted: as in `train`; the same call resumes.
    """
    seed, seeds = as_whole("--seed", seed), as_whole("--seeds", seeds)
    at_once = None if at_once is None else as_whole("--at-once", at_once)
    parent = None if out is None else user_path(as_path("--out", out))
    for flag, value in (("seeds", seeds), ("at-once", at_once)):
        if value is not None and value < 1:
            raise UserError(f"--{flag} {value}: must be 1 or more")
    plan = prepare(recipe, **options)
    obstacle = "--minutes" if "minutes" in plan.length else "data from Python" if not plan.data["source"] else ""
    if obstacle and (at_once or 1) > 1:
        raise UserError(f"--at-once {at_once}: runs with {obstacle} cannot share the machine; take --at-once 1")
    if parent is not None:
        if RunFolder(parent).exists:
            raise UserError(f"{parent} is a single run, and --seeds needs a folder of runs: choose another --out")
        if not any(parent.glob("seed-*/run.json")):
            refuse_strangers(parent, lambda name: name.startswith("seed-"))
    else:
        plan.check_start()
        parent = claim_folder(RUNS, f"{plan.recipe.name}-{plan.splits.train.name}").path
    folders = {number: RunFolder(parent / f"seed-{number}") for number in range(seed, seed + seeds)}
    with RunFolder(parent).locked():
        left = [number for number, folder in folders.items() if not plan.is_complete(folder)]
        if at_once is None:
            at_once = 1 if obstacle else _fastest_parallelism(plan, len(left))
        try:
            if at_once > 1 and len(left) > 1:
                return _side_by_side(plan, folders, left, min(at_once, len(left)))
            return _one_by_one(plan, folders)
        except Interrupted:
            raise Interrupted(f"stopped, everything is saved; the same command with --out {parent} resumes") from None


def _fastest_parallelism(plan: TrainingPlan, runs: int) -> int:
    """Return the number of parallel runs with which all runs finish soonest."""
    train = plan.splits.train
    assert plan.steps is not None
    return runs_at_once(plan.recipe, train.shape, len(train.class_names), runs, plan.steps)


def _one_by_one(plan: TrainingPlan, folders: dict[int, RunFolder]) -> list[Run]:
    runs = []
    for count, (seed, folder) in enumerate(folders.items(), 1):
        plan.watcher.say(f"seed {seed} ({count} of {len(folders)})")
        runs.append(continue_run(plan, folder) if folder.exists else plan.start(seed, folder))
    return runs


def _side_by_side(plan: TrainingPlan, folders: dict[int, RunFolder], left: list[int], at_once: int) -> list[Run]:
    """Write the initial checkpoint of every new run, and resume all runs in worker processes."""
    watcher, threads = plan.watcher, threads_each(at_once)
    for seed in left:
        if not folders[seed].exists:
            plan.write_initial_checkpoint(seed, folders[seed], threads)
    jobs = [_job(plan, seed, folders[seed]) for seed in left]
    watcher.say(
        f"{len(left)} seeds, {at_once} in parallel in separate processes, threads for each: {threads}"
        " (--at-once 1: one after another)"
    )
    try:
        results = side_by_side(jobs, at_once, threads, watcher.on_line)
    finally:
        watcher.end()
    finished = dict(zip(left, results, strict=True))
    return [_run_from(finished[seed]) if seed in finished else complete_run(folder) for seed, folder in folders.items()]


def _job(plan: TrainingPlan, seed: int, folder: RunFolder) -> Job:
    steps = steps_left(plan, folder)
    return Job(f"seed {seed}", ("resume", str(folder.path), "--json", *(("--steps", str(steps)) if steps else ())))


def _run_from(result: dict[str, Any]) -> Run:
    """Return the run that ``ganforge resume --json`` reported."""
    verdict = Verdict.from_dict(result["verdict"] or {})
    return Run(Path(result["run"]), result["step"], result["epoch"], result["seconds"], verdict)
