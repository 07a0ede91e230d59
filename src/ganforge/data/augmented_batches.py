"""Random affine transforms and cutout for real images: small changes that preserve the class."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.data.batches import Batch, Stream
from ganforge.randomness import random_generator


class Reach(NamedTuple):
    """The largest move of an image.

    Attributes:
        degrees: largest rotation, in both directions.
        shear: largest horizontal shear, as sideways over upward distance.
        shift: largest translation along each axis, as a fraction of the side.
        zoom: z; width and height are scaled independently by 1 - z to 1 + z.
    """

    degrees: float
    shear: float
    shift: float
    zoom: float


class AugmentedBatches:
    """The batches of another stream with a random transform for each image, a function of (seed, name, index).

    ``degrees``, ``shear``, ``shift`` and ``zoom`` are those of `Reach`. Border pixels are repeated beyond the edge.
    Finally a square of side ``cutout`` times the image's side is covered (`cut_out`).
    """

    def __init__(
        self,
        batches: Stream,
        seed: int,
        name: str = "moved",
        *,
        degrees: float,
        shear: float,
        shift: float,
        zoom: float,
        cutout: float = 0.0,
    ) -> None:
        self._batches, self._seed, self._name = batches, seed, name
        self._reach, self._cutout = Reach(degrees, shear, shift, zoom), cutout

    def __getitem__(self, index: int) -> Batch:
        """Return the augmented batch number ``index``."""
        images, condition = self._batches[index]
        random = random_generator(self._seed, self._name, index)
        factors = torch.rand(len(images), 6, generator=random) * 2 - 1  # in [-1, 1]
        augmented = moved_by(images, factors, self._reach)
        if self._cutout:
            augmented = cut_out(augmented, torch.rand(len(images), 2, generator=random), self._cutout)
        return Batch(augmented, condition)


def moved_by(images: Tensor, factors: Tensor, reach: Reach) -> Tensor:
    """Move images [N, C, H, W] by factors [N, 6] of the largest move: angle, shear, shift (2), scale (2)."""
    angle, shear, shift, scale = factors.to(images).split([1, 1, 2, 2], 1)
    matrix = affine_matrices(
        angle[:, 0] * math.radians(reach.degrees), shear[:, 0] * reach.shear, 1 + scale * reach.zoom
    )
    return affine(images, matrix, shift * reach.shift)


def affine_matrices(angle: Tensor, shear: Tensor, scale: Tensor) -> Tensor:
    """Return matrices [N, 2, 2]: scaling by ``scale`` [N, 2], then shear [N], then clockwise rotation by ``angle`` [N].

    The coordinates are (right, down), in pixels.
    """
    one, zero, cos, sin = torch.ones_like(angle), torch.zeros_like(angle), angle.cos(), angle.sin()
    rotation = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    shearing = torch.stack([torch.stack([one, -shear], 1), torch.stack([zero, one], 1)], 1)
    return rotation @ shearing @ torch.diag_embed(scale)


def affine(images: Tensor, matrix: Tensor, shift: Tensor) -> Tensor:
    """Transform images [N, C, H, W] about their centre by [N, 2, 2], then translate by fractions of the side [N, 2]."""
    height, width = images.shape[2:]
    sides = matrix.new_tensor([width, height])
    # from output to input coordinates, in units of half a side
    inverse = torch.linalg.inv(matrix) * sides[None, None, :] / sides[None, :, None]
    theta = torch.cat([inverse, -inverse @ (2 * shift)[:, :, None]], 2)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def cut_out(images: Tensor, where: Tensor, side: float) -> Tensor:
    """Cover a square centred at ``where`` [N, 2] in each of the images [N, C, H, W] (cutout, DeVries and Taylor 2017).

    arXiv:1708.04552, section 3: the centre is any point (fractions of width and height), so part of the square may lie
    outside the image. The square's side is ``side`` times the image's. The fill is the image's median level instead of
    grey, because a grey square would dominate a handwritten digit on black.
    """
    height, width = images.shape[2:]
    (centre_x, centre_y), half = where.to(images).split(1, 1), side / 2
    columns = ((torch.arange(width).to(images) + 0.5) / width - centre_x).abs() <= half
    rows = ((torch.arange(height).to(images) + 0.5) / height - centre_y).abs() <= half
    level = images.flatten(2).median(2).values[:, :, None, None]
    return torch.where((rows[:, :, None] & columns[:, None, :])[:, None], level, images)
