"""The memory of this machine, and the least that a training needs of it."""

import os

import torch

from ganforge.recipes.recipe import Recipe
from ganforge.training.state import DTYPES

TENSORS_PER_WEIGHT = 4
"""A weight, its gradient, and Adam's two averages."""
PICTURES = 3
"""Real pictures, fakes, and the gradient at the fakes."""


def machine_memory(device: str) -> int | None:
    """Return all memory in bytes of this machine, or of its GPU; None where the system does not tell."""
    if device == "cuda" and torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[1])
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def least_memory(recipe: Recipe, weights: int, values: int) -> int:
    """Return a lower bound of the bytes that a step needs: weights, optimiser, averages, and the pictures of a batch.

    The outputs of the layers, often the larger part, and the data set are not counted.

    Args:
        recipe: the recipe.
        weights: number of weights of all networks.
        values: number of values of a picture.
    """
    averaged = bool(recipe.averaging.half_life)
    numbers = weights * (TENSORS_PER_WEIGHT + averaged) + recipe.batch_size * values * PICTURES
    return numbers * DTYPES.get(recipe.run.precision, torch.float32).itemsize  # "auto" chooses among 32 bits
