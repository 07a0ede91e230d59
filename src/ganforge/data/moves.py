"""Random changes of pictures that keep the class: small moves, and strong ones as in RandAugment."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.data.augmented_batches import affine, affine_matrices, cut_out

Move = Callable[[Tensor, torch.Generator], Tensor]
"""Pixels float [N, C, H, W] in 0..1 and the source of the randomness -> pixels of the same shape and range."""

DEGREES, SHEAR, SHIFT, ZOOM = 10.0, 0.1, 0.08, 0.1
"""Largest small move: rotation in degrees, sideways over upward distance, and fractions of the side."""
STRONGER = 3.0
"""The largest strong move of the shape is this many times the largest small one."""
OPERATIONS, CHOSEN = 7, 2
"""Operations of a strong move, and how many each picture gets."""
CONTRAST, BRIGHTNESS, CUTOUT = 0.6, 0.3, 0.35
"""Largest change of contrast and of brightness of a strong move; side of its covered square in parts of the side."""


def small_moves(pixels: Tensor, random: torch.Generator) -> Tensor:
    """Rotate, shear, shift and scale each picture a little; a picture of three channels is mirrored in half the cases.

    Colour pictures are photographs, which keep their class when mirrored; grey ones are often glyphs, which do not.
    """
    factors = torch.rand(len(pixels), 6, generator=random) * 2 - 1  # in [-1, 1]
    return _mirrored(_moved(pixels, factors), random)


def strong_moves(pixels: Tensor, random: torch.Generator) -> Tensor:
    """Apply two random operations with random strength to each picture, then cover a random square.

    As RandAugment (Cubuk et al. 2020, arXiv:1909.13719, section 3) with two of seven operations: rotation, shear,
    shift, scaling, contrast, brightness, blur. The square is that of cutout (`cut_out`).
    """
    count = len(pixels)
    chosen = torch.rand(count, OPERATIONS, generator=random).argsort(1) < CHOSEN
    strength = (torch.rand(count, OPERATIONS, generator=random) * 2 - 1) * chosen
    sideways = (torch.rand(count, 2, generator=random) * 2 - 1) * chosen[:, 2:4]
    shape = torch.stack([*strength[:, :2].T, strength[:, 2], sideways[:, 0], strength[:, 3], sideways[:, 1]], 1)
    moved = _mirrored(_moved(pixels, STRONGER * shape), random)
    contrast, brightness, blur = (strength[:, column, None, None, None] for column in (4, 5, 6))
    mean = moved.mean((1, 2, 3), keepdim=True)
    moved = (moved - mean) * (1 + CONTRAST * contrast) + mean + BRIGHTNESS * brightness
    moved = torch.lerp(moved, F.avg_pool2d(moved, 3, 1, 1), blur.abs())
    return cut_out(moved.clamp(0, 1), torch.rand(count, 2, generator=random), CUTOUT)


MOVES: dict[str, Move] = {"small moves": small_moves, "strong moves": strong_moves}
"""The changes by the name that a table or a file of pictures gives them."""


def _moved(pixels: Tensor, factors: Tensor) -> Tensor:
    """Transform by factors [N, 6] in units of the largest small move: angle, shear, shift (2), scale (2)."""
    angle, shear, shift, scale = factors.split([1, 1, 2, 2], 1)
    matrix = affine_matrices(angle[:, 0] * math.radians(DEGREES), shear[:, 0] * SHEAR, 1 + scale * ZOOM)
    return affine(pixels, matrix, shift * SHIFT)


def _mirrored(pixels: Tensor, random: torch.Generator) -> Tensor:
    if pixels.shape[1] != 3:
        return pixels
    mirrored = torch.rand(len(pixels), 1, 1, 1, generator=random) < 0.5
    return torch.where(mirrored, pixels.flip(3), pixels)
