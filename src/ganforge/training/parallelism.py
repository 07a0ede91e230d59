"""How the cores of a processor are shared out among several runs, found out by playing the real step for a moment."""

import torch

from ganforge.recipes.recipe import Recipe
from ganforge.training.step_timer import Shape, cache_path, fastest_steps, read, timed_step, write

START = 2.0
"""Seconds after which a process of its own plays its first step: torch, the data and the checkpoint are loaded."""
DISTURBANCE = 1.1
"""How many times as long a step takes beside others as alone (docs/lab/performance.md)."""
TOO_SHORT = 100
"""Steps of all runs together for which nothing is measured: they are over before another process has begun."""


def runs_at_once(recipe: Recipe, shape: Shape, classes: int, runs: int, steps: int) -> int:
    """Return how many of so many runs to play side by side, with ``threads_each`` threads for each; 1: one by one.

    A step is played with all threads, and with a share of them; the way with the earlier end is taken. The times are
    kept in the cache folder, so that the same call is played in the same way again.
    """
    cores = torch.get_num_threads()
    together = min(cores, runs)
    if recipe.device != "cpu" or together == 1 or runs * steps < TOO_SHORT:
        return 1
    each = threads_each(together)
    file = cache_path(f"cores-{each}", recipe, shape, classes)
    times = read(file)
    if not isinstance(times, dict) or set(times) != {"all", "share"}:
        times = _measured(recipe, shape, classes, each)
        write(file, times)
    turns = -(-runs // together)
    beside = START + turns * steps * DISTURBANCE * float(times["share"])
    return together if beside < runs * steps * float(times["all"]) else 1


def threads_each(together: int) -> int:
    """Return how many threads each of so many runs gets."""
    return max(1, torch.get_num_threads() // together)


def _measured(recipe: Recipe, shape: Shape, classes: int, share: int) -> dict[str, float]:
    """Return the seconds of a step with all threads and with a share of them."""
    cores = torch.get_num_threads()
    step = timed_step(recipe, shape, classes)

    def with_threads(count: int) -> float:
        torch.set_num_threads(count)
        return step()

    try:
        return fastest_steps({"all": lambda: with_threads(cores), "share": lambda: with_threads(share)})
    finally:
        torch.set_num_threads(cores)
