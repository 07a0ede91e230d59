"""The end of every training step: counters and weight averages."""

import torch
from torch import Tensor

from ganforge.recipes.recipe import Recipe
from ganforge.training.schedule import ema_decay
from ganforge.training.state import Player, State


def finish_step(state: State, recipe: Recipe) -> None:
    """Advance the counters and update the weight averages with the new weights."""
    state.step += 1
    state.images_seen += recipe.batch_size * recipe.game.discriminator_steps
    for name, player in state.players().items():
        average(player, ema_decay(recipe, state.images_seen))
        update_running_mean(state.averages.get(name, []), player, state.step)


def average(player: Player, decay: float) -> None:
    """Update the exponential moving average of the weights: ema = decay · ema + (1 - decay) · weights."""
    if player.ema is not None:
        averaged: list[Tensor] = list(player.ema.parameters())
        torch._foreach_lerp_(averaged, [p.detach() for p in player.parameters], 1 - decay)


def update_running_mean(averages: list[Tensor], player: Player, steps: int) -> None:
    """Update the mean of the weights over all ``steps``, in which the initial weights count as one more step."""
    if averages:
        torch._foreach_lerp_(averages, [p.detach() for p in player.parameters], 1 / (steps + 1))
