"""Number of parallel runs on the cores of a CPU, chosen by timing real training steps."""

import torch

from ganforge.files import read_cached, write_cached
from ganforge.recipes.recipe import Recipe
from ganforge.training.tuning.step_timer import Shape, cache_path, fastest_steps, timed_step

STARTUP_SECONDS = 2.0
"""Seconds until a new process runs its first step: it loads torch, the data and the checkpoint."""
SLOWDOWN = 1.1
"""Factor by which a step slows down beside other runs (docs/lab/performance.md)."""
MIN_TOTAL_STEPS = 100
"""Total number of steps below which nothing is timed: the runs end before another process has started."""


def runs_at_once(recipe: Recipe, shape: Shape, classes: int, runs: int, steps: int) -> int:
    """Return how many of ``runs`` to run in parallel, each with ``threads_each`` threads; 1 means one after another.

    A step is timed with all threads and with the threads of one parallel run; the alternative with the earlier end is
    returned. The times are cached in the cache folder, so the same call returns the same answer.
    """
    cores = torch.get_num_threads()
    parallel = min(cores, runs)
    if recipe.run.device != "cpu" or parallel == 1 or runs * steps < MIN_TOTAL_STEPS:
        return 1
    threads = threads_each(parallel)
    file = cache_path(f"cores-{threads}", recipe, shape, classes)
    times = read_cached(file)
    if not isinstance(times, dict) or set(times) != {"all", "share"}:
        times = _time_steps(recipe, shape, classes, threads)
        write_cached(file, times)
    rounds = -(-runs // parallel)
    parallel_seconds = STARTUP_SECONDS + rounds * steps * SLOWDOWN * float(times["share"])
    return parallel if parallel_seconds < runs * steps * float(times["all"]) else 1


def threads_each(parallel: int) -> int:
    """Return the number of threads of each of ``parallel`` runs."""
    return max(1, torch.get_num_threads() // parallel)


def _time_steps(recipe: Recipe, shape: Shape, classes: int, threads: int) -> dict[str, float]:
    """Return the seconds of a step with all threads ("all") and with ``threads`` of them ("share")."""
    cores = torch.get_num_threads()
    step = timed_step(recipe, shape, classes)

    def with_threads(count: int) -> float:
        torch.set_num_threads(count)
        return step()

    try:
        return fastest_steps({"all": lambda: with_threads(cores), "share": lambda: with_threads(threads)})
    finally:
        torch.set_num_threads(cores)
