"""The precision of a run, chosen by timing real training steps."""

from ganforge.files import read_cached, write_cached
from ganforge.recipes.recipe import Recipe
from ganforge.training.tuning.step_timer import Shape, cache_path, fastest_steps, timed_step

PRECISIONS = ("fp32", "bf16")


def choose_precision(recipe: Recipe, shape: Shape, classes: int) -> Recipe:
    """Return the recipe with ``auto`` precision replaced by bf16 or fp32, whichever step is faster on this machine.

    bf16 halves the time on CPUs with bf16 units and multiplies it on others, so both are timed, once. The answer is
    cached for this machine, torch build, number of threads and recipe.
    """
    if recipe.run.precision != "auto":
        return recipe
    file = cache_path("precision", recipe, shape, classes)
    precision = read_cached(file)
    if precision not in PRECISIONS:
        precision = _fastest_precision(recipe, shape, classes)
        write_cached(file, precision)
    return recipe.with_run(precision=precision)


def _fastest_precision(recipe: Recipe, shape: Shape, classes: int) -> str:
    """Return the precision with the fastest step."""
    recipes = {precision: recipe.with_run(precision=precision) for precision in PRECISIONS}
    times = fastest_steps({name: timed_step(variant, shape, classes) for name, variant in recipes.items()})
    return min(times, key=times.__getitem__)
