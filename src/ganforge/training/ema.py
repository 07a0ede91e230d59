"""What a round that was played leaves behind: its place in the run, and in the averages of the weights."""

import torch
from torch import Tensor

from ganforge.recipes.recipe import Recipe
from ganforge.training.schedule import ema_decay
from ganforge.training.state import Player, State


def finish_step(state: State, recipe: Recipe) -> None:
    """Count the round, and take the weights after it into their averages."""
    state.step += 1
    state.images_seen += recipe.batch_size * recipe.discriminator_steps
    for name, player in state.players().items():
        average(player, ema_decay(recipe, state.images_seen))
        remember(state.averages.get(name, []), player, state.step)


def average(player: Player, keep: float) -> None:
    """Move the averaged weights towards the present ones, keeping so much of what they were."""
    if player.ema is not None:
        averaged: list[Tensor] = list(player.ema.parameters())
        torch._foreach_lerp_(averaged, [p.detach() for p in player.parameters], 1 - keep)


def remember(averages: list[Tensor], player: Player, steps: int) -> None:
    """Take the weights after so many steps into their averages, in which the initial ones count as one step."""
    if averages:
        torch._foreach_lerp_(averages, [p.detach() for p in player.parameters], 1 / (steps + 1))
