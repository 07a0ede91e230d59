"""What examinations cost of a training: speed/examinations.py [RECIPE ...] (cgan and dcgan), on MNIST.

Rounds in turn of a training without examinations and of one with them at their default cadence, in processor seconds
of one thread, with the first use of the real images (reader and features) counted apart; then the parts of one
examination of 256 pictures. A training is so long that it ends between two marks.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from ganforge.data.load import load
from ganforge.experiment.examiner import Examiner
from ganforge.experiment.experiment import Experiment
from ganforge.experiment.signals_hook import PICTURES, SignalsHook, read_signals
from ganforge.recipes.reading import load_recipe
from ganforge.runs.folder import RunFolder
from ganforge.training import loop
from ganforge.training.step_function import step_function

ROUNDS = 2
STEPS = {"dcgan": 80}
USUAL_STEPS = 1000


def seconds(experiment: Experiment, steps: int, *, examined: bool) -> tuple[float, float]:
    """Return the processor seconds of a training, and those of the preparation of real images."""
    state, recipe, hooks = experiment.new_state(), experiment.recipe, []
    started = time.thread_time()
    if examined:
        Examiner(experiment).prepare()  # the judge keeps the features for the hook's own examiner
        hooks.append(SignalsHook(experiment, time.perf_counter))
    prepared = time.thread_time()
    stop = lambda state: state.step >= steps  # noqa: E731
    loop.train(state, step_function(recipe), recipe, experiment.streams(), experiment.draws(), stop=stop, hooks=hooks)
    return time.thread_time() - prepared, prepared - started


def experiment_of(name: str, folder: Path) -> Experiment:
    """Return an experiment of a recipe on MNIST."""
    folder.mkdir()
    recipe = load_recipe(name, ["run.device=cpu", "run.precision=fp32"])
    return Experiment(recipe, load("mnist"), RunFolder(folder), 0)


def main(names: list[str]) -> None:
    """Measure the recipes one after the other."""
    torch.set_num_threads(1)
    for name in names:
        steps = STEPS.get(name, USUAL_STEPS)
        bare, whole, preparations, count = [], [], [], 0
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                experiment = experiment_of(name, Path(folder) / "run")
                bare.append(seconds(experiment, steps, examined=False)[0])
                trained, prepared = seconds(experiment, steps, examined=True)
                whole.append(trained)
                preparations.append(prepared)
                count = len(read_signals(experiment.folder))
        costs = [100 * (b / a - 1) for a, b in zip(bare, whole, strict=True)]
        print(
            f"{name}: {steps} steps in {statistics.median(bare):.1f} s; {count} examinations cost "
            f"{statistics.median(costs):.1f} % ({min(costs):.1f} to {max(costs):.1f}), their preparation "
            f"{max(preparations):.2f} s"
        )
        with tempfile.TemporaryDirectory() as folder:
            experiment = experiment_of(name, Path(folder) / "run")
            examiner, state = Examiner(experiment), experiment.new_state()
            examiner.prepare()
            started = time.thread_time()
            examiner.examine(state, PICTURES)
            print(f"{name}: one examination of {PICTURES} pictures {time.thread_time() - started:.3f} s")


if __name__ == "__main__":
    main(sys.argv[1:] or ["cgan", "dcgan"])
