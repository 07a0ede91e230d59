"""Location of the first NaN or infinity of a diverged run."""

import torch

from ganforge.data.batches import Streams
from ganforge.recipes.recipe import Recipe
from ganforge.training.noise import NoiseSource
from ganforge.training.state import Player, State
from ganforge.training.stats import Stats
from ganforge.training.step_function import StepFunction


class Diverged(Exception):
    """A statistic or a weight is NaN or infinite."""


def trace(state: State, step_fn: StepFunction, recipe: Recipe, streams: Streams, noise: NoiseSource, last: int) -> str:
    """Replay steps from a finite state up to ``last``; return the step, player and tensor that first became non-finite.

    Weights never recover from NaN, so training itself need not check every step: a replay is exact and finds the
    origin.
    """
    while state.step < last:
        stats = step_fn(state, recipe, streams, noise)
        for name, player in reversed(state.players().items()):  # the generator is updated last
            tensor = _first_nonfinite(name, player, stats)
            if tensor:
                return f"step {state.step}: {tensor} of the {name} is not finite"
    return f"step {last}: a statistic is not finite"


def _first_nonfinite(name: str, player: Player, stats: Stats) -> str | None:
    if not torch.isfinite(stats[f"{name}_loss"]):
        return "the loss"
    for key, parameter in player.module.named_parameters():
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
            return f"the gradient of {key}"
    for key, parameter in player.module.named_parameters():
        if not torch.isfinite(parameter).all():
            return f"the weight {key}"
    return None
