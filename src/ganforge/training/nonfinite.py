"""Finding out where numbers stopped being numbers."""

import torch

from ganforge.data.batches import Streams
from ganforge.recipes.recipe import Recipe
from ganforge.training.noise import NoiseSource
from ganforge.training.state import Player, State
from ganforge.training.stats import Stats
from ganforge.training.step import StepFn


class Diverged(Exception):
    """A statistic or a weight is NaN or infinite."""


def trace(state: State, rule: StepFn, recipe: Recipe, streams: Streams, draws: NoiseSource, last: int) -> str:
    """Play on from a good state with a look at every tensor, and name the step, player and tensor that broke first.

    NaN never heals in weights, so steps need no checks while all goes well: this replays them exactly, up to ``last``.
    """
    while state.step < last:
        stats = rule(state, recipe, streams, draws)
        for name, player in reversed(state.players().items()):  # the generator moves last
            tensor = _first_broken(name, player, stats)
            if tensor:
                return f"step {state.step}: {tensor} of the {name} is not finite"
    return f"step {last}: a statistic is not finite"


def _first_broken(name: str, player: Player, stats: Stats) -> str | None:
    if not torch.isfinite(stats[f"{name}_loss"]):
        return "the loss"
    for key, parameter in player.module.named_parameters():
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
            return f"the gradient of {key}"
    for key, parameter in player.module.named_parameters():
        if not torch.isfinite(parameter).all():
            return f"the weight {key}"
    return None
