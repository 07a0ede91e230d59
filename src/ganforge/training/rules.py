"""The training step of a recipe."""

from ganforge.recipes.recipe import Recipe
from ganforge.training.autoencoder_step import reconstruction
from ganforge.training.step import StepFn, adversarial


def rule_of(recipe: Recipe) -> StepFn:
    """Return the training step of the recipe: adversarial, or reconstruction for autoencoders."""
    return adversarial if recipe.reconstruction is None else reconstruction
