"""Planes of images: how they lie in memory, how they are folded and cut."""

import torch
from torch import Tensor, nn


class SpaceToDepth(nn.Module):
    """Four neighbouring places travel as one of four times the channels: [N, C, H, W] -> [N, 4C, H/2, W/2].

    ``torch.nn.PixelUnshuffle(2)`` with its channels in another order, place by place. Torch's own takes one element
    at a time; here whole rows of channels move, which is several times as fast where planes are channels-last, and what
    comes out is channels-last. H and W must be even.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Fold."""
        n, c, h, w = x.shape
        places = x.permute(0, 2, 3, 1).reshape(n, h // 2, 2, w // 2, 2, c).transpose(2, 3)
        return places.reshape(n, h // 2, w // 2, 4 * c).permute(0, 3, 1, 2)


class DepthToSpace(nn.Module):
    """The inverse of ``SpaceToDepth``, [N, 4C, H, W] -> [N, C, 2H, 2W]: the periodic shuffling of Shi et al. 2016."""

    def forward(self, x: Tensor) -> Tensor:
        """Unfold."""
        n, c, h, w = x.shape
        places = x.permute(0, 2, 3, 1).reshape(n, h, w, 2, 2, c // 4).transpose(2, 3)
        return places.reshape(n, 2 * h, 2 * w, c // 4).permute(0, 3, 1, 2)


def channels_last(images: Tensor) -> Tensor:
    """Lay images [N, C, H, W] out pixel by pixel: what convolutions are fastest with, on processors and on GPUs.

    One channel lies so in either layout, and a convolution takes it for the other one and gives its planes in that,
    plane by plane, unless the strides say what is meant.
    """
    if images.shape[1] > 1:
        return images.contiguous(memory_format=torch.channels_last)
    return images.reshape(len(images), *images.shape[2:], 1).permute(0, 3, 1, 2)


def to_float32(images: Tensor) -> Tensor:
    """Give images at least single precision, whatever the layers computed in: 8 bits of a bfloat16 are too few."""
    return images.to(torch.promote_types(images.dtype, torch.float32))


def crop(images: Tensor, height: int, width: int) -> Tensor:
    """Cut the middle out of images: nets that double a plane draw a little more than a side that is odd."""
    top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
    return images[:, :, top : top + height, left : left + width]
