"""The training step of a recipe."""

from typing import Protocol

from ganforge.data.batches import Streams
from ganforge.recipes.recipe import Recipe
from ganforge.training.autoencoder_step import reconstruction_step
from ganforge.training.noise import NoiseSource
from ganforge.training.regression_step import regression_step
from ganforge.training.state import State
from ganforge.training.stats import Stats
from ganforge.training.step import adversarial_step


class StepFunction(Protocol):
    """A training step: changes the state and returns statistics."""

    def __call__(self, state: State, recipe: Recipe, streams: Streams, noise: NoiseSource) -> Stats:
        """Do one step and advance ``state.step``."""
        ...


def step_function(recipe: Recipe) -> StepFunction:
    """Return the training step of the recipe: adversarial, of an autoencoder, or regression without an adversary."""
    if recipe.reconstruction is not None:
        return reconstruction_step
    return regression_step if recipe.discriminator is None else adversarial_step
