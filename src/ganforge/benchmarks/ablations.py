"""``benchmark techniques``: ablations of every technique against one base, at equal compute, on several data sets."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from ganforge.benchmarks.ablation_report import SAME, AblationReport, RowReport, SetupReport
from ganforge.benchmarks.ablation_setups import ABLATION_SETUPS, SEEDS, AblationSetup
from ganforge.benchmarks.cost import FREE, Cost, measure_cost
from ganforge.benchmarks.mode_coverage import SeedDiverged, Trial, claim, floor_of, on_a_device, read_kept, read_result
from ganforge.benchmarks.protocols import Plan
from ganforge.benchmarks.task_queue import OnFraction, OnProgress, Task, locked, run_tasks
from ganforge.benchmarks.techniques import BASE, TECHNIQUES, Technique
from ganforge.errors import Interrupted, UserError, suggest_names
from ganforge.files import user_path, write_atomically
from ganforge.json_text import to_json
from ganforge.recipes.reading import load_recipe
from ganforge.recipes.recipe import Recipe
from ganforge.runs.folder import refuse_strangers

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


def techniques(
    data: Sequence[str] = (),
    only: Sequence[str] = (),
    *,
    seeds: int = SEEDS,
    steps: int | None = None,
    quick: bool = False,
    out: str | Path | None = None,
    on_progress: OnProgress = lambda done, total, title: None,
) -> AblationReport:
    """Train the base and each technique with seeds 0, 1, ... and report which techniques help, harm or do nothing.

    Every row gets the number of steps that costs as much as the base's; the cost of a step is measured first. Finished
    seeds in the folder are kept, interrupted ones are resumed, and several processes can share one folder.

    Args:
        data: ``ring``, ``mnist``, ``mnist-500``; all of them unless given.
        only: names of techniques; all of them unless given. The base is always included.
        seeds: number of seeds; a verdict needs at least three.
        steps: steps of the base.
        quick: a twentieth of the steps, fewer samples.
        out: the folder, ``runs/benchmark-techniques`` unless given.
        on_progress: called with the progress.

    Raises:
        UserError: an unknown name, or a folder with something else.
        RunFailed: the disk is full.
        Interrupted: SIGINT or SIGTERM arrived; the same call resumes.
    """
    for flag, value in (("seeds", seeds), ("steps", steps)):
        if value is not None and value < 1:
            raise UserError(f"--{flag} {value}: must be more than 0")
    setups = [_named(name, ABLATION_SETUPS, "data") for name in dict.fromkeys(data or ABLATION_SETUPS)]
    by_name = {technique.name: technique for technique in (BASE, *TECHNIQUES)}
    chosen = [_named(name, by_name, "only") for name in dict.fromkeys((BASE.name, *(only or by_name)))]
    folder = user_path(out or Path("runs") / f"benchmark-techniques{'-quick' if quick else ''}")
    refuse_strangers(folder, ABLATION_SETUPS.__contains__)
    rows = [row for setup in setups for row in _rows(setup, chosen, folder, steps, quick)]
    try:
        _claim(rows, on_progress)
        run_tasks(_costs(rows, QUICK_MOMENT if quick else MOMENT), on_progress)
        plans = {row.title: _priced(row.plan) for row in rows if row.plan is not None}
        runs = _runs(rows, plans, seeds)
        run_tasks(runs, on_progress)
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped; finished seeds are kept in {folder}, and the same command resumes from the last checkpoint"
        ) from None
    return AblationReport(folder, quick, tuple(_report(setup, rows, plans) for setup in setups))


def _named(name: str, entries: dict[str, Entry], flag: str) -> Entry:
    if name not in entries:
        raise UserError(f"--{flag} {name}: {suggest_names(name, entries)}")
    return entries[name]


def _rows(setup: AblationSetup, chosen: Sequence[Technique], folder: Path, steps: int | None, quick: bool) -> list[Row]:
    """Return the chosen rows, the base first, each with a plan or with the reason why it is skipped."""
    protocol = setup.protocol
    base = on_a_device(load_recipe(protocol.recipe, setup.changes))
    default_steps = protocol.quick_steps if quick else protocol.steps
    base_steps = default_steps if steps is None else steps
    rows = []
    for technique in chosen:
        try:
            changes = [*setup.changes, *technique.changes_on(setup.data)]
            recipe = on_a_device(load_recipe(protocol.recipe, changes))
            protocol.problem.refuse(recipe)
        except UserError as error:
            rows.append(Row(technique, setup, base, None, str(error)))
            continue
        plan = Plan(protocol, recipe, base_steps, quick, folder / setup.data / technique.name)
        same = technique is not BASE and recipe == base
        rows.append(Row(technique, setup, base, None if same else plan, SAME if same else ""))
    return rows


def _claim(rows: Sequence[Row], on_progress: OnProgress) -> None:
    """Make the folders, or check that they hold these recipes; measure real data."""
    for row in rows:
        if row.plan is None:
            continue
        with locked(row.plan.folder, wait=True):
            claim(row.plan)
            if row.technique is BASE:
                on_progress(0, len(rows), f"{row.setup.data} · measuring real data")
                floor_of(row.plan)


def _costs(rows: Sequence[Row], seconds: float) -> list[Task]:
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


def _priced(plan: Plan) -> Plan:
    """Return the plan with the number of steps that costs as much as the base's."""
    return replace(plan, steps=_cost(plan).steps(plan.steps))


def _runs(rows: Sequence[Row], plans: dict[str, Plan], seeds: int) -> list[Task]:
    """Return a task for every seed of every row, in order of the seeds, so that early results cover all rows."""
    return [
        Task(f"{row.title} · seed {seed}", plans[row.title].result(seed), partial(_train, plans[row.title], seed))
        for seed in range(seeds)
        for row in rows
        if row.plan is not None
    ]


def _train(plan: Plan, seed: int, on_fraction: OnFraction) -> None:
    """Train one seed from its newest checkpoint; divergence is a result too."""
    trial = Trial(plan, seed, lambda done, total, status: on_fraction(done / total), before=0, total=plan.steps)
    try:
        trial.play()
    except SeedDiverged as error:
        result = {"seed": seed, "step": trial.state.step, "seconds": round(trial.seconds, 1), "diverged": str(error)}
        write_atomically(plan.result(seed), to_json(result, indent=2).encode())
    shutil.rmtree(trial.folder / "checkpoints", ignore_errors=True)  # about 10 MB for each of hundreds of seeds


def _report(setup: AblationSetup, rows: Sequence[Row], plans: dict[str, Plan]) -> SetupReport:
    """Return the report on all finished seeds, whichever call or process trained them."""
    own_rows = [row for row in rows if row.setup is setup]
    base = plans[own_rows[0].title]
    samples = max(base.samples)
    reports = tuple(_row_report(row, plans.get(row.title)) for row in own_rows)
    return SetupReport(setup, base.steps, samples, floor_of(base)[str(samples)], reports)


def _row_report(row: Row, plan: Plan | None) -> RowReport:
    changes = row.technique.changes_on(row.setup.data)
    if plan is None:
        return RowReport(row.technique, changes, row.why_skipped)
    files = sorted(plan.folder.glob(f"seed-*/{plan.result(0).name}"), key=lambda file: int(file.parent.name[5:]))
    return RowReport(row.technique, changes, "", _cost(plan), plan.steps, tuple(read_result(file) for file in files))
