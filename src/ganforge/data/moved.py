"""Real images a little turned, shifted and zoomed: what changes the picture and not what it shows."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.data.batches import Batch, Batches
from ganforge.randomness import random_generator


class Moved:
    """The batches of another stream, each image moved by a lot of its own, which depends on (seed, index) alone.

    ``degrees``: turned by as much at most, to either side; ``shift``: by this part of the side at most, along both
    axes; ``zoom`` z: in size between 1 - z and 1 + z. Beyond the edge an image goes on as at the edge.
    """

    def __init__(self, batches: Batches, seed: int, *, degrees: float, shift: float, zoom: float) -> None:
        self._batches, self._seed = batches, seed
        self._degrees, self._shift, self._zoom = degrees, shift, zoom

    def __getitem__(self, index: int) -> Batch:
        """Return batch number ``index`` of the stream, moved."""
        images, labels = self._batches[index]
        lots = torch.rand(4, len(images), generator=random_generator(self._seed, "moved", index)) * 2 - 1
        return Batch(move(images, *self._amounts(lots.to(images))), labels)

    def _amounts(self, lots: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        angle, right, down, size = lots
        return angle * math.radians(self._degrees), torch.stack([right, down], 1) * self._shift, 1 + size * self._zoom


def move(images: Tensor, angle: Tensor, shift: Tensor, size: Tensor) -> Tensor:
    """Turn images [N, C, H, W] by angles [N] (radians, clockwise), shift them by parts of their sides [N, 2], and zoom.

    ``size`` [N]: what a length of 1 becomes.
    """
    height, width = images.shape[2:]
    cos, sin = angle.cos() / size, angle.sin() / size
    # where each pixel is taken from: the way back, in units of half a side
    right, down = (-2 * shift).unbind(1)
    wide = width / height
    turn = torch.stack([torch.stack([cos, sin / wide], 1), torch.stack([-sin * wide, cos], 1)], 1)
    back = turn @ torch.stack([right, down], 1)[:, :, None]
    grid = F.affine_grid(torch.cat([turn, back], 2), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
