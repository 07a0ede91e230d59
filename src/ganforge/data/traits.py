"""Traits of pictures that a person can see: ink, slant, size, place, thickness of the stroke, loops and hue."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from ganforge.data.images import scale

SMALLEST_LOOP = 2
"""Pixels of a hole that counts as a loop; a single dark pixel is mostly noise."""
WORDS = {
    "ink": ("faint", "heavy"),
    "slant": ("slanted left", "slanted right"),
    "width": ("narrow", "wide"),
    "height": ("short", "tall"),
    "right": ("far left", "far right"),
    "down": ("high up", "low down"),
    "thickness": ("thin", "thick"),
    "loops": ("with fewer loops", "with more loops"),
    "warmth": ("bluish", "reddish"),
    "green": ("purplish", "greenish"),
}
"""The words for a low and for a high value of each trait."""


def measured_traits(images: Tensor) -> dict[str, NDArray[np.float64]]:
    """Measure pictures uint8 [N, C, H, W]: the attributes of `measured_attributes`, place, thickness and loops.

    ``right`` and ``down`` are the centre of what is bright, in pixels from the centre of the picture. ``thickness`` is
    2 A / P of the pixels above half of the brightest one, with their number A and the length P of their border: the
    width of a long stroke in pixels. ``loops`` is the number of dark areas that bright pixels enclose.

    Returns:
        float64 [N] by the name of the trait.
    """
    level = scale(images, "0..1").mean(1)
    bright = level > level.amax((1, 2), keepdim=True) / 2
    padded = torch.nn.functional.pad(bright.byte(), (1, 1, 1, 1)).short()
    edges = padded.diff(dim=1).abs().sum((1, 2)) + padded.diff(dim=2).abs().sum((1, 2))
    # a slanted border crosses more pixel edges than its length: by 4/pi on the mean over all angles
    thickness = 2 * bright.sum((1, 2)) / (edges * np.pi / 4).clamp_min(1)
    total = level.sum((1, 2)).clamp_min(1e-9)
    rows = torch.arange(level.shape[1]) - (level.shape[1] - 1) / 2
    columns = torch.arange(level.shape[2]) - (level.shape[2] - 1) / 2
    return measured_attributes(images) | {
        "right": ((level.sum(1) @ columns) / total).double().numpy(),
        "down": ((level.sum(2) @ rows) / total).double().numpy(),
        "thickness": thickness.double().numpy(),
        "loops": np.array([_loops(picture) for picture in bright.numpy()], np.float64),
    }


def _loops(bright: NDArray[np.bool_]) -> int:
    """Count the dark areas of a picture [H, W] that touch no side of it."""
    areas, count = ndimage.label(np.pad(~bright, 1, constant_values=True))
    sizes = np.bincount(areas.ravel(), minlength=count + 1)[1:]
    return max(0, int((sizes >= SMALLEST_LOOP).sum()) - 1)  # the ground around the figure is an area, too


def measured_attributes(images: Tensor) -> dict[str, NDArray[np.float64]]:
    """Measure pictures uint8 [N, C, H, W]: ink, slant, width and height of what is bright, and hue of colour pictures.

    Ink is the mean level; width and height are twice the standard deviation of the bright places, slant their
    covariance over the variance of the height, positive for strokes that lean to the right.
    """
    level = scale(images, "0..1").double().mean(1)
    total = level.sum((1, 2)).clamp_min(1e-9)
    rows = torch.arange(level.shape[1], dtype=torch.float64)[None, :, None]
    columns = torch.arange(level.shape[2], dtype=torch.float64)[None, None, :]
    down = rows - ((level * rows).sum((1, 2)) / total)[:, None, None]
    right = columns - ((level * columns).sum((1, 2)) / total)[:, None, None]
    vertical = (level * down.square()).sum((1, 2)) / total
    horizontal = (level * right.square()).sum((1, 2)) / total
    covariance = (level * down * right).sum((1, 2)) / total
    measured = {
        "ink": level.mean((1, 2)),
        "slant": -covariance / vertical.clamp_min(1e-9),
        "width": 2 * horizontal.sqrt(),
        "height": 2 * vertical.sqrt(),
    }
    if images.shape[1] == 3:
        red, green, blue = scale(images, "0..1").double().mean((2, 3)).T
        measured |= {"warmth": red - blue, "green": green - (red + blue) / 2}
    return {name: values.numpy() for name, values in measured.items()}
