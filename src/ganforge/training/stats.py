"""Statistics of a training step, as scalars on the device."""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ganforge.recipes.recipe import Recipe
from ganforge.training.state import Player, State

Stats = dict[str, Tensor]
"""Scalars on the device, by name; reading one waits for the device."""


@torch.no_grad()
def gradient_and_spread_stats(state: State, real: Tensor, fake: Tensor) -> Stats:
    """Return the gradient norm of each player, and the spread of the real and of the generated images."""
    return {
        **{f"{name}_gradient": torch.nn.utils.get_total_norm(gradients(p)) for name, p in state.players().items()},
        "real_spread": spread(real),
        "fake_spread": spread(fake),
    }


def spread(images: Tensor) -> Tensor:
    """Return the variance over the batch, summed over pixels; 0 where all images are equal."""
    x, n = images.flatten(1), len(images)
    # var = (sum of squares - square of sum / n) / (n - 1): five times as fast as torch.var over the first axis
    return ((x.square().sum() - x.sum(0).square().sum() / n) / (n - 1)).clamp_min(0)


def gradients(player: Player) -> list[Tensor]:
    """Return the gradients of the player's last update."""
    return [parameter.grad for parameter in player.parameters if parameter.grad is not None]


@torch.no_grad()
def logit_stats(recipe: Recipe, real: Tensor, fake: Tensor) -> Stats:
    """Return mean and standard deviation of the logits and, for probabilistic objectives, D(x), D(G(z)) and V(D, G)."""
    assert recipe.objective is not None
    stats = {"real_logit": real.mean(), "fake_logit": fake.mean()}
    stats |= {"real_logit_std": real.std(), "fake_logit_std": fake.std()}
    if recipe.objective.probabilistic:
        stats["d_real"], stats["d_fake"] = real.sigmoid().mean(), fake.sigmoid().mean()
        stats["value"] = logsigmoid(real).mean() + logsigmoid(-fake).mean()
    return stats
