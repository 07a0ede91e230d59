"""What the discriminator would become if it went on learning: the generator plays against that (unrolled GAN)."""

from collections.abc import Callable

import torch
from torch import Tensor

from ganforge.recipes.recipe import Recipe
from ganforge.training.state import Player

TINY = 1e-30
"""Under the root: a weight whose gradient was always 0 must not make an infinite one."""


Weights = dict[str, Tensor]


def unroll(player: Player, loss: Callable[[Weights], Tensor], times: int, rate: float) -> Weights:
    """Return a player's weights by name after ``times`` more Adam steps on a loss of its weights, with their graph.

    The player itself does not move: weights, moments and step count are those of its optimiser, continued on paper.
    The generator's gradient goes through the steps (Metz et al. 2017, eq. 6 to 8); without any it is the plain one.
    """
    adam = player.optimizer
    (beta1, beta2), eps = adam.betas, adam.eps
    weights: Weights = dict(player.module.named_parameters())
    first, second = adam.averages["exp_avg"], adam.averages["exp_avg_sq"]
    done = adam.steps.clone()  # a tensor on the device: nothing waits for it
    for k in range(1, times + 1):
        # a head that says nothing of real or fake, such as one for codes, has slopes of 0
        slopes = torch.autograd.grad(loss(weights), list(weights.values()), create_graph=True, materialize_grads=True)
        first = [beta1 * m + (1 - beta1) * g for m, g in zip(first, slopes, strict=True)]
        second = [beta2 * v + (1 - beta2) * g.square() for v, g in zip(second, slopes, strict=True)]
        bias1, bias2 = 1 - beta1 ** (done + k), 1 - beta2 ** (done + k)
        moved = [
            w - rate * (m / bias1) / ((v / bias2 + TINY).sqrt() + eps)
            for w, m, v in zip(weights.values(), first, second, strict=True)
        ]
        weights = dict(zip(weights, moved, strict=True))
    return weights


def unrolled_loss(
    recipe: Recipe, discriminator: Player, real: Tensor, fake: Tensor, labels: Tensor | None, weights: Weights
) -> Tensor:
    """Loss [] of a discriminator with these weights; the objective alone, without penalties."""
    assert recipe.objective is not None
    said_real, said_fake = discriminator.discriminate([(real, labels), (fake, labels)], weights)
    return recipe.objective.discriminator_loss(said_real.logits, said_fake.logits).mean()
