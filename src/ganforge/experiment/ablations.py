"""``benchmark techniques``: every technique over one base at equal compute, on several data sets, seed after seed."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from ganforge.benchmarks.cost import FREE, Cost, measure_cost
from ganforge.benchmarks.protocols import Plan
from ganforge.benchmarks.run import SeedDiverged, Trial, claim, floor_of, on_a_device, read_kept, read_result
from ganforge.benchmarks.techniques import BASE, TECHNIQUES, Technique
from ganforge.errors import Interrupted, UserError, suggest_names
from ganforge.experiment.ablation_report import SAME, AblationReport, RowReport, SetupReport
from ganforge.experiment.ablation_setups import ABLATION_SETUPS, SEEDS, AblationSetup
from ganforge.experiment.task_queue import Share, Task, Tell, locked, run_tasks
from ganforge.files import user_path, write_atomically
from ganforge.json_text import to_json
from ganforge.recipes.reading import load_recipe
from ganforge.recipes.recipe import Recipe
from ganforge.runs.folder import refuse_strangers

MOMENT, QUICK_MOMENT = 0.15, 0.01
"""Seconds that base and row are each played in a round of measuring what a step costs."""

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Row:
    """One technique on one data set, before its cost is known; without a plan where it cannot be played.

    ``plan`` has the base's number of steps. ``why_not`` says why there is none.
    """

    technique: Technique
    arena: AblationSetup
    base: Recipe
    plan: Plan | None
    why_not: str = ""

    @property
    def what(self) -> str:
        """Its name for people."""
        return f"{self.arena.data} · {self.technique.name}"


def techniques(
    data: Sequence[str] = (),
    only: Sequence[str] = (),
    *,
    seeds: int = SEEDS,
    steps: int | None = None,
    quick: bool = False,
    out: str | Path | None = None,
    tell: Tell = lambda done, total, what: None,
) -> AblationReport:
    """Play each technique and the base with seeds 0, 1, ... and say what helps, does nothing, harms.

    Every row is given as many steps as cost what the base's cost, which is measured before. What is finished in the
    folder is kept, what was stopped goes on, and several processes with the same folder share the work.

    Args:
        data: ``ring``, ``mnist``, ``mnist-500``; all of them unless given.
        only: names of techniques; all of them unless given. The base is always played.
        seeds: how many; at least three, or nothing can be told.
        steps: how many the base plays.
        quick: a twentieth of the steps, fewer samples.
        out: the folder, ``runs/benchmark-techniques`` unless given.
        tell: is told how the work gets on.

    Raises:
        UserError: an unknown name, or a folder of something else.
        RunFailed: the disk is full.
        Interrupted: SIGINT or SIGTERM came; the same call goes on.
    """
    for flag, value in (("seeds", seeds), ("steps", steps)):
        if value is not None and value < 1:
            raise UserError(f"--{flag} {value}: must be more than 0")
    arenas = [_named(name, ABLATION_SETUPS, "data") for name in dict.fromkeys(data or ABLATION_SETUPS)]
    known = {technique.name: technique for technique in (BASE, *TECHNIQUES)}
    chosen = [_named(name, known, "only") for name in dict.fromkeys((BASE.name, *(only or known)))]
    folder = user_path(out or Path("runs") / f"benchmark-techniques{'-quick' if quick else ''}")
    refuse_strangers(folder, ABLATION_SETUPS.__contains__)
    rows = [row for arena in arenas for row in _rows(arena, chosen, folder, steps, quick)]
    try:
        _claim(rows, tell)
        run_tasks(_costs(rows, QUICK_MOMENT if quick else MOMENT), tell)
        plans = {row.what: _priced(row.plan) for row in rows if row.plan is not None}
        runs = _runs(rows, plans, seeds)
        run_tasks(runs, tell)
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped; what is finished is kept in {folder}, and the same command goes on from the last checkpoint"
        ) from None
    return AblationReport(folder, quick, tuple(_report(arena, rows, plans) for arena in arenas))


def _named(name: str, known: dict[str, Thing], flag: str) -> Thing:
    if name not in known:
        raise UserError(f"--{flag} {name}: {suggest_names(name, known)}")
    return known[name]


def _rows(arena: AblationSetup, chosen: Sequence[Technique], folder: Path, steps: int | None, quick: bool) -> list[Row]:
    """What is chosen, the base first: each with a plan, or with the reason why it cannot be played here."""
    protocol = arena.protocol
    base = on_a_device(load_recipe(protocol.recipe, arena.changes))
    usual = protocol.quick_steps if quick else protocol.steps
    length = usual if steps is None else steps
    rows = []
    for technique in chosen:
        try:
            changes = [*arena.changes, *technique.changes_on(arena.data)]
            recipe = on_a_device(load_recipe(protocol.recipe, changes))
            protocol.problem.refuse(recipe)
        except UserError as reason:
            rows.append(Row(technique, arena, base, None, str(reason)))
            continue
        plan = Plan(protocol, recipe, length, quick, folder / arena.data / technique.name)
        same = technique is not BASE and recipe == base
        rows.append(Row(technique, arena, base, None if same else plan, SAME if same else ""))
    return rows


def _claim(rows: Sequence[Row], tell: Tell) -> None:
    """Make the folders, or see that they are of these recipes; measure what real data have."""
    for row in rows:
        if row.plan is None:
            continue
        with locked(row.plan.folder, wait=True):
            claim(row.plan)
            if row.technique is BASE:
                tell(0, len(rows), f"{row.arena.data} · measuring real data")
                floor_of(row.plan)


def _costs(rows: Sequence[Row], seconds: float) -> list[Task]:
    """What a step of each row costs: measured once, then kept."""

    def measure(plan: Plan, base: Recipe, part: Share) -> None:
        cost = measure_cost(plan, base, seconds)
        write_atomically(_cost_file(plan), to_json(asdict(cost), indent=2).encode())

    return [
        Task(f"{row.what} · what a step costs", _cost_file(row.plan), partial(measure, row.plan, row.base))
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
    """The plan with as many steps as cost what the base's cost."""
    return replace(plan, steps=_cost(plan).steps(plan.steps))


def _runs(rows: Sequence[Row], plans: dict[str, Plan], seeds: int) -> list[Task]:
    """Every seed of every row: first seed 0 of all, so that something can be seen early."""
    return [
        Task(f"{row.what} · seed {seed}", plans[row.what].result(seed), partial(_play, plans[row.what], seed))
        for seed in range(seeds)
        for row in rows
        if row.plan is not None
    ]


def _play(plan: Plan, seed: int, part: Share) -> None:
    """Play one seed from its newest checkpoint on; that it diverged is a result too."""
    trial = Trial(plan, seed, lambda done, total, found: part(done / total), before=0, total=plan.steps)
    try:
        trial.play()
    except SeedDiverged as broken:
        found = {"seed": seed, "step": trial.state.step, "seconds": round(trial.seconds, 1), "diverged": str(broken)}
        write_atomically(plan.result(seed), to_json(found, indent=2).encode())
    shutil.rmtree(trial.folder / "checkpoints", ignore_errors=True)  # some ten megabytes for each of hundreds of seeds


def _report(arena: AblationSetup, rows: Sequence[Row], plans: dict[str, Plan]) -> SetupReport:
    """Read what is finished, whichever call or process played it."""
    here = [row for row in rows if row.arena is arena]
    base = plans[here[0].what]
    samples = max(base.samples)
    reports = tuple(_row_report(row, plans.get(row.what)) for row in here)
    return SetupReport(arena, base.steps, samples, floor_of(base)[str(samples)], reports)


def _row_report(row: Row, plan: Plan | None) -> RowReport:
    changes = row.technique.changes_on(row.arena.data)
    if plan is None:
        return RowReport(row.technique, changes, row.why_not)
    kept = sorted(plan.folder.glob(f"seed-*/{plan.result(0).name}"), key=lambda file: int(file.parent.name[5:]))
    return RowReport(row.technique, changes, "", _cost(plan), plan.steps, tuple(read_result(file) for file in kept))
