"""Runs a benchmark: trains seed after seed, resumes interrupted ones, and makes the report."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor

from ganforge.ambient import plain_state
from ganforge.benchmarks.mode_report import Report
from ganforge.benchmarks.protocols import Plan, find
from ganforge.data.images import unscale
from ganforge.errors import Interrupted, RunFailed, UserError
from ganforge.files import user_path, write_atomically
from ganforge.generation.generator import freeze_for_sampling
from ganforge.generation.grids import png
from ganforge.json_text import parse_json, to_json
from ganforge.recipes.reading import load_recipe
from ganforge.recipes.recipe import Recipe
from ganforge.runs.checkpoint import Damaged, all_finite, newest_checkpoint, write_checkpoint
from ganforge.runs.folder import RunFolder, refuse_strangers
from ganforge.runs.log import append_line, cut_back
from ganforge.training import loop
from ganforge.training.noise import NoiseSource
from ganforge.training.state import DTYPES, State, new_state, prepare
from ganforge.training.stats import Stats
from ganforge.training.step import adversarial
from ganforge.training.tuning.malloc import keep_freed_memory
from ganforge.training.tuning.parallelism import runs_at_once, threads_each
from ganforge.training.tuning.precision import choose_precision
from ganforge.worker_pool import Job, side_by_side

RECIPE = "recipe.toml"
BLOCK = 500
OnProgress = Callable[[int, int, str], None]
"""Called now and then with (steps done, steps of this call in all, last status)."""


@plain_state()
def benchmark(
    name: str,
    recipe: str | Recipe | None = None,
    *,
    seeds: int = 1,
    steps: int | None = None,
    quick: bool = False,
    out: str | Path | None = None,
    on_progress: OnProgress = lambda done, total, status: None,
) -> Report:
    """Train a benchmark's recipe, or another one, with seeds 0, 1, ... and measure each seed.

    Finished seeds are not trained again, and interrupted ones are resumed. The report covers all finished seeds in the
    folder, whichever call trained them.

    Raises:
        UserError: an unknown name, a recipe that does not fit the problem, or a folder of another benchmark.
        RunFailed: a seed diverged, or the disk is full.
        Interrupted: SIGINT or SIGTERM arrived; the same call resumes.
    """
    protocol = find(name)
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe or protocol.recipe)
    steps = (protocol.quick_steps if quick else protocol.steps) if steps is None else steps
    for flag, value in (("seeds", seeds), ("steps", steps)):
        if value < 1:
            raise UserError(f"--{flag} {value}: must be more than 0")
    protocol.problem.refuse(recipe)
    if recipe.terms.streams:
        raise UserError(
            f"{recipe.name} needs batches that {name} does not have ({', '.join(recipe.terms.streams)}): "
            "take a recipe without such terms"
        )
    recipe = choose_precision(on_a_device(recipe), protocol.problem.shape, 0)
    folder = user_path(out or Path("runs") / f"benchmark-{name}-{recipe.name}{'-quick' if quick else ''}")
    plan = Plan(protocol, recipe, steps, quick, folder)
    refuse_another(plan)
    with RunFolder(folder).locked():
        claim(plan)
        floor = floor_of(plan)
        unfinished = [seed for seed in range(seeds) if not plan.result(seed).exists()]
        place = ""
        try:
            parallel = runs_at_once(recipe, protocol.problem.shape, 0, len(unfinished), steps)
            if parallel > 1:
                _side_by_side(plan, unfinished, parallel, on_progress)
                unfinished = []
            for k, seed in enumerate(unfinished):
                place = f" in seed {seed}"
                Trial(plan, seed, on_progress, before=k * steps, total=len(unfinished) * steps).play()
        except KeyboardInterrupt:
            raise Interrupted(f"stopped{place}; the same command resumes from the last checkpoint") from None
        files = sorted(folder.glob(f"seed-*/step-{steps}.json"), key=lambda file: int(file.parent.name[5:]))
        return Report(plan, floor, [read_result(file) for file in files])


def _side_by_side(plan: Plan, seeds: Sequence[int], at_once: int, on_progress: OnProgress) -> None:
    """Train the seeds in worker processes (`play_seed`), and report their progress in total."""
    steps, status = dict.fromkeys(seeds, 0), ""
    jobs = {f"seed {seed}": seed for seed in seeds}

    def on_line(name: str, line: str) -> None:
        """Update the progress of one seed and report the sum."""
        nonlocal status
        try:
            steps[jobs[name]], status = parse_json(line)
        except (ValueError, TypeError):
            return  # not progress, but a warning of a library
        on_progress(sum(steps.values()), len(seeds) * plan.steps, status)

    arguments = [("play-seed", str(plan.folder), str(seed), str(plan.steps), "--json") for seed in seeds]
    side_by_side([Job(*job) for job in zip(jobs, arguments, strict=True)], at_once, threads_each(at_once), on_line)


def play_seed(folder: Path, seed: int, steps: int, on_progress: OnProgress) -> Path:
    """Train one seed of the benchmark in ``folder``; return the file of its metrics.

    Raises:
        UserError: the folder holds no benchmark.
        RunFailed: the seed diverged, or the disk is full.
    """
    identity = {"benchmark": "", "quick": False} | read_kept(folder / "benchmark.json")
    recipe = load_recipe(str(folder / RECIPE))
    plan = Plan(find(str(identity["benchmark"])), recipe, steps, bool(identity["quick"]), folder)
    Trial(plan, seed, on_progress, total=steps).play()
    return plan.result(seed)


class SeedDiverged(RunFailed):
    """A weight or a sample of one seed is not finite."""


class Trial:
    """The training of one seed from its newest checkpoint, with its curve and its final metrics.

    ``on_progress`` gets the steps done of ``total``, including the ``before`` steps of earlier seeds.
    """

    def __init__(
        self,
        plan: Plan,
        seed: int,
        on_progress: OnProgress = lambda done, total, status: None,
        before: int = 0,
        total: int = 0,
    ) -> None:
        recipe, problem = plan.recipe, plan.protocol.problem
        device = torch.device(recipe.device)
        self.plan, self.seed, self.folder = plan, seed, plan.result(seed).parent
        self.state = new_state(recipe, problem.shape, 0, seed, device)
        self.draws = NoiseSource(recipe, seed, device, DTYPES[recipe.precision])
        self.streams = {"real": problem.batches(recipe, seed)}
        prepare(self.state, recipe, self.streams, self.draws)
        self.curve = self.folder / "curve.jsonl"
        self.seconds = self._load()
        self._on_progress, self._before, self._total, self._status = on_progress, before, total, f"seed {seed}"

    def play(self) -> None:
        """Train up to the plan's last step and write the result."""
        self._since = self._saved = self._reported = time.perf_counter()
        self.go_on(lambda state: state.step >= self.plan.steps, [self._after_step])
        self._on_progress(self._before + self.state.step, self._total, self._status)
        plan, problem = self.plan, self.plan.protocol.problem
        self.save()
        samples = self.samples(max(plan.samples))
        result = {
            "benchmark": plan.protocol.name,
            "recipe": plan.recipe.name,
            "seed": self.seed,
            "step": self.state.step,
            "seconds": round(self.seconds, 1),
            "parameters": {name: sum(p.numel() for p in x.parameters) for name, x in self.state.players().items()},
            "figures": {str(n): problem.figures(samples[:n]) for n in plan.samples},
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "device": plan.recipe.device,
        }
        write_atomically(self.folder / f"step-{plan.steps}.png", png(problem.picture(samples)))
        write_atomically(plan.result(self.seed), to_json(result, indent=2).encode())

    def go_on(self, stop: Callable[[State], bool], hooks: Sequence[loop.Hook] = ()) -> None:
        """Continue the training loop from the current step."""
        keep_freed_memory()
        loop.train(self.state, adversarial, self.plan.recipe, self.streams, self.draws, stop=stop, hooks=hooks)

    @torch.no_grad()
    def samples(self, count: int) -> Tensor:
        """Draw ``count`` samples from fixed noise: points as floats, pictures as uint8, on the CPU.

        Raises:
            RunFailed: a sample is not finite.
        """
        recipe, state = self.plan.recipe, self.state
        if self.plan.protocol.batch_statistics:
            module, block = state.generator.published, recipe.batch_size
        else:
            module, block = freeze_for_sampling(state, recipe, self.draws, {"class_names": []}).module, BLOCK
        blocks = []
        for k in range(-(-count // block)):
            output = module(self.draws.latent(block, "benchmark", k))
            if not output.isfinite().all():
                raise self._diverged()
            blocks.append(
                (output if recipe.generator.output == "linear" else unscale(output, recipe.pixel_range)).cpu()
            )
        return torch.cat(blocks)[:count]

    def _after_step(self, state: State, stats: Stats) -> None:
        """Measure at the points of the curve, save checkpoints and report; none of it counts as training time."""
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now
        if self.plan.protocol.curve and is_curve_step(state.step):
            count = min(self.plan.protocol.curve, min(self.plan.samples))
            figures = self.plan.protocol.problem.figures(self.samples(count))
            line = {"step": state.step, "seconds": round(self.seconds, 2), "n": count, **figures}
            append_line(self.curve, line)
            self._status = f"seed {self.seed} · step {state.step:,}: {figures['modes']} modes after {count:,} samples"
        if now - self._saved >= self.plan.recipe.checkpoint_seconds:
            self.save()
            self._saved = now
        if now - self._reported >= 0.1:
            self._on_progress(self._before + state.step, self._total, self._status)
            self._reported = now
        self._since = time.perf_counter()

    def save(self) -> None:
        """Write a checkpoint.

        Raises:
            RunFailed: a weight is not finite.
        """
        state, tensors = self.state, self.state.tensors()
        if not all_finite(tensors):
            raise self._diverged()
        note = {"step": state.step, "images_seen": state.images_seen, "seconds": self.seconds}
        write_checkpoint(self.folder / "checkpoints", tensors, note)

    def _load(self) -> float:
        """Load the newest checkpoint, if any, and return its seconds of training."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            tensors, note, _ = newest_checkpoint(self.folder / "checkpoints")
        except Damaged:
            tensors, note = {}, {"step": 0, "seconds": 0.0}
        if note["step"] > self.plan.steps:
            state = f"{self.folder} is at step {note['step']:,} already"
            raise UserError(f"{state}: give at least as many --steps, or choose another --out")
        if tensors:
            self.state.load(tensors, note["step"], note["images_seen"])
        if self.curve.exists():
            cut_back(self.curve, note["step"])
        return float(note["seconds"])

    def _diverged(self) -> SeedDiverged:
        return SeedDiverged(
            f"seed {self.seed} diverged before step {self.state.step:,}: a weight or a sample is not a number; "
            f"its last good checkpoint is in {self.folder}"
        )


def is_curve_step(step: int) -> bool:
    """Whether a curve has a point at ``step``: 100, 150, 200, 250, 300, 400, 500, 600, 800 and their decades."""
    return step >= 100 and step / 10 ** (len(str(step)) - 1) in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)


def on_a_device(recipe: Recipe) -> Recipe:
    """Return the recipe with a device: the recipe's own, or for "auto" a GPU if there is one."""
    device = recipe.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise UserError(
            f"{recipe.name}: this machine has no {device} device that torch can use; set device = 'auto'"
        ) from None
    return recipe.model_copy(update={"device": device})


def refuse_another(plan: Plan) -> None:
    """Refuse a folder that holds anything but this plan's benchmark.

    Raises:
        UserError: it holds another benchmark, or other files.
    """
    file = plan.folder / "benchmark.json"
    if not file.exists():
        refuse_strangers(plan.folder, RECIPE.__eq__)
        return
    saved, current = read_kept(file), parse_json(to_json(plan.identity))
    different = [key for key in current if saved.get(key) != current[key]]
    if different:
        raise UserError(f"{plan.folder} holds a benchmark of another {different[0]}: choose another --out")


def claim(plan: Plan) -> None:
    """Make the folder for this plan, or check that it belongs to it; the caller holds the folder's lock.

    Raises:
        UserError: the folder cannot be written, or holds something else.
    """
    refuse_another(plan)
    file = plan.folder / "benchmark.json"
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():  # written last: a folder with this file can be resumed
            write_atomically(plan.folder / RECIPE, plan.recipe.to_toml().encode())
            write_atomically(file, to_json(plan.identity, indent=2).encode())
    except (OSError, RunFailed) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"cannot write to {plan.folder}: {reason}; choose another --out") from None


def floor_of(plan: Plan) -> dict[str, dict[str, float | None]]:
    """Return the metrics of real data, measured like samples; they are measured once and saved."""
    file, problem = plan.folder / "floor.json", plan.protocol.problem
    if not file.exists():
        figures = {str(n): problem.floor(n) for n in plan.samples}
        write_atomically(file, to_json(figures, indent=2).encode())
    return dict(read_kept(file))


@dataclass(frozen=True)
class Result:
    """The required content of a seed's file; a diverged seed has no figures."""

    seed: int
    step: int
    seconds: float
    figures: dict[str, dict[str, float | None]] = field(default_factory=dict)


def read_result(file: Path) -> dict[str, Any]:
    """Return the result of a seed.

    Raises:
        UserError: the file is damaged.
    """
    read_kept(file, Result)
    return dict(read_kept(file))


def read_kept(file: Path, kind: Any = dict[str, Any]) -> Any:
    """Return the content of a benchmark's file as an instance of ``kind``: a dataclass, a number, by default a dict.

    Raises:
        UserError: the file is damaged.
    """
    try:
        return TypeAdapter(kind).validate_python(parse_json(file.read_bytes()))
    except (OSError, ValueError):  # pydantic's is a ValueError too
        raise UserError(f"{file} is damaged; delete it, and the same command makes it again") from None
