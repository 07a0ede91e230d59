"""``benchmark ring``, ``grid``, ``stacked-mnist``, ``stacked-mnist-tiny``: how many modes of the data a GAN finds."""

from collections.abc import Sequence
from pathlib import Path

from ganforge.benchmarks.common import (
    IDENTITY,
    RECIPE,
    BenchmarkOptions,
    claim,
    list_seed_files,
    measure_once,
    on_a_device,
    read_kept,
    refuse_another,
)
from ganforge.benchmarks.mode_report import ModeCoverageReport
from ganforge.benchmarks.problems import Figures
from ganforge.benchmarks.protocols import Plan, find
from ganforge.benchmarks.read_curves import Curve, read_curves
from ganforge.benchmarks.seed_run import OnStep, Trial, read_result
from ganforge.errors import Interrupted, UserError
from ganforge.experiment.experiment import ProgressListener
from ganforge.files import user_path, write_atomically
from ganforge.json_text import parse_json
from ganforge.process_state import plain_state
from ganforge.recipes.reading import load_recipe
from ganforge.reports.figures import mode_curves
from ganforge.runs.folder import RunFolder
from ganforge.training.tuning.parallelism import runs_at_once, threads_each
from ganforge.training.tuning.precision import choose_precision
from ganforge.worker_pool import Job, side_by_side


@plain_state()
def run_mode_coverage(options: BenchmarkOptions) -> ModeCoverageReport:
    """Train a benchmark's recipe, or another one, with seeds 0, 1, ... and measure each seed.

    Finished seeds are not trained again, and interrupted ones are resumed. The report covers all finished seeds in the
    folder, whichever call trained them; their curves are drawn into ``curve.png``.

    Raises:
        UserError: an unknown name, a recipe that does not fit the problem, or a folder of another benchmark.
        RunFailed: a seed diverged, or the disk is full.
        Interrupted: SIGINT or SIGTERM arrived; the same call resumes.
    """
    others: dict[str, Curve] = {}
    for folder in options.beside:
        others |= read_curves(user_path(folder), options.name)
    plan = _plan_of(options)
    refuse_another(plan.folder, plan.identity)
    with RunFolder(plan.folder).locked():
        claim(plan.folder, plan.identity, plan.recipe)
        floor = measure_floor(plan)
        _train_seeds(plan, options)
        results = [read_result(file) for file in list_seed_files(plan.folder, plan.result(0).name)]
    return ModeCoverageReport(plan, floor, results, _draw_curves(plan, others))


def _plan_of(options: BenchmarkOptions) -> Plan:
    """Return the plan of a call, with everything checked that can be checked before it starts."""
    protocol = find(options.name)
    problem, recipe = protocol.problem, options.recipe_or(protocol.recipe)
    steps = options.steps_or(protocol.steps, quick=protocol.quick_steps)
    problem.refuse(recipe)
    if recipe.terms.streams:
        raise UserError(
            f"{recipe.name} needs batches that {protocol.name} does not have ({', '.join(recipe.terms.streams)}): "
            "take a recipe without such terms"
        )
    recipe = choose_precision(on_a_device(recipe), problem.shape, 0)
    return Plan(protocol, recipe, steps, options.quick, options.folder(recipe.name))


def measure_floor(plan: Plan) -> dict[str, Figures]:
    """Return the metrics of real data, measured like samples; they are measured once and saved."""
    problem = plan.protocol.problem
    return dict(
        measure_once(plan.folder / "floor.json", lambda: {str(n): problem.floor(n) for n in plan.samples}, indent=2)
    )


def _train_seeds(plan: Plan, options: BenchmarkOptions) -> None:
    """Train the seeds that are not finished, one after another or in parallel, whichever is faster."""
    seeds = [seed for seed in range(options.seeds or 1) if not plan.result(seed).exists()]
    parallel = runs_at_once(plan.recipe, plan.protocol.problem.shape, 0, len(seeds), plan.steps)
    place = ""
    try:
        if parallel > 1:
            _side_by_side(plan, seeds, parallel, options.watcher)
            return
        for k, seed in enumerate(seeds):
            place = f" in seed {seed}"

            def on_step(step: int, status: str, before: int = k * plan.steps) -> None:
                options.watcher.benchmarking(before + step, len(seeds) * plan.steps, status)

            Trial(plan, seed, on_step).run()
    except KeyboardInterrupt:
        raise Interrupted(f"stopped{place}; the same command resumes from the last checkpoint") from None


def _side_by_side(plan: Plan, seeds: Sequence[int], at_once: int, watcher: ProgressListener) -> None:
    """Train the seeds in worker processes (`train_seed`), and report their progress in total."""
    steps, status = dict.fromkeys(seeds, 0), ""
    jobs = {f"seed {seed}": seed for seed in seeds}

    def on_line(name: str, line: str) -> None:
        """Update the progress of one seed and report the sum."""
        nonlocal status
        try:
            steps[jobs[name]], status = parse_json(line)
        except (ValueError, TypeError):
            return  # not progress, but a warning of a library
        watcher.benchmarking(sum(steps.values()), len(seeds) * plan.steps, status)

    arguments = [("play-seed", str(plan.folder), str(seed), str(plan.steps), "--json") for seed in seeds]
    side_by_side([Job(*job) for job in zip(jobs, arguments, strict=True)], at_once, threads_each(at_once), on_line)


def train_seed(folder: Path, seed: int, steps: int, on_step: OnStep) -> Path:
    """Train one seed of the benchmark in ``folder``; return the file of its metrics.

    Raises:
        UserError: the folder holds no benchmark.
        RunFailed: the seed diverged, or the disk is full.
    """
    identity = {"benchmark": "", "quick": False} | read_kept(folder / IDENTITY)
    recipe = load_recipe(str(folder / RECIPE))
    plan = Plan(find(str(identity["benchmark"])), recipe, steps, bool(identity["quick"]), folder)
    Trial(plan, seed, on_step).run()
    return plan.result(seed)


def _draw_curves(plan: Plan, others: dict[str, Curve]) -> Path | None:
    """Draw the curves of all seeds and of other folders into curve.png; return its path, None without curves."""
    name = plan.protocol.name
    curves = read_curves(plan.folder, name) | others
    if not curves:
        return None
    file = plan.folder / "curve.png"
    write_atomically(file, mode_curves(curves, plan.protocol.problem.modes, title=name))
    return file
