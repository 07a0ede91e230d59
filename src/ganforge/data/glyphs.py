"""Glyphs drawn by code: ten classes of strokes with jitter, a labelled data set that needs no file."""

import math

import torch
from torch import Tensor

from ganforge.data.images import ImageSet
from ganforge.randomness import random_generator

SIDE = 28
BLOCK = 250
"""Glyphs drawn at once: 250 glyphs of 12 strokes are 2.4 million distances."""
TURN, SHEAR, SHIFT, WOBBLE = 0.25, 0.25, 0.12, 0.05
"""Largest rotation (radians) and shear, largest shift and standard deviation of a corner (half widths of the image)."""
ZOOM, THICKNESS, INK = (0.55, 0.9), (0.06, 0.16), (0.75, 1.0)
"""Ranges of the size along each axis, of half the width of a stroke, and of its brightness."""


def _circle(start: float, stop: float) -> list[tuple[float, float]]:
    """Return corners on the unit circle between two angles, in turns."""
    angles = [2 * math.pi * (start + (stop - start) * k / 12) for k in range(13)]
    return [(math.cos(angle), math.sin(angle)) for angle in angles]


SHAPES: dict[str, list[list[tuple[float, float]]]] = {
    "ring": [_circle(0.0, 1.0)],
    "arch": [_circle(0.5, 1.0)],
    "square": [[(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8), (-0.8, -0.8)]],
    "triangle": [[(0.0, -0.9), (0.9, 0.8), (-0.9, 0.8), (0.0, -0.9)]],
    "plus": [[(-0.9, 0.0), (0.9, 0.0)], [(0.0, -0.9), (0.0, 0.9)]],
    "cross": [[(-0.8, -0.8), (0.8, 0.8)], [(-0.8, 0.8), (0.8, -0.8)]],
    "corner": [[(-0.7, -0.9), (-0.7, 0.8), (0.8, 0.8)]],
    "hammer": [[(-0.9, -0.8), (0.9, -0.8)], [(0.0, -0.8), (0.0, 0.9)]],
    "flash": [[(-0.8, -0.8), (0.8, -0.8), (-0.8, 0.8), (0.8, 0.8)]],
    "gate": [[(-0.8, 0.9), (-0.8, -0.9)], [(0.8, 0.9), (0.8, -0.9)], [(-0.8, 0.0), (0.8, 0.0)]],
}
"""The corners of the strokes of each class; x to the right, y down, the image from -1 to 1."""


def glyphs(count: int, seed: int) -> ImageSet:
    """Draw ``count`` glyphs, light on dark, every class equally often, in random order.

    Each glyph has its own rotation, shear, size, position, thickness and brightness, and its corners are moved at
    random. The result depends on ``count`` and ``seed`` only: uint8 [N, 1, 28, 28].
    """
    random = random_generator(seed, "glyphs")
    labels = (torch.arange(count) % len(SHAPES))[torch.randperm(count, generator=random)]
    images = torch.empty(count, 1, SIDE, SIDE, dtype=torch.uint8)
    for label, strokes in enumerate(SHAPES.values()):
        for rows in torch.nonzero(labels == label).flatten().split(BLOCK):
            images[rows, 0] = _draw(strokes, len(rows), random)
    return ImageSet(images, labels, tuple(SHAPES), "glyphs")


def _draw(strokes: list[list[tuple[float, float]]], count: int, random: torch.Generator) -> Tensor:
    """Draw one class, uint8 [count, SIDE, SIDE]: a pixel is light where a stroke is nearer than half its width."""
    matrix, shift = _placements(count, random)
    starts, ends = [], []
    for stroke in strokes:
        corners = torch.tensor(stroke) + WOBBLE * torch.randn(count, len(stroke), 2, generator=random)
        corners = corners @ matrix.mT + shift
        starts.append(corners[:, :-1])
        ends.append(corners[:, 1:])
    distance = _distances(torch.cat(starts, 1), torch.cat(ends, 1))
    half, ink = (low + (high - low) * torch.rand(count, 1, 1, generator=random) for low, high in (THICKNESS, INK))
    # the edge fades over the width of a pixel
    level = ((half - distance) * SIDE / 2 + 0.5).clamp_(0, 1) * ink
    return (255 * level).round_().to(torch.uint8)


def _placements(count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return random linear maps [count, 2, 2] and shifts [count, 1, 2]."""
    turn, shear = ((2 * torch.rand(count, generator=random) - 1) * most for most in (TURN, SHEAR))
    zoom = ZOOM[0] + (ZOOM[1] - ZOOM[0]) * torch.rand(count, 2, generator=random)
    rows = [turn.cos(), shear - turn.sin(), turn.sin(), turn.cos()]
    matrix = torch.stack(rows, 1).unflatten(1, (2, 2)) * zoom[:, None]
    return matrix, SHIFT * (2 * torch.rand(count, 1, 2, generator=random) - 1)


def _distances(start: Tensor, end: Tensor) -> Tensor:
    """Return the distance of every pixel to the nearest of S segments, [N, SIDE, SIDE], for ends [N, S, 2]."""
    line = (torch.arange(SIDE) + 0.5) * (2 / SIDE) - 1
    pixels = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).flatten(0, 1)
    along = (end - start)[:, :, None]
    towards = pixels - start[:, :, None]
    length = along.square().sum(-1).clamp_min(1e-9)
    part = ((towards * along).sum(-1) / length).clamp_(0, 1)
    distance: Tensor = torch.linalg.vector_norm(towards - part[..., None] * along, dim=-1)
    return distance.amin(1).view(-1, SIDE, SIDE)
