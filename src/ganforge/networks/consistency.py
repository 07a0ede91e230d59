"""Projections after which a generated picture agrees with its condition, within the range of pixels.

Both are differentiable and never leave 0..1, so a generator trains through them.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma (ITU-R BT.601, section 2.5.1)."""


class Consistency(Protocol):
    """A projection of pictures to those that agree with their conditions."""

    def __call__(self, images: Tensor, condition: Tensor) -> Tensor:
        """Return the projected pictures [N, C, H, W], from pictures and conditions [N, C', H, W], all in 0..1."""
        ...


class KnownPixels:
    """Known pixels are kept: x·m + c·(1 - m), where the condition's last channel m is 1 for missing pixels."""

    def __call__(self, images: Tensor, condition: Tensor) -> Tensor:
        """Replace the known pixels of ``images`` by those of the condition."""
        missing = condition[:, -1:]
        return torch.lerp(condition[:, :-1], images, missing)


class WeightedMean:
    """Weighted means of the result equal the condition: of each block, or of the channels of each pixel.

    With the mean m of a group of pixels x and its target t, x becomes 1 - (1 - x)(1 - t)/(1 - m) where m < t, and
    x·t/m otherwise: a line through the nearest bound of the range, which keeps 0..1 and moves the mean to t.

    Args:
        block: the side of the blocks whose mean is given, for each channel.
        channel_weights: the weights of the channels in the given mean, with sum 1.
    """

    def __init__(self, block: int = 1, channel_weights: Sequence[float] = ()) -> None:
        self.block, self.channel_weights = block, tuple(channel_weights)

    def __call__(self, images: Tensor, condition: Tensor) -> Tensor:
        """Move each mean to its target."""
        means = self._means(images)
        upward = 1 - (1 - images) * ((1 - condition) / (1 - means).clamp_min(1e-6))
        downward = images * (condition / means.clamp_min(1e-6))
        return torch.where(means < condition, upward, downward).clamp(0, 1)

    def _means(self, images: Tensor) -> Tensor:
        if self.channel_weights:
            weights = images.new_tensor(self.channel_weights).view(1, -1, 1, 1)
            return (images * weights).sum(1, keepdim=True)
        means = F.avg_pool2d(images, self.block)
        return means.repeat_interleave(self.block, 2).repeat_interleave(self.block, 3)
