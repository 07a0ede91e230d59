"""What a step of one recipe costs beside a step of another, on the machine that plays both."""

import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ganforge.benchmarks.protocols import Plan
from ganforge.benchmarks.run import Trial
from ganforge.recipes.recipe import Recipe
from ganforge.training.stats import Stats

ROUNDS, WARM_UP = 9, 3


@dataclass(frozen=True)
class Cost:
    """How many steps of the base one step costs.

    Attributes:
        ratio: the median over rounds, in each of which base and row were played in turn.
        low: that of the round in which it was least.
        high: that of the round in which it was greatest.
        base_seconds: seconds of a step of the base, a median; of the processor where one trains on it.
        seconds: the same of a step of the row.
    """

    ratio: float
    low: float
    high: float
    base_seconds: float
    seconds: float

    def steps(self, base_steps: int) -> int:
        """How many steps cost what so many of the base cost: at least one."""
        return max(1, round(base_steps / self.ratio))


FREE = Cost(1.0, 1.0, 1.0, 0.0, 0.0)
"""That of the base beside itself."""


def measure_cost(plan: Plan, base: Recipe, seconds: float) -> Cost:
    """Play the plan's recipe and the base in turn, each for so many seconds in each of nine rounds.

    On a processor its own seconds are counted, in which other programs have no part. What they slow down besides, by
    the memory and the clock rate that all share, they slow down for both; and what disturbs fewer than half of the
    rounds does not move the median.
    """
    with tempfile.TemporaryDirectory() as folder:
        row = Trial(replace(plan, folder=Path(folder) / "row"), 0)
        beside = Trial(replace(plan, recipe=base, folder=Path(folder) / "base"), 0)
        for trial in (beside, row):
            _seconds_per_step(trial, 0.0, WARM_UP)
        rounds = [(_seconds_per_step(beside, seconds), _seconds_per_step(row, seconds)) for _ in range(ROUNDS)]
    return cost_of(rounds)


def cost_of(rounds: list[tuple[float, float]]) -> Cost:
    """Sum up the rounds: seconds of a step of the base, and of the row."""
    ratios = [row / base for base, row in rounds]
    of_base, of_row = (statistics.median(times) for times in zip(*rounds, strict=True))
    return Cost(statistics.median(ratios), min(ratios), max(ratios), of_base, of_row)


def _seconds_per_step(trial: Trial, seconds: float, steps: int = 1) -> float:
    """Play for so long, and at least so many steps."""
    clock = time.process_time if trial.plan.recipe.device == "cpu" else time.perf_counter
    last: Stats = {}
    before, began = trial.state.step, clock()
    trial.go_on(
        lambda state: state.step - before >= steps and clock() - began >= seconds,
        [lambda state, stats: last.update(stats)],
    )
    last["generator_loss"].item()  # waits for the device
    return (clock() - began) / (trial.state.step - before)
