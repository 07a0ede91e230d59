"""Which rule a recipe is played by."""

from ganforge.recipes.recipe import Recipe
from ganforge.training.autoencoder_step import reconstruction
from ganforge.training.step import StepFn, adversarial


def rule_of(recipe: Recipe) -> StepFn:
    """Return how one round of the recipe goes."""
    return adversarial if recipe.reconstruction is None else reconstruction
