"""Moving MNIST: clips of two digits that bounce inside a black square (Srivastava et al. 2015, section 4.1.1)."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.randomness import seed_of

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

STEP = 0.1
"""Distance per frame, as a fraction of the way on which a digit can move."""


class Paths(NamedTuple):
    """The digits of clips and their places: ``chosen`` [clips, per_clip] are indices into the pictures of digits.

    ``tops`` and ``lefts`` [clips, per_clip, frames] are the pixel of the frame at which the digit's picture begins.
    """

    chosen: Indices
    tops: Indices
    lefts: Indices


def digit_paths(
    count: int,
    size: tuple[int, int],
    clips: int,
    seed: int,
    *,
    frames: int = 20,
    side: int = 64,
    per_clip: int = 2,
) -> Paths:
    """Return the paths of the digits in the clips of `moving_digits`.

    Args:
        count: number of pictures to choose from.
        size: height and width of a picture, below ``side``.
        clips, seed, frames, side, per_clip: as in `moving_digits`.
    """
    random = np.random.default_rng(seed_of(seed, "moving digits"))
    angles = random.uniform(0, 2 * np.pi, clips * per_clip)
    ways = [_bouncing(random.random(len(angles)), STEP * way(angles), frames) for way in (np.sin, np.cos)]
    chosen = random.integers(0, count, clips * per_clip)
    tops, lefts = (
        np.rint(way * (side - length)).astype(np.int64).reshape(clips, per_clip, frames)
        for way, length in zip(ways, size, strict=True)
    )
    return Paths(chosen.reshape(clips, per_clip), tops, lefts)


def moving_digits(
    digits: Tensor, clips: int, seed: int, *, frames: int = 20, side: int = 64, per_clip: int = 2
) -> Tensor:
    """Return clips uint8 [clips, frames, side, side] of random digits that move on straight lines and bounce.

    Each digit starts anywhere and moves in any direction, both uniform, by a tenth of its way in each frame. At an edge
    the component of its velocity towards the edge changes sign. Where digits overlap, the brighter pixel counts. The
    file of the published test set is not used: clips follow the same rule, from digits of the split at hand. One
    detail differs: the published code leaves a digit at the edge for the frame in which it bounces, here the way
    beyond the edge is mirrored. Errors of copies and of black frames are the same (docs/lab/applications.md).

    Args:
        digits: uint8 [N, 1, H, W], sides below ``side``.
        clips: number of clips.
        seed: clips of one seed are always the same.
        frames: frames of each clip.
        side: height and width of the frames.
        per_clip: digits in each clip.
    """
    pictures = digits[:, 0].numpy()
    height, width = pictures.shape[1:]
    paths = digit_paths(len(digits), (height, width), clips, seed, frames=frames, side=side, per_clip=per_clip)
    canvas = np.zeros((clips, frames, side, side), np.uint8)
    for clip, digit, frame in np.ndindex(paths.tops.shape):
        top, left = paths.tops[clip, digit, frame], paths.lefts[clip, digit, frame]
        place = canvas[clip, frame, top : top + height, left : left + width]
        np.maximum(place, pictures[paths.chosen[clip, digit]], out=place)
    return torch.from_numpy(canvas)


def _bouncing(start: Floats, velocity: Floats, frames: int) -> Floats:
    """Return positions [K, frames] in 0..1 of points that start at [K], move by ``velocity`` [K] and bounce at 0 and 1.

    A bounce mirrors the line of an unhindered movement: position p becomes |((p + 1) mod 2) - 1|.
    """
    unhindered = start[:, None] + velocity[:, None] * np.arange(frames)
    positions: Floats = np.abs((unhindered + 1) % 2 - 1)
    return positions
