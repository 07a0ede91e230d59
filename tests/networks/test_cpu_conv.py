"""Convolutions of grey images in another order of sums: torch's own figures, with all their gradients."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck

from ganforge.networks.cpu_conv import Convolution, TransposedConvolution, from_one, to_one
from ganforge.networks.memory_layout import channels_last

WAYS = [
    (kernel, stride, padding) for kernel, stride in ((3, 2), (4, 2), (5, 2), (3, 1), (2, 3)) for padding in (0, 1, 2)
]
"""Kernels, strides and paddings, also those that leave the image's last rows untouched, or a kernel less than a stride."""


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Draw numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def layers(kind: type[nn.Module], ours: type[nn.Module], *sizes: int, **more: int) -> tuple[nn.Module, nn.Module]:
    """Make torch's layer and ours with the same weights, in double precision."""
    plain = kind(*sizes, **more).double()
    quick = ours(*sizes, **more).double()
    quick.load_state_dict(plain.state_dict())
    return plain, quick


def everything(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Return what it gives, the gradients of a curved function of that, and the gradients of the sizes of those."""
    x = x.clone().requires_grad_()
    given = layer(x)
    inputs = [x, *layer.parameters()]
    first = torch.autograd.grad(given.sin().sum(), inputs, create_graph=True)
    size = sum(gradient.square().sum() for gradient in first)
    second = torch.autograd.grad(size, inputs)
    return [given, *first, *second]


@pytest.mark.parametrize(("kernel", "stride", "padding"), WAYS)
@pytest.mark.parametrize("bias", [True, False])
def test_convolution_is_torchs(kernel: int, stride: int, padding: int, bias: bool) -> None:
    """Values, gradients and second gradients, on images that are higher than wide."""
    plain, quick = layers(nn.Conv2d, Convolution, 1, 6, kernel, stride, padding, bias=bias)
    x = channels_last(drawn(3, 1, 9, 7))
    for there, here in zip(everything(plain, x), everything(quick, x), strict=True):
        torch.testing.assert_close(here, there, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "more"),
    [(*way, more) for way in WAYS for more in (0, 1) if more < way[1]],  # torch has no others
)
def test_transposed_convolution_is_torchs(kernel: int, stride: int, padding: int, more: int) -> None:
    """Values, gradients and second gradients, with and without a row and a column more."""
    plain, quick = layers(nn.ConvTranspose2d, TransposedConvolution, 6, 1, kernel, stride, padding, output_padding=more)
    x = channels_last(drawn(3, 6, 5, 4))
    for there, here in zip(everything(plain, x), everything(quick, x), strict=True):
        torch.testing.assert_close(here, there, rtol=1e-10, atol=1e-12)


def test_gradients_by_differences() -> None:
    """First and second gradients hold against finite differences, without asking torch's layers."""
    ways = (2, 2), (1, 1)
    image, planes, weight, bias = (
        drawn(*shape, seed=k).requires_grad_()
        for k, shape in enumerate(((2, 1, 6, 6), (2, 3, 3, 3), (3, 1, 4, 4), (3,)))
    )
    assert gradcheck(lambda *x: from_one(*x, *ways), (image, weight, bias))
    assert gradgradcheck(lambda *x: from_one(*x, *ways), (image, weight, bias))
    assert gradcheck(lambda *x: to_one(*x, *ways, (6, 6)), (planes, weight))
    assert gradgradcheck(lambda *x: to_one(*x, *ways, (6, 6)), (planes, weight))


def test_they_are_adjoint() -> None:
    """⟨A x, y⟩ = ⟨x, Aᵀ y⟩."""
    image, planes, weight, ways = drawn(2, 1, 28, 28), drawn(2, 8, 14, 14, seed=1), drawn(8, 1, 4, 4), ((2, 2), (1, 1))
    there = (from_one(image, weight, None, *ways) * planes).sum()
    back = (image * to_one(planes, weight, *ways, (28, 28))).sum()
    torch.testing.assert_close(there, back)


def test_bf16_is_added_up_in_single_precision() -> None:
    """Under autocast what comes out is single precision, and no further from the truth than torch's own layer."""
    plain, quick = nn.ConvTranspose2d(64, 1, 4, 2, 1), TransposedConvolution(64, 1, 4, 2, 1)
    quick.load_state_dict(plain.state_dict())
    x = channels_last(drawn(16, 64, 14, 14, dtype=torch.float32))
    truth = F.conv_transpose2d(x.double(), plain.weight.double(), plain.bias.double(), 2, 1)
    with torch.autocast("cpu", torch.bfloat16):
        theirs, ours = plain(x), quick(x)
    assert ours.dtype == torch.float32
    assert (ours - truth).norm() <= 1.1 * (theirs - truth).norm()
    assert (ours - truth).norm() <= 0.01 * truth.norm()


def test_gradients_lie_pixel_by_pixel() -> None:
    """Of the planes behind an image of one channel, whose own strides say nothing: mixed layouts are slow."""
    convolution, transposed = Convolution(1, 8, 4, 2, 1), TransposedConvolution(8, 1, 4, 2, 1)
    planes = channels_last(drawn(4, 8, 7, 7, dtype=torch.float32)).requires_grad_()
    (gradient,) = torch.autograd.grad(transposed(planes).sin().sum(), [planes])
    assert gradient.is_contiguous(memory_format=torch.channels_last)
    for image in (drawn(4, 1, 14, 14, dtype=torch.float32), transposed(planes)):
        assert convolution(channels_last(image)).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("channels", [2, 3])
def test_colour_is_left_to_torch(channels: int) -> None:
    """With several channels the layers are torch's, bit by bit."""
    plain, quick = layers(nn.Conv2d, Convolution, channels, 6, 4, 2, 1)
    back, quick_back = layers(nn.ConvTranspose2d, TransposedConvolution, 6, channels, 4, 2, 1)
    for one, other, x in ((plain, quick, drawn(2, channels, 8, 8)), (back, quick_back, drawn(2, 6, 4, 4))):
        assert all(itertools.starmap(torch.equal, zip(everything(one, x), everything(other, x), strict=True)))
