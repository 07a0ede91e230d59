"""Corruptions of pictures by a fixed protocol, for tests under a shift of the data; in the manner of MNIST-C.

Each is a pure function of the pictures and a seed, at one strength, and leaves the class readable (Mu and Gilmer 2019,
arXiv:1906.02337, chose theirs by the same rule; these eleven are made here and are not the published files).
"""

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.data.augmented_batches import affine, affine_matrices
from ganforge.data.images import scale, unscale
from ganforge.randomness import random_generator

PROTOCOL = "corruptions-1"
"""Changes whenever a corruption does: errors compare only under one protocol."""
Corruption = Callable[[Tensor, torch.Generator], Tensor]


def _signs(count: int, random: torch.Generator) -> Tensor:
    return torch.randint(0, 2, (count,), generator=random).float() * 2 - 1


def _moved(pixels: Tensor, *, angle: Tensor | None = None, shear: Tensor | None = None, zoom: float = 1.0) -> Tensor:
    zero = torch.zeros(len(pixels))
    matrix = affine_matrices(
        zero if angle is None else angle, zero if shear is None else shear, torch.full((len(pixels), 2), zoom)
    )
    return affine(pixels, matrix, torch.zeros(len(pixels), 2))


def _noise(pixels: Tensor, random: torch.Generator) -> Tensor:
    return pixels + 0.25 * torch.randn(pixels.shape, generator=random)


def _specks(pixels: Tensor, random: torch.Generator) -> Tensor:
    where = torch.rand(pixels.shape, generator=random)
    return torch.where(where < 0.08, torch.rand(pixels.shape, generator=random).round(), pixels)


def _blur(pixels: Tensor, random: torch.Generator) -> Tensor:
    return F.avg_pool2d(F.avg_pool2d(pixels, 3, 1, 1), 3, 1, 1)


def _shift(pixels: Tensor, random: torch.Generator) -> Tensor:
    signs = torch.stack([_signs(len(pixels), random), _signs(len(pixels), random)], 1)
    matrix = affine_matrices(torch.zeros(len(pixels)), torch.zeros(len(pixels)), torch.ones(len(pixels), 2))
    return affine(pixels, matrix, 0.1 * signs)


def _turn(pixels: Tensor, random: torch.Generator) -> Tensor:
    return _moved(pixels, angle=math.radians(25) * _signs(len(pixels), random))


def _slant(pixels: Tensor, random: torch.Generator) -> Tensor:
    return _moved(pixels, shear=0.5 * _signs(len(pixels), random))


def _small(pixels: Tensor, random: torch.Generator) -> Tensor:
    return _moved(pixels, zoom=0.7)


def _contrast(pixels: Tensor, random: torch.Generator) -> Tensor:
    return 0.35 * pixels + 0.1


def _bright(pixels: Tensor, random: torch.Generator) -> Tensor:
    return pixels + 0.3


def _stripes(pixels: Tensor, random: torch.Generator) -> Tensor:
    """Every fourth row is grey, from a random one on, as of a dirty scanner."""
    start = torch.randint(0, 4, (len(pixels), 1), generator=random)
    rows = (torch.arange(pixels.shape[2]) + start) % 4 == 0
    return torch.where(rows[:, None, :, None], 0.5, pixels)


def _hidden(pixels: Tensor, random: torch.Generator) -> Tensor:
    """A dark square of a quarter of the side hides a place within the middle half."""
    height, width = pixels.shape[2:]
    centre = 0.25 + 0.5 * torch.rand(2, len(pixels), 1, generator=random)
    rows = ((torch.arange(height) + 0.5) / height - centre[0]).abs() <= 0.125
    columns = ((torch.arange(width) + 0.5) / width - centre[1]).abs() <= 0.125
    return torch.where((rows[:, :, None] & columns[:, None, :])[:, None], 0.0, pixels)


def _row(pixels: Tensor, random: torch.Generator, *, level: float) -> Tensor:
    """One row of the middle half has one level, as of a scanner with a broken row."""
    height = pixels.shape[2]
    broken = height // 4 + torch.randint(max(1, height // 2), (len(pixels), 1), generator=random)
    return torch.where((torch.arange(height) == broken)[:, None, :, None], level, pixels)


CORRUPTIONS: dict[str, Corruption] = {
    "noise": _noise,
    "specks": _specks,
    "blur": _blur,
    "shift": _shift,
    "turn": _turn,
    "slant": _slant,
    "small": _small,
    "contrast": _contrast,
    "bright": _bright,
    "stripes": _stripes,
    "hidden": _hidden,
}
"""The corruptions of the protocol by name."""
BRIGHT_ROW, DARK_ROW = "bright row", "dark row"
TRIED: dict[str, Corruption] = {
    **CORRUPTIONS,
    BRIGHT_ROW: partial(_row, level=1.0),
    DARK_ROW: partial(_row, level=0.0),
}
"""What a probe tries: the protocol, and two faults of a scanner that are no part of its mean error."""


def corrupted(images: Tensor, name: str, seed: int = 0) -> Tensor:
    """Return pictures uint8 [N, C, H, W] with one of `TRIED`; the arguments determine the result."""
    changed = TRIED[name](scale(images, "0..1"), random_generator(seed, PROTOCOL, name))
    return unscale(changed, "0..1")
