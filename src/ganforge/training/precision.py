"""In which numbers the layers compute, found out by playing the real step for a moment."""

from ganforge.recipes.recipe import Recipe
from ganforge.training.step_timer import Shape, cache_path, fastest_steps, read, timed_step, write

PRECISIONS = ("fp32", "bf16")


def choose_precision(recipe: Recipe, shape: Shape, classes: int) -> Recipe:
    """Return the recipe with ``auto`` precision settled: bf16 where a step is faster with it on this machine, or fp32.

    bf16 halves the time on processors with units for it and multiplies it on others, so it is measured, once: the
    answer is kept in the cache folder for this machine, torch, number of threads and recipe, and the same recipe gets
    the same answer again.
    """
    if recipe.precision != "auto":
        return recipe
    file = cache_path("precision", recipe, shape, classes)
    known = read(file)
    if known not in PRECISIONS:
        known = _faster(recipe, shape, classes)
        write(file, known)
    return recipe.model_copy(update={"precision": known})


def _faster(recipe: Recipe, shape: Shape, classes: int) -> str:
    """Return the precision whose fastest step is the fastest."""
    recipes = {precision: recipe.model_copy(update={"precision": precision}) for precision in PRECISIONS}
    times = fastest_steps({name: timed_step(changed, shape, classes) for name, changed in recipes.items()})
    return min(times, key=times.__getitem__)
