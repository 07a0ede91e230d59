"""What a step saw, as scalars on the device."""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ganforge.recipes.recipe import Recipe
from ganforge.training.state import State

Stats = dict[str, Tensor]
"""Scalars on the device, by name: nobody has waited for them yet. Of an ensemble: numbers [members]."""


@torch.no_grad()
def seen(state: State, real: Tensor, fake: Tensor) -> Stats:
    """How long the players' gradients were, and how far real images and those that were made spread."""
    return {
        **{f"{name}_gradient": player.gradient_norm() for name, player in state.players().items()},
        "real_spread": spread(real),
        "fake_spread": spread(fake),
    }


def spread(images: Tensor) -> Tensor:
    """Sum over pixels of the variance over the batch; 0 where all images are alike."""
    x = images.flatten(-3)
    n = x.shape[-2]
    # var = (sum of squares - square of sum / n) / (n - 1): five times as fast as torch.var over the first axis
    return ((x.square().sum((-1, -2)) - x.sum(-2).square().sum(-1) / n) / (n - 1)).clamp_min(0)


@torch.no_grad()
def outputs(recipe: Recipe, real: Tensor, fake: Tensor) -> Stats:
    """What the discriminator said: its logits, and where these are probabilities D(x), D(G(z)) and V(D, G)."""
    assert recipe.objective is not None
    stats = {"real_logit": real.mean(-1), "fake_logit": fake.mean(-1)}
    stats |= {"real_logit_std": real.std(-1), "fake_logit_std": fake.std(-1)}
    if recipe.objective.probabilistic:
        stats["d_real"], stats["d_fake"] = real.sigmoid().mean(-1), fake.sigmoid().mean(-1)
        stats["value"] = logsigmoid(real).mean(-1) + logsigmoid(-fake).mean(-1)
    return stats
