"""What `train` costs beyond its bare step, and how long it takes to begin: speed/overhead.py [RECIPE] [STEPS].

Rounds in turn of the bare rule and of a whole run on MNIST with everything at its default cadence (log, sheets,
frames, checkpoints), in one process; then a fresh process: from the command to the first step, beyond importing torch,
and the most memory it ever held.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

import ganforge
from ganforge.data.load import load
from ganforge.experiment.experiment import Experiment, ProgressListener
from ganforge.recipes.reading import load_recipe
from ganforge.recipes.recipe import DEFAULT_RECIPE
from ganforge.runs.folder import RunFolder
from ganforge.training.state import State
from ganforge.training.stats import Stats
from ganforge.training.step_function import step_function
from ganforge.training.tuning.malloc import keep_freed_memory
from ganforge.training.tuning.precision import choose_precision

ROUNDS = 3

FRESH = """
import time; began = time.perf_counter()
import torch; imported = time.perf_counter()
import resource, ganforge
from ganforge.experiment.experiment import ProgressListener
class First(ProgressListener):
    def look(self, state, stats):
        if state.step == 1:
            print(f"first step {time.perf_counter() - imported:.2f} s after torch was there ({imported - began:.2f} s)")
run = ganforge.train(RECIPE, data="mnist", steps=50, out=OUT, watcher=First())
megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"most memory {megabytes:,.0f} MB, the verdict at the end included")
"""


class Clock(ProgressListener):
    """Notes when the first and the last step of a run were played."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def look(self, state: State, stats: Stats) -> None:
        """Note the time."""
        self.times.append(time.perf_counter())


def bare(name: str, steps: int) -> float:
    """Return seconds a step of the rule alone."""
    splits = load("mnist")
    recipe = load_recipe(name, ["run.device=cpu"])
    recipe = choose_precision(recipe, splits.train.shape, len(splits.train.class_names))
    experiment = Experiment(recipe, splits, RunFolder("."), 0)
    state, streams, draws, rule = (
        experiment.new_state(),
        experiment.streams(),
        experiment.draws(),
        step_function(recipe),
    )
    rule(state, recipe, streams, draws)
    began = time.perf_counter()
    for _ in range(steps):
        rule(state, recipe, streams, draws)
    return (time.perf_counter() - began) / steps


def whole(name: str, steps: int, out: Path) -> float:
    """Return seconds a step of a run, from its first step to its last."""
    clock = Clock()
    ganforge.train(name, data="mnist", steps=steps + 1, out=out, watcher=clock)
    return (clock.times[-1] - clock.times[0]) / steps


def main() -> None:
    """Print all of it."""
    name = sys.argv[1] if len(sys.argv) > 1 else DEFAULT_RECIPE
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as place:
        ratios = []
        for round_ in range(ROUNDS):
            alone, all_of_it = bare(name, steps), whole(name, steps, Path(place) / str(round_))
            ratios.append(all_of_it / alone)
            print(f"{name}: bare {1e3 * alone:.2f} ms a step, train {1e3 * all_of_it:.2f} ms", flush=True)
        print(f"train / bare: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
        code = FRESH.replace("RECIPE", repr(name)).replace("OUT", repr(str(Path(place) / "fresh")))
        subprocess.run([sys.executable, "-c", code], check=True)
    print(f"(MNIST's training images: {load('mnist').train.images.nbytes / 2**20:,.0f} MB; torch {torch.__version__})")


if __name__ == "__main__":
    main()
