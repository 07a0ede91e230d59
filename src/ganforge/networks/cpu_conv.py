"""Fast CPU convolutions between one image channel and many feature channels.

From one channel to many, torch's convolution and its gradient for the weights are fast on a CPU. Back to one channel (a
transposed convolution, or a convolution's gradient for its input) it takes ten times as long as its products need.
Here the sums are taken in another order: one matrix product gives the contribution of every position through every
kernel tap, and the resulting maps, one per tap, are added at their offsets in the image (docs/lab/performance.md).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.networks.memory_layout import channels_last

Pair = tuple[int, int]


class _FromOne(torch.autograd.Function):
    """A convolution [N, 1, H, W] -> [N, C, h, w], weights [C, 1, k, l]: torch's, except for the input's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = stride, padding
        return F.conv2d(x, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (x, weight), (stride, padding) = ctx.saved_tensors, ctx.geometry
        grad_x = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_x = to_one(gradient, weight, stride, padding, (x.shape[2], x.shape[3])).to(x.dtype)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            grad_weight, grad_bias = _weight_gradients(
                x, weight, stride, padding, gradient, with_bias=ctx.needs_input_grad[2]
            )
        return grad_x, grad_weight, grad_bias, None, None


class _ToOne(torch.autograd.Function):
    """The transposed convolution [N, C, h, w] -> [N, 1, H, W]; each function is the other's gradient for its input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: Pair, padding: Pair, size: Pair) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = stride, padding
        return _sum_taps(x, weight, stride, padding, size)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (x, weight), (stride, padding) = ctx.saved_tensors, ctx.geometry
        gradient = channels_last(gradient.to(x.dtype))
        grad_x = from_one(gradient, weight, None, stride, padding) if ctx.needs_input_grad[0] else None
        grad_weight = _weight_gradients(gradient, weight, stride, padding, x)[0] if ctx.needs_input_grad[1] else None
        return grad_x, grad_weight, None, None, None


def from_one(x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair) -> Tensor:
    """Convolve images [N, 1, H, W] with weights [C, 1, k, l], as ``F.conv2d`` does."""
    maps: Tensor = _FromOne.apply(x, weight, bias, stride, padding)  # type: ignore[no-untyped-call]
    return maps


def to_one(x: Tensor, weight: Tensor, stride: Pair, padding: Pair, size: Pair) -> Tensor:
    """Apply a transposed convolution: maps [N, C, h, w], weights [C, 1, k, l] -> images [N, 1, H, W] of ``size``.

    The values equal those of ``F.conv_transpose2d`` up to rounding. The sums, and so the images, are in single
    precision for bf16 inputs.
    """
    images: Tensor = _ToOne.apply(x, weight, stride, padding, size)  # type: ignore[no-untyped-call]
    return images


def _weight_gradients(
    image: Tensor, weight: Tensor, stride: Pair, padding: Pair, gradient: Tensor, *, with_bias: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Return the gradients for weights and bias, from the ``gradient`` of the convolution of ``image``."""
    bias_sizes, output_mask = ([len(weight)] if with_bias else None), [False, True, with_bias]
    geometry = [*stride], [*padding], [1, 1], False, [0, 0], 1
    _, grad_weight, grad_bias = torch.ops.aten.convolution_backward(
        gradient, image, weight, bias_sizes, *geometry, output_mask
    )
    return grad_weight, grad_bias


def _sum_taps(x: Tensor, weight: Tensor, stride: Pair, padding: Pair, size: Pair) -> Tensor:
    """Compute the transposed convolution tap by tap."""
    n, channels, *positions = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(-1, channels)
    taps = (weight.reshape(channels, -1).T @ rows.T).view(*weight.shape[2:], n, *positions)
    image = torch.zeros(n, *size, dtype=torch.promote_types(x.dtype, torch.float32), device=x.device)
    spans = [
        [_span(tap, *axis) for tap in range(kernel)]
        for kernel, *axis in zip(weight.shape[2:], positions, size, stride, padding, strict=True)
    ]
    for tap_row, (map_rows, image_rows) in enumerate(spans[0]):
        for tap_column, (map_columns, image_columns) in enumerate(spans[1]):
            image[:, image_rows, image_columns] += taps[tap_row, tap_column, :, map_rows, map_columns]
    return image.unsqueeze(1)


def _span(tap: int, positions: int, size: int, stride: int, padding: int) -> tuple[slice, slice]:
    """Return the map positions along an axis that reach the image through a kernel tap, and their image pixels."""
    first = max(0, -(-(padding - tap) // stride))
    last = max(first, min(positions, (size - 1 + padding - tap) // stride + 1))
    start = stride * first + tap - padding
    return slice(first, last), slice(start, start + stride * (last - first), stride)


class Convolution(nn.Conv2d):
    """``nn.Conv2d``, faster on a CPU for one input channel."""

    def forward(self, input: Tensor) -> Tensor:
        """Convolve images [N, C, H, W]."""
        if not _is_supported(self, input) or self.in_channels > 1:
            return super().forward(input)
        x, weight = _autocast(input), _autocast(self.weight)
        return from_one(x, weight, None if self.bias is None else _autocast(self.bias), *_geometry(self))


class TransposedConvolution(nn.ConvTranspose2d):
    """``nn.ConvTranspose2d``, faster on a CPU for one output channel, which then is in single precision at least."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Apply the transposed convolution to maps [N, C, h, w]."""
        if not _is_supported(self, input) or self.out_channels > 1 or output_size is not None:
            return super().forward(input, output_size)
        x, weight = _autocast(input), _autocast(self.weight)
        (stride, padding), output_padding = _geometry(self), self.output_padding
        size = [
            (side - 1) * stride[k] - 2 * padding[k] + weight.shape[2 + k] + int(output_padding[k])
            for k, side in enumerate(x.shape[2:])
        ]
        image = to_one(x, weight, stride, padding, (size[0], size[1]))
        return image if self.bias is None else image + self.bias.view(-1, 1, 1)


def _is_supported(layer: nn.Conv2d | nn.ConvTranspose2d, x: Tensor) -> bool:
    """Return whether the fast path applies: a plain convolution of a batch on a CPU."""
    plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
    return plain and x.device.type == "cpu" and x.ndim == 4


def _geometry(layer: nn.Conv2d | nn.ConvTranspose2d) -> tuple[Pair, Pair]:
    """Return the stride and the padding of a layer."""
    assert isinstance(layer.padding, tuple)
    (stride_y, stride_x), (pad_y, pad_x) = layer.stride, layer.padding
    return (stride_y, stride_x), (pad_y, pad_x)


def _autocast(x: Tensor) -> Tensor:
    """Cast a tensor to the autocast precision where autocast is enabled, as torch's own layers do."""
    device = x.device.type
    return x.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else x
