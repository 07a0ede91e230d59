"""The training loop of all recipes."""

from collections.abc import Callable, Iterable

from ganforge.data.batches import Streams
from ganforge.recipes.recipe import Recipe
from ganforge.training.noise import NoiseSource
from ganforge.training.state import State
from ganforge.training.stats import Stats
from ganforge.training.step_function import StepFunction
from ganforge.training.tuning.thread_spinning import considerate_spinning

Hook = Callable[[State, Stats], None]
"""A function called after each step, which must not change the state. Reading a statistic waits for the device."""


@considerate_spinning()
def train(
    state: State,
    step_fn: StepFunction,
    recipe: Recipe,
    streams: Streams,
    noise: NoiseSource,
    *,
    stop: Callable[[State], bool],
    hooks: Iterable[Hook] = (),
) -> None:
    """Run steps until ``stop(state)`` is true; call all hooks in order after each step."""
    while not stop(state):
        stats = step_fn(state, recipe, streams, noise)
        for hook in hooks:
            hook(state, stats)
