"""Convolutions between one channel and many: a grey image on one side, where torch's own are slow one way.

From one channel to many a convolution is fast on a processor, and so is its gradient for the weights. Back to one (a
transposed convolution, or a convolution's gradient for its input) takes ten times as long as its products need.
There the same sums are taken in another order: one matrix product gives what every place adds by every tap of the
kernel, and the taps, planes then, are added up where they belong (docs/lab/performance.md).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.networks.memory_layout import channels_last

Pair = tuple[int, int]


class _FromOne(torch.autograd.Function):
    """A convolution [N, 1, H, W] -> [N, C, h, w] by weights [C, 1, k, l]: torch's, but for its input's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.ways = stride, padding
        return F.conv2d(x, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (x, weight), (stride, padding) = ctx.saved_tensors, ctx.ways
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_x = to_one(gradient, weight, stride, padding, (x.shape[2], x.shape[3])).to(x.dtype)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            of_weight, of_bias = _of_weights(x, weight, stride, padding, gradient, with_bias=ctx.needs_input_grad[2])
        return of_x, of_weight, of_bias, None, None


class _ToOne(torch.autograd.Function):
    """The transposed one, [N, C, h, w] -> [N, 1, H, W]; each of the two is the other's gradient for its input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: Pair, padding: Pair, size: Pair) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.ways = stride, padding
        return _add_up(x, weight, stride, padding, size)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (x, weight), (stride, padding) = ctx.saved_tensors, ctx.ways
        gradient = channels_last(gradient.to(x.dtype))
        of_x = from_one(gradient, weight, None, stride, padding) if ctx.needs_input_grad[0] else None
        of_weight = _of_weights(gradient, weight, stride, padding, x)[0] if ctx.needs_input_grad[1] else None
        return of_x, of_weight, None, None, None


def from_one(x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair) -> Tensor:
    """Convolve images [N, 1, H, W] with weights [C, 1, k, l] as ``F.conv2d`` does."""
    found: Tensor = _FromOne.apply(x, weight, bias, stride, padding)  # type: ignore[no-untyped-call]
    return found


def to_one(x: Tensor, weight: Tensor, stride: Pair, padding: Pair, size: Pair) -> Tensor:
    """Convolve planes [N, C, h, w], transposed, with weights [C, 1, k, l] to images [N, 1, H, W] of a ``size``.

    What ``F.conv_transpose2d`` computes, but for the last bit; bf16 comes out in single precision, in which it is added
    up.
    """
    found: Tensor = _ToOne.apply(x, weight, stride, padding, size)  # type: ignore[no-untyped-call]
    return found


def _of_weights(
    image: Tensor, weight: Tensor, stride: Pair, padding: Pair, planes: Tensor, *, with_bias: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Return the gradients for weights and bias where ``planes`` is that of what a convolution made of ``image``."""
    sizes, wanted = ([len(weight)] if with_bias else None), [False, True, with_bias]
    ways = [*stride], [*padding], [1, 1], False, [0, 0], 1
    _, of_weight, of_bias = torch.ops.aten.convolution_backward(planes, image, weight, sizes, *ways, wanted)
    return of_weight, of_bias


def _add_up(x: Tensor, weight: Tensor, stride: Pair, padding: Pair, size: Pair) -> Tensor:
    n, channels, *places = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(-1, channels)
    taps = (weight.reshape(channels, -1).T @ rows.T).view(*weight.shape[2:], n, *places)
    image = torch.zeros(n, *size, dtype=torch.promote_types(x.dtype, torch.float32), device=x.device)
    spans = [
        [_span(tap, *way) for tap in range(kernel)]
        for kernel, *way in zip(weight.shape[2:], places, size, stride, padding, strict=True)
    ]
    for row, (down, below) in enumerate(spans[0]):
        for column, (across, beside) in enumerate(spans[1]):
            image[:, below, beside] += taps[row, column, :, down, across]
    return image.unsqueeze(1)


def _span(tap: int, places: int, size: int, stride: int, padding: int) -> tuple[slice, slice]:
    """Return which places along an axis reach the image by a tap of the kernel, and where in the image they come to."""
    first = max(0, -(-(padding - tap) // stride))
    last = max(first, min(places, (size - 1 + padding - tap) // stride + 1))
    to = stride * first + tap - padding
    return slice(first, last), slice(to, to + stride * (last - first), stride)


class Convolution(nn.Conv2d):
    """``nn.Conv2d``, quick where it sees one channel."""

    def forward(self, input: Tensor) -> Tensor:
        """Convolve [N, C, H, W]."""
        if not _pays(self, input) or self.in_channels > 1:
            return super().forward(input)
        x, weight = _as_layers_compute(input), _as_layers_compute(self.weight)
        return from_one(x, weight, None if self.bias is None else _as_layers_compute(self.bias), *_ways(self))


class TransposedConvolution(nn.ConvTranspose2d):
    """``nn.ConvTranspose2d``, quick where it makes one channel; that comes out in single precision at least."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve [N, C, h, w]."""
        if not _pays(self, input) or self.out_channels > 1 or output_size is not None:
            return super().forward(input, output_size)
        x, weight = _as_layers_compute(input), _as_layers_compute(self.weight)
        (stride, padding), more = _ways(self), self.output_padding
        size = [
            (side - 1) * stride[k] - 2 * padding[k] + weight.shape[2 + k] + int(more[k])
            for k, side in enumerate(x.shape[2:])
        ]
        image = to_one(x, weight, stride, padding, (size[0], size[1]))
        return image if self.bias is None else image + self.bias.view(-1, 1, 1)


def _pays(layer: nn.Conv2d | nn.ConvTranspose2d, x: Tensor) -> bool:
    """Whether another order is worth it: on a processor, for plain convolutions of batches."""
    plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
    return plain and x.device.type == "cpu" and x.ndim == 4


def _ways(layer: nn.Conv2d | nn.ConvTranspose2d) -> tuple[Pair, Pair]:
    """Return stride and padding of a layer."""
    assert isinstance(layer.padding, tuple)
    (down, across), (below, beside) = layer.stride, layer.padding
    return (down, across), (below, beside)


def _as_layers_compute(x: Tensor) -> Tensor:
    """Give a tensor in the precision of autocast, where it is on: torch's own layers do so by themselves."""
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x
