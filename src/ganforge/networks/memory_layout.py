"""Memory layout of images and feature maps: space-to-depth, channels-last, precision, cropping."""

import torch
from torch import Tensor, nn


class SpaceToDepth(nn.Module):
    """Moves each 2x2 block of pixels into the channels: [N, C, H, W] -> [N, 4C, H/2, W/2]. H and W must be even.

    Equals ``torch.nn.PixelUnshuffle(2)`` up to the order of the channels: here all channels of one pixel are adjacent.
    Torch copies single elements; this layer copies whole pixels, which is several times as fast for channels-last
    input. The output is channels-last.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Apply space-to-depth."""
        n, c, h, w = x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(n, h // 2, 2, w // 2, 2, c).transpose(2, 3)
        return pixels.reshape(n, h // 2, w // 2, 4 * c).permute(0, 3, 1, 2)


class DepthToSpace(nn.Module):
    """The inverse of ``SpaceToDepth``, [N, 4C, H, W] -> [N, C, 2H, 2W]: the periodic shuffling of Shi et al. 2016."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply depth-to-space."""
        n, c, h, w = x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(n, h, w, 2, 2, c // 4).transpose(2, 3)
        return pixels.reshape(n, 2 * h, 2 * w, c // 4).permute(0, 3, 1, 2)


def channels_last(images: Tensor) -> Tensor:
    """Return images [N, C, H, W] in channels-last layout, the fastest one for convolutions on CPUs and on GPUs.

    With one channel both layouts are the same memory. Only channels-last strides make a convolution return
    channels-last maps, so they are set here.
    """
    if images.shape[1] > 1:
        return images.contiguous(memory_format=torch.channels_last)
    return images.reshape(len(images), *images.shape[2:], 1).permute(0, 3, 1, 2)


def to_float32(images: Tensor) -> Tensor:
    """Return images in single precision or better: the 8 significant bits of bfloat16 are too few."""
    return images.to(torch.promote_types(images.dtype, torch.float32))


def crop(images: Tensor, height: int, width: int) -> Tensor:
    """Crop the centre of images: networks that double their maps overshoot odd sides."""
    top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
    return images[:, :, top : top + height, left : left + width]
