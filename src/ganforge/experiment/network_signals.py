"""What an examination sees in the networks: logits on known and on new pictures, gradients, weights."""

from typing import Any

import torch
from torch import Tensor

from ganforge.data.batches import Batch
from ganforge.recipes.recipe import Recipe
from ganforge.training.noise import NoiseSource
from ganforge.training.state import Player, State
from ganforge.training.step import with_instance_noise

POWER_STEPS = 5
"""Steps of the power method for the largest singular value of a layer: within some per cent."""


def weight_fields(state: State, before: dict[str, list[Tensor]]) -> dict[str, Any]:
    """Return the norm of each player's weights, and the norm of their last change relative to it.

    Args:
        state: after the step.
        before: the weights of each player before the step; empty where they are not known.
    """
    norms = {name: _norm(player.parameters) for name, player in state.players().items()}
    changes = {
        name: _norm([p.detach() - q for p, q in zip(player.parameters, before[name], strict=True)])
        for name, player in state.players().items()
        if name in before
    }
    relative = {name: change / norms[name] for name, change in changes.items() if norms[name]}
    return {"weight_norm": norms, "update_to_weight": relative or None}


def weights_of(state: State) -> dict[str, list[Tensor]]:
    """Return a copy of the weights of each player."""
    return {name: [p.detach().clone() for p in player.parameters] for name, player in state.players().items()}


def _norm(tensors: list[Any]) -> float:
    """Return the Euclidean norm of all tensors together."""
    norms = torch._foreach_norm([tensor.detach() for tensor in tensors])
    return float(torch.stack([norm.float() for norm in norms]).norm())


def logit_fields(
    state: State, recipe: Recipe, noise: NoiseSource, train: Batch, held_out: Batch, fake: Batch
) -> dict[str, Any]:
    """Return the discriminator's logits on training images, on held-out images and on fakes, and the gradient that it
    gives to the fakes.

    All batches are on the device and scaled, with as many rows; fakes have the conditions that they were asked for.
    Images get the instance noise of the step. Training and held-out images share batches, so that layers which mix
    samples treat them alike.
    """
    discriminator, draws = state.discriminator, noise.at(state.step, 0)
    discriminator.reseed(draws.seed("examination"))
    train, held_out, fake = (
        Batch(with_instance_noise(state, recipe, draws, batch.images, f"examined {name}"), batch.condition)
        for name, batch in (("train", train), ("held out", held_out), ("fake", fake))
    )
    size, packing = recipe.batch_size, discriminator.packing
    with torch.no_grad():
        on_real = _logits(discriminator, _interleaved(train, held_out, packing), size)
        on_fake = _logits(discriminator, fake, size)
    on_train, on_held_out = on_real[::2], on_real[1::2]
    middle = (on_train.mean() + on_fake.mean()) / 2
    reals_above = on_train.mean() >= on_fake.mean()
    as_fake = (on_held_out < middle) if reals_above else (on_held_out > middle)
    return {
        "logit_train": float(on_train.mean()),
        "logit_held_out": float(on_held_out.mean()),
        "logit_fake": float(on_fake.mean()),
        "logit_std": float(torch.cat([on_train, on_fake]).std()),
        "held_out_as_fake": float(as_fake.float().mean()),
        "gradient_at_output": _gradient(discriminator, recipe, train, fake),
    }


def _interleaved(first: Batch, second: Batch, packing: int) -> Batch:
    """Return both batches as one, in which packs of images of the first and of the second take turns."""

    def joined(a: Tensor, b: Tensor) -> Tensor:
        packs = torch.stack([a.unflatten(0, (-1, packing)), b.unflatten(0, (-1, packing))], 1)
        return packs.flatten(0, 2)

    condition = None
    if first.condition is not None and second.condition is not None:
        condition = joined(first.condition, second.condition)
    return Batch(joined(first.images, second.images), condition)


def _logits(discriminator: Player, batch: Batch, size: int) -> Tensor:
    """Return logits in batches of the training's size; the last rows are repeated to fill the last batch."""
    rows = torch.arange(-(-len(batch.images) // size) * size, device=batch.images.device) % len(batch.images)
    condition = None if batch.condition is None else batch.condition[rows].split(size)
    blocks = batch.images[rows].split(size)
    logits = [
        discriminator.logits(block, None if condition is None else condition[k]) for k, block in enumerate(blocks)
    ]
    return torch.cat(logits).float()[: len(batch.images) // discriminator.packing]


def _gradient(discriminator: Player, recipe: Recipe, real: Batch, fake: Batch) -> float | None:
    """Return the norm of the gradient of a fake's generator loss with respect to its pixels, mean over a batch."""
    assert recipe.objective is not None
    size = min(recipe.batch_size, len(fake.images)) // discriminator.packing * discriminator.packing
    images = fake.images[:size].detach().requires_grad_(True)
    conditions = [None if batch.condition is None else batch.condition[:size] for batch in (real, fake)]
    on_real = None
    if recipe.objective.needs_real_logits:
        with torch.no_grad():
            on_real = discriminator.logits(real.images[:size], conditions[0])
    loss = recipe.objective.generator_loss(on_real, discriminator.logits(images, conditions[1])).sum()
    (gradient,) = torch.autograd.grad(loss, images)
    return float(gradient.flatten(1).norm(dim=1).mean())


@torch.no_grad()
def largest_singular_value(player: Player) -> float | None:
    """Return the largest singular value of a player's layers, each weight as a matrix [outputs, inputs]."""
    matrices = [p.detach().flatten(1).float() for p in player.parameters if p.ndim > 1]
    return max((_spectral_norm(matrix) for matrix in matrices), default=None)


def _spectral_norm(matrix: Tensor) -> float:
    right = torch.full((matrix.shape[1],), matrix.shape[1] ** -0.5, device=matrix.device)
    for _ in range(POWER_STEPS):
        left = torch.nn.functional.normalize(matrix @ right, dim=0)
        right = torch.nn.functional.normalize(matrix.T @ left, dim=0)
    return float((matrix @ right).norm())
