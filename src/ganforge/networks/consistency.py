"""Projections of a generator's last layer to pictures that agree with their condition, within the range of pixels.

A projection takes logits and never leaves 0..1. It is differentiable, so a generator trains through it.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma (ITU-R BT.601, section 2.5.1)."""


BISECTIONS = 16
MARGIN = 1e-5
"""Targets are kept so far from 0 and 1, where their logits are infinite; far below half a grey level, .002."""
LEAST_SLOPE = 1e-6


class Consistency(Protocol):
    """A projection of logits to pictures that agree with their conditions."""

    def __call__(self, logits: Tensor, condition: Tensor) -> Tensor:
        """Return pictures [N, C, H, W] in 0..1 from logits of that shape and conditions [N, C', H, W] in 0..1."""
        ...


class KnownPixels:
    """Known pixels are kept: x·m + c·(1 - m), where the condition's last channel m is 1 for missing pixels."""

    def __call__(self, logits: Tensor, condition: Tensor) -> Tensor:
        """Take the known pixels from the condition, and the missing ones from the logits."""
        missing = condition[:, -1:]
        return torch.lerp(condition[:, :-1], logits.sigmoid(), missing)


class WeightedMean:
    """Weighted means of the result equal the condition: of each block, or of the channels of each pixel.

    All logits a of a group move by one shift s, the root of Σ w·sigmoid(a + s) = target: the mean is right, and the
    order of the pixels stays. Black pixels beside a stroke stay black, which a projection of the pixels themselves
    would lift. The root is found by bisection. One Newton step from it carries the gradient of the implicit function,
    ds/da_i = -w_i p_i (1 - p_i) / Σ w p (1 - p).

    Args:
        block: the side of the blocks whose mean is given, for each channel.
        channel_weights: the weights of the channels in the given mean, with sum 1.
    """

    def __init__(self, block: int = 1, channel_weights: Sequence[float] = ()) -> None:
        self.block, self.channel_weights = block, tuple(channel_weights)

    def __call__(self, logits: Tensor, condition: Tensor) -> Tensor:
        """Shift the logits of each group, and return the pictures."""
        target = condition[:, :, :: self.block, :: self.block].clamp(MARGIN, 1 - MARGIN)
        shift = self._root(logits.detach(), target)
        pixels = (logits + self._spread(shift)).sigmoid()
        slope = self._mean(pixels.detach() * (1 - pixels.detach())).clamp_min(LEAST_SLOPE)
        shift = shift - (self._mean(pixels) - target) / slope
        return (logits + self._spread(shift)).sigmoid()

    def _root(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the shift of each group by bisection: the target's logit minus some logit of the group."""
        low, high = target.logit() - self._highest(logits), target.logit() + self._highest(-logits)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            above = self._mean((logits + self._spread(middle)).sigmoid()) > target
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return (low + high) / 2

    def _mean(self, pixels: Tensor) -> Tensor:
        if self.channel_weights:
            weights = pixels.new_tensor(self.channel_weights).view(1, -1, 1, 1)
            return (pixels * weights).sum(1, keepdim=True)
        return F.avg_pool2d(pixels, self.block)

    def _highest(self, logits: Tensor) -> Tensor:
        return logits.amax(1, keepdim=True) if self.channel_weights else F.max_pool2d(logits, self.block)

    def _spread(self, groups: Tensor) -> Tensor:
        """Repeat the number of each group for its pixels."""
        return groups.repeat_interleave(self.block, 2).repeat_interleave(self.block, 3)
