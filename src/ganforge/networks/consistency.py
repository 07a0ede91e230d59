"""Projections of a generator's last layer to pictures that agree with their condition, within the range of pixels.

A projection takes any real numbers and never leaves 0..1. It is differentiable, so a generator trains through it.
"""

from collections.abc import Sequence
from typing import Any, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma (ITU-R BT.601, section 2.5.1)."""


BISECTIONS = 16


class _Clamp(torch.autograd.Function):
    """See `clamp`."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        ctx.save_for_backward(values)
        return values.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (values,) = ctx.saved_tensors
        # a step goes against the gradient: at values below 0, a positive one leads further down
        outward = ((values < 0) & (gradient > 0)) | ((values > 1) & (gradient < 0))
        return gradient.masked_fill(outward, 0)


def clamp(values: Tensor) -> Tensor:
    """Clamp to 0..1, with the gradient of the identity unless it leads further out of the range.

    Where most pixels are black, the first steps drive all of them to 0. The gradient of a sigmoid then vanishes, as
    does that of an ordinary clamp, and the generator never recovers.
    """
    return cast(Tensor, _Clamp.apply(values)) if values.requires_grad else values.clamp(0, 1)  # type: ignore[no-untyped-call]


class Consistency(Protocol):
    """A projection of real numbers to pictures that agree with their conditions."""

    def __call__(self, values: Tensor, condition: Tensor) -> Tensor:
        """Return pictures [N, C, H, W] in 0..1 from numbers of that shape and conditions [N, C', H, W] in 0..1."""
        ...


class KnownPixels:
    """Known pixels are kept: x·m + c·(1 - m), where the condition's last channel m is 1 for missing pixels."""

    def __call__(self, values: Tensor, condition: Tensor) -> Tensor:
        """Take the known pixels from the condition, and clamp the missing ones."""
        missing = condition[:, -1:]
        return torch.lerp(condition[:, :-1], clamp(values), missing)


class WeightedMean:
    """Weighted means of the result equal the condition: of each block, or of the channels of each pixel.

    All numbers a of a group move by one shift s, the root of Σ w·clamp(a + s) = target. With equal weights the result
    is the nearest picture (Euclidean) with the given means. Black pixels beside a stroke stay black. The root is found
    by bisection. One Newton step from it makes it exact and carries the gradient of the implicit function,
    ds/da_i = -w_i / Σ w over the pixels that are not at a bound, and 0 for the others.

    Args:
        block: the side of the blocks whose mean is given, for each channel.
        channel_weights: the weights of the channels in the given mean, with sum 1.
    """

    def __init__(self, block: int = 1, channel_weights: Sequence[float] = ()) -> None:
        self.block, self.channel_weights = block, tuple(channel_weights)

    def __call__(self, values: Tensor, condition: Tensor) -> Tensor:
        """Shift the numbers of each group, and return the pictures."""
        target = condition[:, :, :: self.block, :: self.block]
        shift = self._root(values.detach(), target)
        moved = values + self._spread(shift)
        inside = self._mean(((moved > 0) & (moved < 1)).to(values.dtype))
        residual = self._mean(moved.clamp(0, 1)) - target
        shift = shift - torch.where(inside > 0, residual / inside.clamp_min(1e-6), 0)
        return clamp(values + self._spread(shift))

    def _root(self, values: Tensor, target: Tensor) -> Tensor:
        """Return the shift of each group by bisection: the target minus some number of the group."""
        low, high = target - self._highest(values), target + self._highest(-values)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            above = self._mean((values + self._spread(middle)).clamp(0, 1)) > target
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return (low + high) / 2

    def _mean(self, pixels: Tensor) -> Tensor:
        if self.channel_weights:
            weights = pixels.new_tensor(self.channel_weights).view(1, -1, 1, 1)
            return (pixels * weights).sum(1, keepdim=True)
        return F.avg_pool2d(pixels, self.block)

    def _highest(self, values: Tensor) -> Tensor:
        return values.amax(1, keepdim=True) if self.channel_weights else F.max_pool2d(values, self.block)

    def _spread(self, groups: Tensor) -> Tensor:
        """Repeat the number of each group for its pixels."""
        return groups.repeat_interleave(self.block, 2).repeat_interleave(self.block, 3)
