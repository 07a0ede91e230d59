"""One seed of a mode-coverage benchmark: training, curve, checkpoints and final metrics."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganforge.benchmarks.common import read_kept
from ganforge.benchmarks.protocols import Plan
from ganforge.data.images import unscale
from ganforge.errors import RunFailed, UserError
from ganforge.experiment.length import StopCondition
from ganforge.experiment.trainer import CheckpointHook, Stopwatch, Trainer, load_state, save_state, stop_at
from ganforge.files import write_atomically
from ganforge.generation.generator import freeze_for_sampling
from ganforge.generation.grids import png
from ganforge.json_text import to_json
from ganforge.runs.checkpoint import Damaged
from ganforge.runs.log import append_line, cut_back
from ganforge.training.noise import NoiseSource
from ganforge.training.nonfinite import Diverged
from ganforge.training.state import DTYPES, State, new_state, prepare
from ganforge.training.stats import Stats
from ganforge.worker_pool import stop_signals

BLOCK = 500
REPORT_SECONDS = 0.1
OnStep = Callable[[int, str], None]
"""Called now and then with (step, last status)."""


class SeedDiverged(RunFailed):
    """A weight or a sample of one seed is not finite."""


@dataclass(frozen=True)
class SeedResult:
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
    read_kept(file, SeedResult)
    return dict(read_kept(file))


class Trial:
    """The training of one seed from its newest checkpoint, with its curve and its final metrics."""

    def __init__(self, plan: Plan, seed: int, on_step: OnStep = lambda step, status: None) -> None:
        recipe, problem, device = plan.recipe, plan.protocol.problem, torch.device(plan.recipe.run.device)
        self.plan, self.seed, self.folder = plan, seed, plan.result(seed).parent
        self.state = new_state(recipe, problem.shape, 0, seed, device)
        self.noise = NoiseSource(recipe, seed, device, DTYPES[recipe.run.precision])
        self.trainer = Trainer(recipe, self.state, {"real": problem.batches(recipe, seed)}, self.noise)
        prepare(self.state, recipe, self.trainer.streams, self.noise)
        self.curve = self.folder / "curve.jsonl"
        self._seconds_before = self._load()
        self._on_step, self._status = on_step, f"seed {seed}"

    def run(self) -> None:
        """Train up to the plan's last step and write the result.

        Raises:
            SeedDiverged: a weight or a sample is not finite.
            KeyboardInterrupt: a stop signal arrived; the state was saved first.
        """
        plan = self.plan
        self.clock, self._reported = Stopwatch(self._seconds_before), time.perf_counter()
        self._checkpoints = CheckpointHook(plan.recipe.run.checkpoint_seconds, self._save)
        try:
            with stop_signals() as stopped:
                self.trainer.train(stop_at(StopCondition(plan.steps), stopped), [self._after_step])
                with self.clock.paused():
                    self._checkpoints.save(self.state)
            if stopped.is_set():
                raise KeyboardInterrupt
            with self.clock.paused():
                self._on_step(self.state.step, self._status)
                self._write_result()
        except Diverged:
            raise SeedDiverged(
                f"seed {self.seed} diverged before step {self.state.step:,}: a weight or a sample is not a number; "
                f"its last good checkpoint is in {self.folder}"
            ) from None

    @torch.no_grad()
    def samples(self, count: int) -> Tensor:
        """Draw ``count`` samples from fixed noise: points as floats, pictures as uint8, on the CPU.

        Raises:
            Diverged: a sample is not finite.
        """
        recipe, state = self.plan.recipe, self.state
        if self.plan.protocol.batch_statistics:
            module, block = state.generator.published, recipe.batch_size
        else:
            module, block = freeze_for_sampling(state, recipe, self.noise, {"class_names": []}).module, BLOCK
        blocks = []
        for k in range(-(-count // block)):
            output = module(self.noise.latent(block, "benchmark", k))
            if not output.isfinite().all():
                raise Diverged
            if recipe.generator.output != "linear":
                output = unscale(output, recipe.pixel_range)
            blocks.append(output.cpu())
        return torch.cat(blocks)[:count]

    def _after_step(self, state: State, stats: Stats) -> None:
        """Measure at the points of the curve, save checkpoints and report; none of it counts as training time."""
        with self.clock.paused():
            if self.plan.protocol.curve and is_curve_step(state.step):
                self._measure()
            self._checkpoints(state, stats)
            if time.perf_counter() - self._reported >= REPORT_SECONDS:
                self._on_step(state.step, self._status)
                self._reported = time.perf_counter()

    def _measure(self) -> None:
        """Add a point to the curve."""
        protocol, step = self.plan.protocol, self.state.step
        count = min(protocol.curve, min(self.plan.samples))
        figures = protocol.problem.figures(self.samples(count))
        append_line(self.curve, {"step": step, "seconds": round(self.clock.seconds(), 2), "n": count, **figures})
        self._status = f"seed {self.seed} · step {step:,}: {figures['modes']} modes after {count:,} samples"

    def _save(self, state: State) -> None:
        save_state(self.folder / "checkpoints", state, seconds=self.clock.seconds())

    def _write_result(self) -> None:
        plan, problem = self.plan, self.plan.protocol.problem
        samples = self.samples(max(plan.samples))
        result = {
            "benchmark": plan.protocol.name,
            "recipe": plan.recipe.name,
            "seed": self.seed,
            "step": self.state.step,
            "seconds": round(self.clock.seconds(), 1),
            "parameters": {name: sum(p.numel() for p in x.parameters) for name, x in self.state.players().items()},
            "figures": {str(n): problem.figures(samples[:n]) for n in plan.samples},
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "device": plan.recipe.run.device,
        }
        write_atomically(self.folder / f"step-{plan.steps}.png", png(problem.picture(samples)))
        write_atomically(plan.result(self.seed), to_json(result, indent=2).encode())

    def _load(self) -> float:
        """Load the newest checkpoint, if any, and return its seconds of training."""
        self.folder.mkdir(parents=True, exist_ok=True)
        note: dict[str, Any] = {"step": 0, "seconds": 0.0}
        with suppress(Damaged):  # no whole checkpoint: from the start
            note, _ = load_state(self.folder / "checkpoints", self.state)
        if note["step"] > self.plan.steps:
            state = f"{self.folder} is at step {note['step']:,} already"
            raise UserError(f"{state}: give at least as many --steps, or choose another --out")
        if self.curve.exists():
            cut_back(self.curve, note["step"])
        return float(note["seconds"])


def is_curve_step(step: int) -> bool:
    """Whether a curve has a point at ``step``: 100, 150, 200, 250, 300, 400, 500, 600, 800 and their decades."""
    return step >= 100 and step / 10 ** (len(str(step)) - 1) in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
