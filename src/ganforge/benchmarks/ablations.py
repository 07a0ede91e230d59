"""``benchmark techniques``: ablations of every technique against one base, at equal compute, on several data sets."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from ganforge.benchmarks.ablation_report import SAME, AblationReport, RowReport, SetupReport
from ganforge.benchmarks.ablation_setups import ABLATION_SETUPS, SEEDS, AblationSetup
from ganforge.benchmarks.common import BenchmarkOptions, claim, list_seed_files, on_a_device, read_kept
from ganforge.benchmarks.cost import FREE, Cost, measure_cost
from ganforge.benchmarks.mode_coverage import measure_floor
from ganforge.benchmarks.protocols import Plan
from ganforge.benchmarks.seed_run import SeedDiverged, Trial, read_result
from ganforge.benchmarks.task_queue import OnFraction, OnProgress, Task, run_tasks
from ganforge.benchmarks.technique_list import BASE, TECHNIQUES, Technique
from ganforge.errors import Interrupted, UserError, suggest_names
from ganforge.files import write_atomically
from ganforge.json_text import to_json
from ganforge.recipes.reading import load_recipe
from ganforge.recipes.recipe import Recipe
from ganforge.runs.folder import lock_folder, refuse_strangers

MOMENT, QUICK_MOMENT = 0.15, 0.01
"""Seconds of training of base and row, each, in a round of the cost measurement."""

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Row:
    """One technique on one data set, before its cost is known.

    ``plan`` has the base's number of steps; it is None for a row that is not run, with the reason in ``why_skipped``.
    """

    technique: Technique
    setup: AblationSetup
    base: Recipe
    plan: Plan | None
    why_skipped: str = ""

    @property
    def title(self) -> str:
        """Its display name."""
        return f"{self.setup.data} · {self.technique.name}"


def run_ablations(options: BenchmarkOptions) -> AblationReport:
    """Train the base and each technique with seeds 0, 1, ... and report which techniques help, harm or do nothing.

    Every row gets the number of steps that costs as much as the base's; the cost of a step is measured first. Finished
    seeds in the folder are kept, interrupted ones are resumed, and several processes can share one folder.

    Args:
        options: ``data``: ring, mnist, mnist-500, or all of them; ``only``: names of techniques, or all of them, beside
            the base; ``seeds``: 3 unless given, the fewest for a verdict, or 1 if quick; ``steps``: of the base.

    Raises:
        UserError: an unknown name, a recipe, or a folder with something else.
        RunFailed: the disk is full.
        Interrupted: SIGINT or SIGTERM arrived; the same call resumes.
    """
    if options.recipe is not None:
        raise UserError(f"--recipe {options.recipe}: techniques has base recipes of its own; leave --recipe out")
    setups = [_find(name, ABLATION_SETUPS, "data") for name in dict.fromkeys(options.data or ABLATION_SETUPS)]
    by_name = {technique.name: technique for technique in (BASE, *TECHNIQUES)}
    chosen = [_find(name, by_name, "only") for name in dict.fromkeys((BASE.name, *(options.only or by_name)))]
    folder, quick = options.folder(), options.quick
    refuse_strangers(folder, ABLATION_SETUPS.__contains__)
    rows = [row for setup in setups for row in _rows(setup, chosen, folder, options)]
    on_progress = partial(options.watcher.benchmarking, unit="tasks")
    try:
        _claim(rows, on_progress)
        run_tasks(_cost_tasks(rows, QUICK_MOMENT if quick else MOMENT), on_progress)
        plans = {
            row.title: replace(row.plan, steps=_cost(row.plan).steps(row.plan.steps))
            for row in rows
            if row.plan is not None
        }
        run_tasks(_seed_tasks(rows, plans, options.seeds or (1 if quick else SEEDS)), on_progress)
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped; finished seeds are kept in {folder}, and the same command resumes from the last checkpoint"
        ) from None
    return AblationReport(folder, quick, tuple(_report(setup, rows, plans) for setup in setups))


def _find(name: str, entries: dict[str, Entry], flag: str) -> Entry:
    if name not in entries:
        raise UserError(f"--{flag} {name}: {suggest_names(name, entries)}")
    return entries[name]


def _rows(setup: AblationSetup, chosen: Sequence[Technique], folder: Path, options: BenchmarkOptions) -> list[Row]:
    """Return the chosen rows, the base first, each with a plan or with the reason why it is skipped."""
    protocol = setup.protocol
    base = on_a_device(load_recipe(protocol.recipe, setup.changes))
    steps = options.steps_or(protocol.steps, quick=protocol.quick_steps)
    rows = []
    for technique in chosen:
        try:
            changes = [*setup.changes, *technique.changes_on(setup.data)]
            recipe = on_a_device(load_recipe(protocol.recipe, changes))
            protocol.problem.refuse(recipe)
        except UserError as error:
            rows.append(Row(technique, setup, base, None, str(error)))
            continue
        plan = Plan(protocol, recipe, steps, options.quick, folder / setup.data / technique.name)
        same = technique is not BASE and recipe == base
        rows.append(Row(technique, setup, base, None if same else plan, SAME if same else ""))
    return rows


def _claim(rows: Sequence[Row], on_progress: OnProgress) -> None:
    """Make the folders, or check that they hold these recipes; measure real data."""
    for row in rows:
        if row.plan is None:
            continue
        with lock_folder(row.plan.folder, patience=-1):
            claim(row.plan.folder, row.plan.identity, row.plan.recipe)
            if row.technique is BASE:
                on_progress(0, len(rows), f"{row.setup.data} · measuring real data")
                measure_floor(row.plan)


def _cost_tasks(rows: Sequence[Row], seconds: float) -> list[Task]:
    """Return the tasks that measure the cost of a step of each row, once; the results are saved."""

    def measure(plan: Plan, base: Recipe, on_fraction: OnFraction) -> None:
        cost = measure_cost(plan, base, seconds)
        write_atomically(_cost_file(plan), to_json(asdict(cost), indent=2).encode())

    return [
        Task(f"{row.title} · cost of a step", _cost_file(row.plan), partial(measure, row.plan, row.base))
        for row in rows
        if row.plan is not None and row.technique is not BASE
    ]


def _cost_file(plan: Plan) -> Path:
    return plan.folder / "cost.json"


def _cost(plan: Plan) -> Cost:
    file = _cost_file(plan)
    cost: Cost = read_kept(file, Cost) if file.exists() else FREE
    return cost


def _seed_tasks(rows: Sequence[Row], plans: dict[str, Plan], seeds: int) -> list[Task]:
    """Return a task for every seed of every row, in order of the seeds, so that early results cover all rows."""
    return [
        Task(f"{row.title} · seed {seed}", plans[row.title].result(seed), partial(_train, plans[row.title], seed))
        for seed in range(seeds)
        for row in rows
        if row.plan is not None
    ]


def _train(plan: Plan, seed: int, on_fraction: OnFraction) -> None:
    """Train one seed from its newest checkpoint; divergence is a result too."""
    trial = Trial(plan, seed, lambda step, status: on_fraction(step / plan.steps))
    try:
        trial.run()
    except SeedDiverged as error:
        seconds = round(trial.clock.seconds(), 1)
        result = {"seed": seed, "step": trial.state.step, "seconds": seconds, "diverged": str(error)}
        write_atomically(plan.result(seed), to_json(result, indent=2).encode())
    shutil.rmtree(trial.folder / "checkpoints", ignore_errors=True)  # about 10 MB for each of hundreds of seeds


def _report(setup: AblationSetup, rows: Sequence[Row], plans: dict[str, Plan]) -> SetupReport:
    """Return the report on all finished seeds, whichever call or process trained them."""
    own_rows = [row for row in rows if row.setup is setup]
    base = plans[own_rows[0].title]
    samples = max(base.samples)
    reports = tuple(_row_report(row, plans.get(row.title)) for row in own_rows)
    return SetupReport(setup, base.steps, samples, measure_floor(base)[str(samples)], reports)


def _row_report(row: Row, plan: Plan | None) -> RowReport:
    changes = row.technique.changes_on(row.setup.data)
    if plan is None:
        return RowReport(row.technique, changes, row.why_skipped)
    seeds = tuple(read_result(file) for file in list_seed_files(plan.folder, plan.result(0).name))
    return RowReport(row.technique, changes, "", _cost(plan), plan.steps, seeds)
