"""What examinations cost of a training: speed/examinations.py [RECIPE ...] (cgan and dcgan), on MNIST, one thread.

A training of about a minute with examinations at their default cadence. The processor seconds of the steps and those of
the examinations are counted within the same training: two trainings in turn differ by more than examinations cost. The
preparation (judge, features of the real images) is counted apart.
"""

import sys
import tempfile
import time

import torch

from ganforge.data.load import load
from ganforge.experiment.examiner import Examiner
from ganforge.experiment.experiment import Experiment
from ganforge.experiment.signals_hook import SignalsHook, read_signals
from ganforge.recipes.reading import load_recipe
from ganforge.runs.folder import RunFolder
from ganforge.training import loop
from ganforge.training.state import State
from ganforge.training.stats import Stats
from ganforge.training.step_function import step_function

STEPS = {"cgan": 3500, "dcgan": 280}
USUAL_STEPS = 1000


def main(names: list[str]) -> None:
    """Measure the recipes one after the other."""
    torch.set_num_threads(1)
    splits = load("mnist")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            recipe = load_recipe(name, ["run.device=cpu", "run.precision=fp32"])
            measure(Experiment(recipe, splits, RunFolder(folder), 0), STEPS.get(name, USUAL_STEPS))


def measure(experiment: Experiment, steps: int) -> None:
    """Train and print the seconds of each part."""
    started = time.thread_time()
    Examiner(experiment).prepare()  # the judge keeps the features for the hook's own examiner
    prepared = time.thread_time() - started
    hook, spent = SignalsHook(experiment, time.perf_counter), [0.0]

    def timed(state: State, stats: Stats) -> None:
        began = time.thread_time()
        hook(state, stats)
        spent.append(time.thread_time() - began)

    state, recipe = experiment.new_state(), experiment.recipe
    stop = lambda state: state.step >= steps  # noqa: E731
    started = time.thread_time()
    streams, draws = experiment.streams(), experiment.draws()
    loop.train(state, step_function(recipe), recipe, streams, draws, stop=stop, hooks=[timed])
    whole, cost = time.thread_time() - started, sum(spent)
    print(
        f"{recipe.name}: {steps} steps in {whole - cost:.1f} s; {len(read_signals(experiment.folder))} examinations in "
        f"{cost:.2f} s, {cost / (whole - cost):.1%} of that; the preparation {prepared:.2f} s",
        flush=True,
    )
    started = time.thread_time()
    hook.finish(state)
    print(f"{recipe.name}: the examination at the end {time.thread_time() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["cgan", "dcgan"])
