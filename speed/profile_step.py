"""Where a step of a recipe spends its time: python speed/profile_step.py forge-1 [field=value ...]

Prints images/s of the bare step (no hooks), processor time and page faults of a step, and what takes most of it.
"""

import resource
import sys
import time

import torch
from torch.profiler import ProfilerActivity, profile

from ganforge.data.catalogue import load
from ganforge.experiment.setup import Experiment
from ganforge.recipes.reading import load_recipe
from ganforge.runs.folder import RunFolder
from ganforge.training.memory import keep_freed_memory
from ganforge.training.precision import choose_precision
from ganforge.training.step import adversarial

WARM_UP, STEPS, ROUNDS, PROFILED = 10, 30, 3, 20


def main(name: str, changes: list[str]) -> None:
    """Play the recipe on MNIST and print."""
    splits = load("mnist")
    train = splits.train
    recipe = choose_precision(load_recipe(name, ["device=cpu", *changes]), train.shape, len(train.class_names))
    experiment = Experiment(recipe, splits, RunFolder("."), 0)
    state, streams, draws = experiment.new_state(), experiment.streams(), experiment.draws()

    def play(steps: int) -> None:
        for _ in range(steps):
            adversarial(state, recipe, streams, draws)

    keep_freed_memory()
    play(WARM_UP)
    print(f"{recipe.name}, {recipe.precision}, threads: {torch.get_num_threads()}")
    for _ in range(ROUNDS):
        before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        play(STEPS)
        after, seconds = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - started
        user, system = ((getattr(after, f) - getattr(before, f)) / STEPS * 1000 for f in ("ru_utime", "ru_stime"))
        faults = (after.ru_minflt - before.ru_minflt) / STEPS
        rate = STEPS * recipe.batch_size * recipe.discriminator_steps / seconds
        print(f"{rate:,.0f} images/s; of a step: {user:.1f} ms user, {system:.1f} ms system, {faults:.0f} page faults")
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen:
        play(PROFILED)
    print(seen.key_averages().table(sort_by="self_cpu_time_total", row_limit=15, max_name_column_width=40))
    shapes = seen.key_averages(group_by_input_shape=True)
    print(shapes.table(sort_by="self_cpu_time_total", row_limit=15, max_shapes_column_width=70))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
