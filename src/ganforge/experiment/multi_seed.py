"""Training a recipe with several seeds, one after another or in parallel."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ganforge.errors import Interrupted, UserError
from ganforge.experiment.api import continue_run, steps_left
from ganforge.experiment.options import TrainOptions
from ganforge.experiment.preflight import TrainingPlan, prepare
from ganforge.experiment.run import Run, complete_run
from ganforge.experiment.verdict import Verdict
from ganforge.process_state import plain_state
from ganforge.python_arguments import as_whole
from ganforge.recipes.recipe import Recipe
from ganforge.runs.folder import RunFolder, refuse_strangers
from ganforge.training.tuning.parallelism import runs_at_once, threads_each
from ganforge.worker_pool import Job, side_by_side

MOST_SEEDS = 10_000
"""Largest number of seeds in one folder."""


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
    return start_seeds(TrainOptions.chosen(recipe=recipe, seed=seed, out=out, **options), seeds, at_once)


@plain_state()
def start_seeds(options: TrainOptions, seeds: int, at_once: int | None = None) -> list[Run]:
    """Train several seeds as `train_seeds` does, with options that are checked already."""
    if (seeds := _count("--seeds", seeds)) > MOST_SEEDS:
        raise UserError(f"--seeds {seeds}: must be at most {MOST_SEEDS:,}")
    as_whole("--seed", options.seed + seeds - 1)  # the last one
    at_once = None if at_once is None else _count("--at-once", at_once)
    plan = prepare(options)
    if obstacle := _obstacle(plan):
        if (at_once or 1) > 1:
            raise UserError(f"--at-once {at_once}: runs with {obstacle} cannot share the machine; take --at-once 1")
        at_once = 1
    folder = plan.claim_folder() if options.out is None else nullcontext(_given_folder(options.out))
    with folder as parent, parent.locked():
        numbers = range(options.seed, options.seed + seeds)
        folders = {number: RunFolder(parent.path / f"seed-{number}") for number in numbers}
        left = [number for number, folder in folders.items() if not plan.is_complete(folder)]
        at_once = min(at_once or _fastest_parallelism(plan, len(left)), len(left))
        try:
            return _side_by_side(plan, folders, left, at_once) if at_once > 1 else _one_by_one(plan, folders)
        except Interrupted:
            raise Interrupted(
                f"stopped, everything is saved; the same command with --out {parent.path} resumes"
            ) from None


def _count(flag: str, value: Any) -> int:
    if (count := as_whole(flag, value)) < 1:
        raise UserError(f"{flag} {count}: must be 1 or more")
    return count


def _obstacle(plan: TrainingPlan) -> str:
    """Return why the runs of a plan cannot share the machine; nothing if they can."""
    if plan.options.length.minutes is not None:
        return "--minutes"
    return "" if plan.data["source"] else "data from Python"


def _given_folder(path: Path) -> RunFolder:
    """Return the folder that the user names for the runs; it may hold some of them already.

    Raises:
        UserError: it is a run itself, or holds other files.
    """
    parent = RunFolder(path)
    if parent.exists:
        raise UserError(f"{parent.path} is a single run, and --seeds needs a folder of runs: choose another --out")
    if not any(parent.path.glob("seed-*/run.json")):
        refuse_strangers(parent.path, lambda name: name.startswith("seed-"))
    return parent


def _fastest_parallelism(plan: TrainingPlan, runs: int) -> int:
    """Return the number of parallel runs with which all runs finish soonest."""
    train, steps = plan.splits.train, plan.end.step
    assert steps is not None
    return runs_at_once(plan.recipe, train.shape, len(train.class_names), runs, steps)


def _one_by_one(plan: TrainingPlan, folders: dict[int, RunFolder]) -> list[Run]:
    runs = []
    for count, (seed, folder) in enumerate(folders.items(), 1):
        plan.options.watcher.say(f"seed {seed} ({count} of {len(folders)})")
        runs.append(continue_run(plan, folder) if folder.exists else plan.start(seed, folder))
    return runs


def _side_by_side(plan: TrainingPlan, folders: dict[int, RunFolder], left: list[int], at_once: int) -> list[Run]:
    """Write the initial checkpoint of every new run, and resume all runs in worker processes."""
    watcher, threads = plan.options.watcher, threads_each(at_once)
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
