"""Random changes of pictures that keep the class: small and larger moves, and strong ones as in RandAugment."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.data.augmented_batches import Reach, cut_out, moved_by
from ganforge.data.images import scale, unscale
from ganforge.randomness import random_generator

Move = Callable[[Tensor, torch.Generator], Tensor]
"""Pixels float [N, C, H, W] in 0..1 and the source of the randomness -> pixels of the same shape and range."""

SMALL = Reach(degrees=10, shear=0.1, shift=0.08, zoom=0.1)
LARGER = Reach(degrees=15, shear=0.2, shift=0.1, zoom=0.1)
STRONGER = 3.0
"""The largest strong move of the shape is this many times the largest small one."""
OPERATIONS, CHOSEN = 7, 2
"""Operations of a strong move, and how many each picture gets."""
CONTRAST, BRIGHTNESS, CUTOUT = 0.6, 0.3, 0.35
"""Largest change of contrast and of brightness of a strong move; side of its covered square in parts of the side."""
BLOCK = 500
"""Pictures that are moved at once."""


def small_moves(pixels: Tensor, random: torch.Generator) -> Tensor:
    """Rotate, shear, shift and scale each picture a little; a picture of three channels is mirrored in half the cases.

    Colour pictures are photographs, which keep their class when mirrored; grey ones are often glyphs, which do not.
    """
    return _randomly_moved(pixels, SMALL, random)


def larger_moves(pixels: Tensor, random: torch.Generator) -> Tensor:
    """Move each picture as `small_moves` does, and farther."""
    return _randomly_moved(pixels, LARGER, random)


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
    moved = _mirrored(moved_by(pixels, STRONGER * shape, SMALL), random)
    contrast, brightness, blur = (strength[:, column, None, None, None] for column in (4, 5, 6))
    mean = moved.mean((1, 2, 3), keepdim=True)
    moved = (moved - mean) * (1 + CONTRAST * contrast) + mean + BRIGHTNESS * brightness
    moved = torch.lerp(moved, F.avg_pool2d(moved, 3, 1, 1), blur.abs())
    return cut_out(moved.clamp(0, 1), torch.rand(count, 2, generator=random), CUTOUT)


MOVES: dict[str, Move] = {"small moves": small_moves, "strong moves": strong_moves}
"""The changes by the name that a table or a file of pictures gives them."""


def moved_pictures(images: Tensor, move: Move, seed: int, name: str) -> Tensor:
    """Return pictures uint8 [N, C, H, W] after a move; the arguments determine the result."""
    blocks = enumerate(images.split(BLOCK))
    moved = [move(scale(block, "0..1"), random_generator(seed, name, number)) for number, block in blocks]
    return unscale(torch.cat(moved), "0..1")


def _randomly_moved(pixels: Tensor, reach: Reach, random: torch.Generator) -> Tensor:
    factors = torch.rand(len(pixels), 6, generator=random) * 2 - 1  # in [-1, 1]
    return _mirrored(moved_by(pixels, factors, reach), random)


def _mirrored(pixels: Tensor, random: torch.Generator) -> Tensor:
    if pixels.shape[1] != 3:
        return pixels
    mirrored = torch.rand(len(pixels), 1, 1, 1, generator=random) < 0.5
    return torch.where(mirrored, pixels.flip(3), pixels)
