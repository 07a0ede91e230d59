"""The one training loop: play rounds until told to stop, and let the hooks look."""

from collections.abc import Callable, Iterable

from ganforge.data.batches import Streams
from ganforge.recipes.recipe import Recipe
from ganforge.training.noise import NoiseSource
from ganforge.training.state import State
from ganforge.training.stats import Stats
from ganforge.training.step import StepFn
from ganforge.training.thread_spinning import considerate_spinning

Hook = Callable[[State, Stats], None]
"""Looks at the state between two steps and never changes it. Reading a statistic waits for the device."""


@considerate_spinning()
def train(
    state: State,
    rule: StepFn,
    recipe: Recipe,
    streams: Streams,
    draws: NoiseSource,
    *,
    stop: Callable[[State], bool],
    hooks: Iterable[Hook] = (),
) -> None:
    """Play until ``stop`` says so; after each step every hook looks, in their order."""
    while not stop(state):
        stats = rule(state, recipe, streams, draws)
        for hook in hooks:
            hook(state, stats)
