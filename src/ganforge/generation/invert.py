"""Inversion of a generator: the latent whose image is nearest to a given picture.

A bank of drawn images gives the starts, gradient descent on latent and class weights goes on from the nearest ones
(Zhu et al. 2016, equation 4, without an encoder). Every image that results is one that the generator can make.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.data.images import scale
from ganforge.errors import UserError
from ganforge.generation.generator import Generator
from ganforge.process_state import plain_state

BANK, STARTS, STEPS, RATE = 3000, 10, 150, 0.06
"""Drawn images among which the starts are, starts for each picture, steps of Adam, and their size."""
PRIOR = 0.002
"""Weight of the mean square of the latent, which is 1 for random ones, beside the squared error of pixels."""
SHARPNESS = 4.0
"""How far the class weights of a start are from even ones, in logits."""


@dataclass(frozen=True)
class Inversion:
    """Latents for pictures, the nearest first.

    Attributes:
        latent: [N, S, latent_dim], S results for each of N pictures.
        condition: class weights [N, S, classes] with sum 1; None for an unconditional generator.
        images: uint8 [N, S, C, H, W], what the generator draws from them.
        error: mean squared error of the visible pixels, [N, S], in squared grey levels.
    """

    latent: Tensor
    condition: Tensor | None
    images: Tensor
    error: Tensor


@plain_state()
def invert(
    generator: Generator,
    pictures: Tensor,
    *,
    visible: Tensor | None = None,
    steps: int = STEPS,
    starts: int = STARTS,
    prior: float = PRIOR,
    seed: int = 0,
) -> Inversion:
    """Find the latents whose images are nearest to pictures, at their visible pixels.

    Args:
        generator: any trained generator that draws from noise.
        pictures: uint8 [N, C, H, W], of the generator's shape.
        visible: bool or float [N, 1, H, W], the pixels that count, or how much they count; all of them by default.
        steps: steps of Adam for each start.
        starts: number of starts, and of results, for each picture.
        prior: weight of the latent's mean square; higher values keep the results typical of the generator.
        seed: of the bank of drawn images.

    Raises:
        UserError: the pictures have another shape, or the generator draws from pictures.
    """
    shape = tuple(generator.note["shape"])
    if generator.recipe.pairs:
        raise UserError(f"{generator.recipe.name} makes pictures from pictures: 'ganforge apply' takes them")
    if tuple(pictures.shape[1:]) != shape:
        sizes = ["×".join(map(str, one)) for one in (tuple(pictures.shape[1:]), shape)]
        raise UserError(f"pictures of {sizes[0]} (channels × height × width), and the generator draws {sizes[1]}")
    device = generator.device
    target = scale(pictures.to(device), generator.recipe.pixel_range)
    weight = torch.ones_like(target[:, :1]) if visible is None else visible.to(target)
    latent, logits = _starts(generator, target, weight, starts, seed)
    target, weight = (part.repeat_interleave(starts, 0) for part in (target, weight))
    latent, logits = _descend(generator, target, weight, latent, logits, steps, prior)
    condition = None if logits is None else logits.softmax(1)
    images = generator.draw(latent, condition)
    true = pictures.to(device).repeat_interleave(starts, 0)
    error = _error(images.to(device).float(), true.float(), weight)
    order = error.view(-1, starts).argsort(1)

    def sorted_by_error(values: Tensor) -> Tensor:
        by_picture = values.view(len(pictures), starts, *values.shape[1:])
        return torch.stack([rows[places] for rows, places in zip(by_picture, order.to(values.device), strict=True)])

    return Inversion(
        sorted_by_error(latent),
        None if condition is None else sorted_by_error(condition),
        sorted_by_error(images),
        sorted_by_error(error),
    )


def _error(images: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the mean squared error [N] over the visible pixels."""
    pixels = weight.flatten(1).sum(1).clamp_min(1) * images.shape[1]
    return ((images - target).square() * weight).flatten(1).sum(1) / pixels


@torch.no_grad()
def _starts(
    generator: Generator, target: Tensor, weight: Tensor, starts: int, seed: int
) -> tuple[Tensor, Tensor | None]:
    """Return the latents of the ``starts`` nearest drawn images for each picture, and the logits of their classes."""
    bank = generator.latent(BANK, seed=seed, name="invert")
    classes = len(generator.class_names)
    labels = torch.arange(BANK, device=bank.device) % classes if classes else None
    images = scale(generator.draw(bank, labels).to(target.device), generator.recipe.pixel_range).flatten(1)
    visible = weight.expand_as(target).flatten(1)
    # sum of w (b - t)², without the part that is the same for the whole bank
    distances = visible @ images.square().T - 2 * (visible * target.flatten(1)) @ images.T
    nearest = distances.topk(starts, largest=False).indices.flatten()
    logits = None if labels is None else SHARPNESS * F.one_hot(labels[nearest], classes).float()
    return bank[nearest], logits


def _descend(
    generator: Generator,
    target: Tensor,
    weight: Tensor,
    latent: Tensor,
    logits: Tensor | None,
    steps: int,
    prior: float,
) -> tuple[Tensor, Tensor | None]:
    """Do ``steps`` steps of Adam, with a rate that falls to zero, on latents and class logits."""
    variables = [part.clone().requires_grad_() for part in (latent, logits) if part is not None]
    optimizer = torch.optim.Adam(variables, RATE)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / steps)
        condition = variables[1].softmax(1) if len(variables) > 1 else None
        images = generator.module(variables[0], condition)
        loss = (_error(images, target, weight) + prior * variables[0].square().mean(1)).sum()
        optimizer.zero_grad()
        loss.backward(inputs=variables)
        optimizer.step()
    found = [variable.detach() for variable in variables]
    return found[0], found[1] if len(found) > 1 else None
