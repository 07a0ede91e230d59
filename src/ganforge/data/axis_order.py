"""Conversion of image arrays from any supported axis order to [N, C, H, W]."""

import math
from typing import Any

import numpy.typing as npt

from ganforge.errors import UserError

Array = npt.NDArray[Any]

SMALLEST, LARGEST = 8, 64
FORMS = "[N, H, W], [N, H, W, C] or [N, C, H, W]"


def channels_first(images: Array, where: str) -> tuple[Array, str]:
    """Return images as [N, C, H, W], and a note on the interpretation of ambiguous axes ("" if there is none).

    Supported are [N, H, W], [N, H, W, C], [N, C, H, W]; rows of pixels [N, side²]; and MATLAB's order with the images
    along the last axis: [H, W, C, N], [H, W, N].

    Raises:
        UserError: the axes, the number of channels or the size of the images are not supported.
    """
    shape = list(images.shape)
    images, note = _images_first(images, where)
    if images.ndim not in (3, 4):
        raise UserError(f"{where}: images must be {FORMS}; these are {shape}; reshape them")
    if images.ndim == 3:
        images = images[:, None]
    elif images.shape[3] in (1, 3) and images.shape[1] not in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    elif images.shape[1] not in (1, 3):
        raise UserError(
            f"{where}: images have {min(shape[1], shape[3])} channels {shape}; give 1 channel (grey) or 3 (RGB)"
        )
    height, width = images.shape[2:]
    if not _fits(height, width):
        raise UserError(
            f"{where}: images are {width}×{height} px; resize them to {SMALLEST} to {LARGEST} px on each side"
        )
    return images, note


def _images_first(images: Array, where: str) -> tuple[Array, str]:
    """Reshape rows of pixels, and move the images of MATLAB's order to the first axis; return other arrays as given."""
    shape, note = list(images.shape), ""
    if images.ndim == 2:
        side = math.isqrt(shape[1])
        if side * side != shape[1]:
            raise UserError(
                f"{where}: images must be {FORMS}; these are {shape}, and {shape[1]} pixels are not a square image; "
                "reshape them"
            )
        images, note = images.reshape(-1, side, side), f"rows of {shape[1]} pixels are read as {side}×{side}"
    elif images.ndim == 4 and shape[2] in (1, 3) and not _fits(*shape[2:]) and _fits(*shape[:2]):
        images, note = images.transpose(3, 2, 0, 1), f"{shape} is read as [H, W, C, N]"
    elif images.ndim == 3 and not _fits(*shape[1:]) and _fits(*shape[:2]):
        images, note = images.transpose(2, 0, 1), f"{shape} is read as [H, W, N]"
    return images, note


def _fits(height: int, width: int) -> bool:
    return SMALLEST <= height <= LARGEST and SMALLEST <= width <= LARGEST
