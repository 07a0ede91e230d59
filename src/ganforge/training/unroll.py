"""Unrolled GAN: the generator is trained against the discriminator's weights some steps ahead."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ganforge.data.batches import Batch
from ganforge.recipes.recipe import Recipe
from ganforge.training.state import Player

TINY = 1e-30
"""Added under the square root: otherwise a weight whose gradient was always 0 has an infinite derivative."""


Weights = dict[str, Tensor]


def unroll(player: Player, loss: Callable[[Weights], Tensor], times: int, lr: float) -> Weights:
    """Return a player's weights by name after ``times`` further Adam steps on ``loss(weights)``, with their graph.

    The steps continue from the optimiser's moments and step count; the player itself does not change. The generator's
    gradient passes through the steps (Metz et al. 2017, eq. 6 to 8); with 0 steps it is the plain gradient.
    """
    adam = player.optimizer
    (beta1, beta2), eps = adam.betas, adam.eps
    weights: Weights = dict(player.module.named_parameters())
    first, second = adam.averages["exp_avg"], adam.averages["exp_avg_sq"]
    steps = adam.steps.clone()  # stays on the device, so nothing waits for it
    for k in range(1, times + 1):
        # heads that do not enter the loss, such as the one for codes, get gradients of 0
        gradients = torch.autograd.grad(
            loss(weights), list(weights.values()), create_graph=True, materialize_grads=True
        )
        first = [beta1 * m + (1 - beta1) * g for m, g in zip(first, gradients, strict=True)]
        second = [beta2 * v + (1 - beta2) * g.square() for v, g in zip(second, gradients, strict=True)]
        bias1, bias2 = 1 - beta1 ** (steps + k), 1 - beta2 ** (steps + k)
        updated = [
            w - lr * (m / bias1) / ((v / bias2 + TINY).sqrt() + eps)
            for w, m, v in zip(weights.values(), first, second, strict=True)
        ]
        weights = dict(zip(weights, updated, strict=True))
    return weights


def unrolled_weights(recipe: Recipe, discriminator: Player, real: Batch, fake: Batch, lr: float) -> Weights | None:
    """Return the discriminator's weights ``game.unroll`` steps ahead on these batches; None without unrolling."""
    if not recipe.game.unroll:
        return None
    return unroll(discriminator, partial(unrolled_loss, recipe, discriminator, real, fake), recipe.game.unroll, lr)


def unrolled_loss(recipe: Recipe, discriminator: Player, real: Batch, fake: Batch, weights: Weights) -> Tensor:
    """Return the loss [] of a discriminator with these weights: the objective alone, without penalties and terms."""
    assert recipe.objective is not None
    on_real, on_fake = discriminator.discriminate([real, fake], weights)
    return recipe.objective.discriminator_loss(on_real.logits, on_fake.logits).mean()
