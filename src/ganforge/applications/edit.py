"""Editing of pictures with any trained generator, without further training.

A picture, the known part of one, or a rough drawing is answered by the nearest pictures that the generator can make
(`ganforge.generation.invert`). From there class, attributes or a second picture change the result, and every step in
between is a picture of the generator too.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganforge.data.class_names import number_of
from ganforge.data.images import scale
from ganforge.data.traits import measured_attributes
from ganforge.errors import UserError, suggest_names
from ganforge.generation.generator import Generator, great_circle
from ganforge.generation.invert import STARTS, Inversion, invert

FRAMES = 8
"""Pictures from one end of a change to the other."""
MEASURED = 4000
"""Drawn pictures on which the directions of attributes are fitted."""
LEAST_FIT = 0.1
"""Smallest share of an attribute's variance that a direction must explain to be offered."""
TYPICAL, FREE_WEIGHT = 500, 0.3
"""Drawn pictures whose median is the usual picture, and the weight of pixels that a drawing leaves free."""
ROUGH = 0.05
"""Weight of the latent's mean square for a drawing, whose strokes need not be met exactly."""
PRINCIPAL = 3
"""Principal directions that are offered as attributes without a name."""

ATTRIBUTES = {
    "ink": "little to much ink",
    "slant": "leaning to the left, to the right",
    "width": "narrow to wide",
    "height": "low to high",
}
COLOURS = {"warmth": "blue to red", "green": "magenta to green"}
USABLE = 3
"""Standard deviations, to either side, within which most changed pictures still look like pictures."""


class Edited(NamedTuple):
    """A row of pictures uint8 [N, C, H, W], and its name."""

    images: Tensor
    name: str


@dataclass(frozen=True)
class Start:
    """The picture from which an edit goes on: its latent, its class weights, and how near it is to the given one."""

    latent: Tensor
    condition: Tensor | None
    psnr: float


def reconstruct(generator: Generator, picture: Tensor, *, draws: int = 1, seed: int = 0) -> tuple[Edited, Start]:
    """Answer a picture uint8 [1, C, H, W] by the ``draws`` nearest pictures of the generator."""
    inversion = invert(generator, picture, seed=seed, starts=max(draws, STARTS))
    return Edited(torch.cat([picture, inversion.images[0, :draws]]), "given, nearest"), start_of(inversion)


def complete(generator: Generator, picture: Tensor, free: Tensor, *, draws: int = 4, seed: int = 0) -> Edited:
    """Fill the free pixels, bool [1, 1, H, W], of a picture; the others are kept exactly."""
    inversion = invert(generator, picture, visible=~free, seed=seed, starts=max(draws, STARTS))
    filled = torch.where(free, inversion.images[0, :draws], picture)
    return Edited(torch.cat([picture.masked_fill(free, 128), filled]), "given, completed")


def answer_strokes(generator: Generator, drawing: Tensor, drawn: Tensor, *, draws: int = 4, seed: int = 0) -> Edited:
    """Answer a rough drawing by the nearest pictures, at its drawn pixels (bool [1, 1, H, W]).

    Free pixels weigh a little, too, and their target is the median picture of the generator: with none of it a picture
    that is bright everywhere would answer every drawing.
    """
    usual = generator.sample_classes(TYPICAL, seed=seed).median(0, keepdim=True).values
    weight = torch.where(drawn, 1.0, FREE_WEIGHT)
    target = torch.where(drawn, drawing, usual)
    inversion = invert(generator, target, visible=weight, prior=ROUGH, seed=seed, starts=max(draws, STARTS))
    return Edited(torch.cat([drawing, inversion.images[0, :draws]]), "drawn, answers")


def class_number(generator: Generator, name: str) -> int:
    """Return the number of a class by its name.

    Raises:
        UserError: the generator has no classes, or none of that name.
    """
    if not generator.class_names:
        raise UserError(f"{generator.recipe.name} was trained without labels: --toward needs classes")
    try:
        return number_of(name, generator.class_names)
    except UserError as error:
        raise UserError(f"--toward {name}: {error}") from None


def toward_class(generator: Generator, start: Start, number: int) -> Edited:
    """Change the class step by step, of a generator with classes; the handwriting, which is in the latent, stays."""
    assert start.condition is not None
    target = torch.eye(len(generator.class_names))[number].to(start.condition)
    steps = torch.linspace(0, 1, FRAMES).to(start.condition)[:, None]
    condition = torch.lerp(start.condition[None], target[None], steps)
    return Edited(generator.draw(start.latent.expand(FRAMES, -1), condition), f"toward {generator.class_names[number]}")


def mix(generator: Generator, pictures: Tensor, *, seed: int = 0) -> Edited:
    """Change the first of two pictures uint8 [2, C, H, W] into the second, step by step."""
    inversion = invert(generator, pictures, seed=seed)
    steps = torch.linspace(0, 1, FRAMES).to(inversion.latent)[:, None]
    first, second = inversion.latent[:, 0]
    latent = torch.stack([great_circle(first, second, float(step)) for step in steps])
    condition = None
    if inversion.condition is not None:
        condition = torch.lerp(inversion.condition[0, :1], inversion.condition[1, :1], steps)
    return Edited(generator.draw(latent, condition), "first to second")


def direction_of(generator: Generator, name: str) -> Tensor:
    """Return the direction in the latent that changes an attribute, float [latent_dim].

    Raises:
        UserError: the generator has no direction of that name.
    """
    known = attributes(generator)
    if name not in known:
        raise UserError(f"--attribute {name}: {suggest_names(name, known)}")
    return known[name]


def change_along(generator: Generator, start: Start, direction: Tensor, amount: float, name: str) -> Edited:
    """Change a picture step by step along a direction [latent_dim], ``amount`` times its length."""
    steps = torch.linspace(0, 1, FRAMES).to(start.latent)[:, None] * amount
    latent = start.latent[None] + steps * direction.to(start.latent)
    condition = None if start.condition is None else start.condition.expand(FRAMES, -1)
    return Edited(generator.draw(latent, condition), f"{name} {amount:+g}")


def attribute_names(generator: Generator) -> dict[str, str]:
    """Return the names of attributes with a word of explanation, without any drawing.

    A generator whose latent does not explain an attribute refuses its name later (`direction_of`).
    """
    colours = COLOURS if generator.note["shape"][0] == 3 else {}
    principal = {f"direction-{k + 1}": f"what pictures vary in, rank {k + 1}" for k in range(PRINCIPAL)}
    return ATTRIBUTES | colours | principal


def attributes(generator: Generator) -> dict[str, Tensor]:
    """Return the directions in the latent by attribute, float [latent_dim], one standard deviation long.

    Each measured attribute of many drawn pictures is fitted by the latents (least squares); a direction counts where it
    explains a tenth of the variance or more. Slant, ink, width and height are those of the bright pixels. The principal
    directions are those in which the pictures vary most.
    """
    latent = generator.latent(MEASURED, name="attributes")
    classes = len(generator.class_names)
    labels = torch.arange(MEASURED, device=latent.device) % classes if classes else None
    images = generator.draw(latent, labels)
    codes = np.column_stack([latent.double().cpu().numpy(), np.ones(MEASURED)])
    if labels is not None:  # what the class explains is no attribute
        codes = np.column_stack([codes[:, :-1], np.eye(classes)[labels.cpu().numpy()]])
    directions = {}
    for name, values in measured_attributes(images).items():
        standardised = (values - values.mean()) / (values.std() or 1)
        weights, *_ = np.linalg.lstsq(codes, standardised, rcond=None)
        slope = weights[: latent.shape[1]]
        if (length := float(slope @ slope)) >= LEAST_FIT:
            directions[name] = torch.from_numpy(slope / length)
    centred = scale(images, "0..1").flatten(1).double().numpy()
    weights, *_ = np.linalg.lstsq(codes, centred - centred.mean(0), rcond=None)
    left, _, _ = np.linalg.svd(weights[: latent.shape[1]], full_matrices=False)
    directions |= {f"direction-{k + 1}": torch.from_numpy(left[:, k].copy()) for k in range(PRINCIPAL)}
    return directions


def start_of(inversion: Inversion) -> Start:
    """Return the nearest result of an inversion of one picture as the start of an edit."""
    condition = None if inversion.condition is None else inversion.condition[0, 0]
    psnr = float(10 * torch.log10(255**2 / inversion.error[0, 0].clamp_min(1e-9)))
    return Start(inversion.latent[0, 0], condition, psnr)
