"""Constant motion: how clips go on if everything keeps its velocity, with or without bounces at the border.

The baseline of foretelling: a user needs no training for it, and it draws sharp frames.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.uint8]
Levels = NDArray[np.int64]

LARGEST_MOTION = 6
"""Pixels per frame within which the motion of an object is searched."""
CONTRAST = 16
"""Grey levels by which a pixel of an object differs from the background."""


class MovingObject(NamedTuple):
    """A connected object of a frame.

    Attributes:
        pixels: whether each pixel [H, W] belongs to the object; a margin of one pixel is included.
        velocity: pixels down and to the right per frame.
    """

    pixels: NDArray[np.bool_]
    velocity: tuple[int, int]


def continue_motion(before: Tensor, last: Tensor, frames: int, *, bounce: bool) -> Tensor:
    """Continue clips from their last two frames, each object at its own constant velocity.

    An object is a connected region of pixels that differ from the background, the median of the frame, by more than 16
    levels. Its velocity is the shift by whole pixels, at most 6 in each direction, that best maps the frame before onto
    the object's pixels (least squared error). Uncovered places take the background. Where objects meet, the pixel
    that differs more from the background counts; objects that touch in the last frame move as one. A frame without
    background, such as a photograph, is one object: its motion is that of the whole picture.

    Args:
        before, last: the last two frames, uint8 [N, C, H, W].
        frames: number of new frames K.
        bounce: whether an object whose bounding box reaches the border is reflected; otherwise it leaves the picture.

    Returns:
        uint8 [N, K, C, H, W].
    """
    continued = []
    for earlier, later in zip(before.numpy(), last.numpy(), strict=True):
        background = np.median(later, (1, 2)).astype(np.uint8)
        objects = find_objects(earlier, later, background)
        continued.append([_drawn(later, objects, background, k, bounce=bounce) for k in range(1, frames + 1)])
    return torch.from_numpy(np.array(continued, np.uint8))


def find_objects(before: Pixels, last: Pixels, background: Pixels) -> list[MovingObject]:
    """Return the objects of the frame ``last`` [C, H, W] with their velocities; ``background`` is uint8 [C]."""
    from scipy.ndimage import binary_dilation, label

    contrast = np.abs(last.astype(np.int64) - background[:, None, None]).max(0) > CONTRAST
    around = np.ones((3, 3))
    regions, count = label(contrast, around)
    masks = np.zeros((count, *regions.shape), bool)
    for number in range(count):
        masks[number] = binary_dilation(regions == number + 1, around)
    errors, velocities = _shift_errors(before, last, background)
    best = (masks.reshape(count, errors.shape[1]).astype(np.float64) @ errors.T).argmin(1)
    return [MovingObject(mask, velocities[index]) for mask, index in zip(masks, best, strict=True)]


def _shift_errors(before: Pixels, last: Pixels, background: Pixels) -> tuple[NDArray[np.float64], Any]:
    """Return the squared error of each pixel for every shift of the frame before [S, H · W], and the shifts.

    The shifts begin with the smallest, so that of equal ones the smallest is found.
    """
    reach = range(-LARGEST_MOTION, LARGEST_MOTION + 1)
    shifts = sorted(((down, right) for down in reach for right in reach), key=lambda shift: (np.hypot(*shift), shift))
    channels, height, width = last.shape
    margin = LARGEST_MOTION
    framed = np.empty((channels, height + 2 * margin, width + 2 * margin))
    framed[:] = background[:, None, None]
    framed[:, margin:-margin, margin:-margin] = before
    windows = np.lib.stride_tricks.sliding_window_view(framed, (height, width), (1, 2))
    moved = np.stack([windows[:, margin - down, margin - right] for down, right in shifts])
    return np.square(moved - last).sum(1).reshape(len(shifts), -1), shifts


def _drawn(
    last: Pixels, objects: list[MovingObject], background: Pixels, frames: int, *, bounce: bool
) -> NDArray[np.int64]:
    """Return the frame [C, H, W] that comes ``frames`` after the last one."""
    canvas = np.empty(last.shape, np.int64)
    canvas[:] = background[:, None, None]
    for moving in objects:
        rows, columns = (np.flatnonzero(moving.pixels.any(axis)) for axis in (1, 0))
        patch = last[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.int64)
        outside = ~moving.pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        patch[:, outside] = background[:, None]
        starts = [
            _position(int(line[0]), velocity * frames, side - len(line), bounce=bounce)
            for line, velocity, side in zip((rows, columns), moving.velocity, last.shape[1:], strict=True)
        ]
        _paste(canvas, patch, starts[0], starts[1], background)
    return canvas


def _position(start: int, motion: int, free: int, *, bounce: bool) -> int:
    """Return the position after a motion; a bounce reflects at 0 and at ``free``, as often as needed."""
    position = start + motion
    if not bounce or free == 0:
        return start if bounce else position
    return free - abs(free - position % (2 * free))


def _paste(canvas: Levels, patch: Levels, top: int, left: int, background: Pixels) -> None:
    """Draw a patch [C, h, w] onto a canvas [C, H, W], the pixel that differs more from the background counts."""
    height, width = canvas.shape[1:]
    rows = slice(max(0, -top), max(0, min(patch.shape[1], height - top)))
    columns = slice(max(0, -left), max(0, min(patch.shape[2], width - left)))
    piece = patch[:, rows, columns]
    place = canvas[:, rows.start + top : rows.stop + top, columns.start + left : columns.stop + left]
    if not piece.size:
        return
    level = background[:, None, None].astype(np.int64)
    stronger = np.abs(piece - level).max(0) > np.abs(place - level).max(0)
    place[:, stronger] = piece[:, stronger]
