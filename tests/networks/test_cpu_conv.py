"""The CPU convolutions for grey images equal torch's own, with first and second gradients."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck

from ganforge.networks.cpu_conv import Convolution, TransposedConvolution, from_one, to_one
from ganforge.networks.memory_layout import channels_last

GEOMETRIES = [
    (kernel, stride, padding) for kernel, stride in ((3, 2), (4, 2), (5, 2), (3, 1), (2, 3)) for padding in (0, 1, 2)
]
"""Kernels, strides and paddings; some skip the last rows of the image, and one kernel is smaller than its stride."""


def random_tensor(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return random numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def layers(kind: type[nn.Module], ours: type[nn.Module], *sizes: int, **options: int) -> tuple[nn.Module, nn.Module]:
    """Return torch's layer and ours with the same weights, in double precision."""
    plain = kind(*sizes, **options).double()
    quick = ours(*sizes, **options).double()
    quick.load_state_dict(plain.state_dict())
    return plain, quick


def output_and_gradients(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Return the output, the gradients of a nonlinear function of it, and the gradients of their squared norm."""
    x = x.clone().requires_grad_()
    output = layer(x)
    inputs = [x, *layer.parameters()]
    first = torch.autograd.grad(output.sin().sum(), inputs, create_graph=True)
    squared_norm = sum(gradient.square().sum() for gradient in first)
    second = torch.autograd.grad(squared_norm, inputs)
    return [output, *first, *second]


@pytest.mark.parametrize(("kernel", "stride", "padding"), GEOMETRIES)
@pytest.mark.parametrize("bias", [True, False])
def test_convolution_is_torchs(kernel: int, stride: int, padding: int, bias: bool) -> None:
    """Values, gradients and second gradients, on images that are taller than wide."""
    plain, quick = layers(nn.Conv2d, Convolution, 1, 6, kernel, stride, padding, bias=bias)
    x = channels_last(random_tensor(3, 1, 9, 7))
    for expected, actual in zip(output_and_gradients(plain, x), output_and_gradients(quick, x), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "more"),
    [(*geometry, more) for geometry in GEOMETRIES for more in (0, 1) if more < geometry[1]],  # torch allows no others
)
def test_transposed_convolution_is_torchs(kernel: int, stride: int, padding: int, more: int) -> None:
    """Values, gradients and second gradients, with and without output padding."""
    plain, quick = layers(nn.ConvTranspose2d, TransposedConvolution, 6, 1, kernel, stride, padding, output_padding=more)
    x = channels_last(random_tensor(3, 6, 5, 4))
    for expected, actual in zip(output_and_gradients(plain, x), output_and_gradients(quick, x), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-12)


def test_gradients_by_differences() -> None:
    """First and second gradients equal finite differences, independently of torch's layers."""
    geometry = (2, 2), (1, 1)
    image, planes, weight, bias = (
        random_tensor(*shape, seed=k).requires_grad_()
        for k, shape in enumerate(((2, 1, 6, 6), (2, 3, 3, 3), (3, 1, 4, 4), (3,)))
    )
    assert gradcheck(lambda *x: from_one(*x, *geometry), (image, weight, bias))
    assert gradgradcheck(lambda *x: from_one(*x, *geometry), (image, weight, bias))
    assert gradcheck(lambda *x: to_one(*x, *geometry, (6, 6)), (planes, weight))
    assert gradgradcheck(lambda *x: to_one(*x, *geometry, (6, 6)), (planes, weight))


def test_they_are_adjoint() -> None:
    """⟨A x, y⟩ = ⟨x, Aᵀ y⟩."""
    image, planes, weight, geometry = (
        random_tensor(2, 1, 28, 28),
        random_tensor(2, 8, 14, 14, seed=1),
        random_tensor(8, 1, 4, 4),
        ((2, 2), (1, 1)),
    )
    forward = (from_one(image, weight, None, *geometry) * planes).sum()
    backward = (image * to_one(planes, weight, *geometry, (28, 28))).sum()
    torch.testing.assert_close(forward, backward)


def test_bf16_sums_are_in_single_precision() -> None:
    """Under autocast the output is in single precision and as near to the exact values as that of torch's layer."""
    plain, quick = nn.ConvTranspose2d(64, 1, 4, 2, 1), TransposedConvolution(64, 1, 4, 2, 1)
    quick.load_state_dict(plain.state_dict())
    x = channels_last(random_tensor(16, 64, 14, 14, dtype=torch.float32))
    exact = F.conv_transpose2d(x.double(), plain.weight.double(), plain.bias.double(), 2, 1)
    with torch.autocast("cpu", torch.bfloat16):
        torchs, ours = plain(x), quick(x)
    assert ours.dtype == torch.float32
    assert (ours - exact).norm() <= 1.1 * (torchs - exact).norm()
    assert (ours - exact).norm() <= 0.01 * exact.norm()


def test_gradients_are_channels_last() -> None:
    """One-channel images have ambiguous strides, and mixed layouts are slow: maps and their gradients are channels-last."""
    convolution, transposed = Convolution(1, 8, 4, 2, 1), TransposedConvolution(8, 1, 4, 2, 1)
    planes = channels_last(random_tensor(4, 8, 7, 7, dtype=torch.float32)).requires_grad_()
    (gradient,) = torch.autograd.grad(transposed(planes).sin().sum(), [planes])
    assert gradient.is_contiguous(memory_format=torch.channels_last)
    for image in (random_tensor(4, 1, 14, 14, dtype=torch.float32), transposed(planes)):
        assert convolution(channels_last(image)).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("channels", [2, 3])
def test_colour_images_use_torchs_layers(channels: int) -> None:
    """With several channels the results equal torch's, bit for bit."""
    plain, quick = layers(nn.Conv2d, Convolution, channels, 6, 4, 2, 1)
    back, quick_back = layers(nn.ConvTranspose2d, TransposedConvolution, 6, channels, 4, 2, 1)
    for one, other, x in (
        (plain, quick, random_tensor(2, channels, 8, 8)),
        (back, quick_back, random_tensor(2, 6, 4, 4)),
    ):
        pairs = zip(output_and_gradients(one, x), output_and_gradients(other, x), strict=True)
        assert all(itertools.starmap(torch.equal, pairs))
