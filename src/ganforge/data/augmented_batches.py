"""Real images a little turned, shifted and zoomed: what changes the picture and not what it shows."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.data.batches import Batch, Stream
from ganforge.randomness import random_generator


class AugmentedBatches:
    """The batches of another stream, each image moved by a lot of its own, which depends on (seed, name, index) alone.

    ``degrees``: turned by as much at most, to either side; ``slant`` s: upright lines lean by up to s sideways for 1
    upwards; ``shift``: by this part of the side at most, along both axes; ``zoom`` z: between 1 - z and 1 + z times
    as wide, and as high. Beyond the edge an image goes on as at the edge. Last, a square of ``cutout`` times the side
    is covered somewhere (`cut_out`).
    """

    def __init__(
        self,
        batches: Stream,
        seed: int,
        name: str = "moved",
        *,
        degrees: float,
        slant: float,
        shift: float,
        zoom: float,
        cutout: float = 0.0,
    ) -> None:
        self._batches, self._seed, self._name = batches, seed, name
        self._degrees, self._slant, self._shift, self._zoom, self._cutout = degrees, slant, shift, zoom, cutout

    def __getitem__(self, index: int) -> Batch:
        """Return batch number ``index`` of the stream, moved."""
        images, labels = self._batches[index]
        chance = random_generator(self._seed, self._name, index)
        lots = torch.rand(len(images), 6, generator=chance) * 2 - 1
        angle, slant, shift, size = lots.to(images).split([1, 1, 2, 2], 1)
        matrix = shapes(angle[:, 0] * math.radians(self._degrees), slant[:, 0] * self._slant, 1 + size * self._zoom)
        moved = move(images, matrix, shift * self._shift)
        if self._cutout:
            moved = cut_out(moved, torch.rand(len(images), 2, generator=chance), self._cutout)
        return Batch(moved, labels)


def shapes(angle: Tensor, slant: Tensor, size: Tensor) -> Tensor:
    """Return matrices [N, 2, 2] that zoom by ``size`` [N, 2], then slant [N], then turn by ``angle`` [N], clockwise.

    Of coordinates (to the right, downwards), in pixels.
    """
    one, zero, cos, sin = torch.ones_like(angle), torch.zeros_like(angle), angle.cos(), angle.sin()
    turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    lean = torch.stack([torch.stack([one, -slant], 1), torch.stack([zero, one], 1)], 1)
    return turn @ lean @ torch.diag_embed(size)


def move(images: Tensor, matrix: Tensor, shift: Tensor) -> Tensor:
    """Move images [N, C, H, W] about their middle by matrices [N, 2, 2], then by parts of their sides [N, 2]."""
    height, width = images.shape[2:]
    sides = matrix.new_tensor([width, height])
    # where each pixel is taken from, in units of half a side
    back = torch.linalg.inv(matrix) * sides[None, None, :] / sides[None, :, None]
    grid = F.affine_grid(torch.cat([back, -back @ (2 * shift)[:, :, None]], 2), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def cut_out(images: Tensor, where: Tensor, side: float) -> Tensor:
    """Cover a square around ``where`` [N, 2] in each of images [N, C, H, W] ("cutout", DeVries and Taylor 2017).

    arXiv:1708.04552, section 3: ``where`` is any pixel (parts of the width, of the height), so a part of the square may
    lie outside. Its sides are ``side`` times the image's. It is filled with the image's median level instead of grey:
    a grey square would be the loudest thing in a handwritten digit, and black paper is none.
    """
    height, width = images.shape[2:]
    (across, down), half = where.to(images).split(1, 1), side / 2
    columns = ((torch.arange(width).to(images) + 0.5) / width - across).abs() <= half
    rows = ((torch.arange(height).to(images) + 0.5) / height - down).abs() <= half
    level = images.flatten(2).median(2).values[:, :, None, None]
    return torch.where((rows[:, :, None] & columns[:, None, :])[:, None], level, images)
