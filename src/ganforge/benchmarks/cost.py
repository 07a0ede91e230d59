"""The cost of a training step of one recipe relative to another, measured on the same machine."""

import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ganforge.benchmarks.protocols import Plan
from ganforge.benchmarks.seed_run import Trial
from ganforge.recipes.recipe import Recipe
from ganforge.training.stats import Stats

ROUNDS, WARM_UP = 9, 3


@dataclass(frozen=True)
class Cost:
    """The cost of one step of a row in steps of the base.

    Attributes:
        ratio: the median over rounds; in each round, base and row are trained in turn.
        low: the lowest ratio of a round.
        high: the highest ratio of a round.
        base_seconds: median seconds of a step of the base; CPU seconds where training is on the CPU.
        seconds: the same for a step of the row.
    """

    ratio: float
    low: float
    high: float
    base_seconds: float
    seconds: float

    def steps(self, base_steps: int) -> int:
        """Return the number of steps that costs as much as ``base_steps`` steps of the base: at least one."""
        return max(1, round(base_steps / self.ratio))


FREE = Cost(1.0, 1.0, 1.0, 0.0, 0.0)
"""The cost of the base relative to itself."""


def measure_cost(plan: Plan, base: Recipe, seconds: float) -> Cost:
    """Train the plan's recipe and the base in turn, each for ``seconds`` in each of nine rounds.

    On a CPU, the process's CPU time is measured, which excludes other programs. Their load on the shared memory and
    clock rate slows both recipes alike, and a disturbance of fewer than half of the rounds does not move the median.
    """
    with tempfile.TemporaryDirectory() as folder:
        row = Trial(replace(plan, folder=Path(folder) / "row"), 0)
        reference = Trial(replace(plan, recipe=base, folder=Path(folder) / "base"), 0)
        for trial in (reference, row):
            _seconds_per_step(trial, 0.0, WARM_UP)
        rounds = [(_seconds_per_step(reference, seconds), _seconds_per_step(row, seconds)) for _ in range(ROUNDS)]
    return cost_of(rounds)


def cost_of(rounds: list[tuple[float, float]]) -> Cost:
    """Return the cost from the rounds: (seconds of a step of the base, seconds of a step of the row)."""
    ratios = [row / base for base, row in rounds]
    of_base, of_row = (statistics.median(times) for times in zip(*rounds, strict=True))
    return Cost(statistics.median(ratios), min(ratios), max(ratios), of_base, of_row)


def _seconds_per_step(trial: Trial, seconds: float, steps: int = 1) -> float:
    """Train for ``seconds``, but at least for ``steps`` steps; return the seconds of a step."""
    clock = time.process_time if trial.plan.recipe.run.device == "cpu" else time.perf_counter
    latest: Stats = {}
    before, started = trial.state.step, clock()
    trial.trainer.train(
        lambda state: state.step - before >= steps and clock() - started >= seconds,
        [lambda state, stats: latest.update(stats)],
    )
    latest["generator_loss"].item()  # waits for the device
    return (clock() - started) / (trial.state.step - before)
