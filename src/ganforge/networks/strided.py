"""Convolutional networks specified layer by layer, to reproduce published protocols to the last parameter."""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from ganforge.networks.blocks import Init, Layers, NormalInit, activation
from ganforge.networks.conditioning import ConcatClass, GeneratorLabel
from ganforge.networks.cpu_conv import Convolution, TransposedConvolution
from ganforge.networks.heads import HeadFactory, HeadOutput, HeadSettings
from ganforge.networks.memory_layout import channels_last, to_float32
from ganforge.networks.normalisation import BatchNorm, ReferenceSettings
from ganforge.settings import MOST_FILTERS, Settings

Planes = Annotated[
    tuple[Annotated[PositiveInt, Field(le=MOST_FILTERS)], ...], Field(min_length=1, max_length=4, strict=False)
]


class StridedSettings(Settings):
    """Layers of a network, from the input on: ``planes`` are their numbers of filters, ``kernel`` the kernel side.

    Every convolution has a bias, also before batch norm, where it has no effect but counts as a parameter.
    """

    family: Literal["strided"]
    planes: Planes = Field(description="filters of every layer, from the input on")
    kernel: Literal[3, 5] = Field(5, description="side of the convolution kernels")
    activation: Literal["relu", "leaky-relu"] = Field("leaky-relu", description="of the hidden layers")
    slope: float = Field(0.2, ge=0, lt=1, description="slope of leaky-relu below 0")
    init: NormalInit = Init(scheme="normal")


class StridedDiscriminatorSettings(StridedSettings, HeadSettings):
    """A discriminator; ``norm_first`` adds batch norm to the first layer, which sees the pixels."""

    norm_first: bool = Field(False, description="batch norm also in the layer that sees the pixels")
    label: Literal["projection", "none"] = Field("projection", description="how the class enters a conditional network")


class StridedGeneratorSettings(StridedSettings, ReferenceSettings):
    """A generator; ``last``: the last layer is a transposed convolution, or a plain convolution at full size.

    ``output = "tanh-of-0..1"`` applies tanh although real pixels are scaled to 0..1, as some published code does.
    """

    activation: Literal["relu", "leaky-relu"] = Field("relu", description="of the hidden layers")
    last: Literal["transposed", "plain"] = Field("transposed", description="kind of the last convolution")
    output: Literal["tanh", "tanh-of-0..1"] = Field("tanh", description="tanh-of-0..1: tanh, with real pixels in 0..1")
    label: GeneratorLabel = Field("one-hot", description="how the class enters a conditional network")


def sides(side: int, halvings: int) -> list[int]:
    """Return an image side and its values after every halving, rounded up: 28, 14, 7, 4, 2."""
    return [-(-side // 2**k) for k in range(halvings + 1)]


class StridedGenerator(nn.Module):
    """Latent [N, latent_dim] -> dense -> maps -> (batch norm, activation, transposed convolution)... -> images.

    Images [N, C, H, W] lie in [-1, 1].
    """

    def __init__(
        self, settings: StridedGeneratorSettings, latent_dim: int, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__()
        channels, kernel = shape[0], settings.kernel
        planes = [*settings.planes, channels] if settings.last == "transposed" else list(settings.planes)
        heights, widths = (sides(side, len(planes) - 1)[::-1] for side in shape[1:])
        self.latent = ConcatClass(settings.label, latent_dim, classes)
        norm_classes = classes if settings.label == "batch-norm" else 0
        self.start = (planes[0], heights[0], widths[0])
        self.dense = nn.Linear(self.latent.width, math.prod(self.start))
        layers: list[nn.Module] = []
        for k in range(1, len(planes)):
            layers += [BatchNorm(planes[k - 1], norm_classes), activation(settings.activation, settings.slope)]
            # The transposed convolution alone maps a side n to 2n - 1.
            output_padding = (heights[k] - 2 * heights[k - 1] + 1, widths[k] - 2 * widths[k - 1] + 1)
            layers.append(TransposedConvolution(planes[k - 1], planes[k], kernel, 2, kernel // 2, output_padding))
        if settings.last == "plain":
            layers += [BatchNorm(planes[-1], norm_classes), activation(settings.activation, settings.slope)]
            layers.append(nn.Conv2d(planes[-1], channels, kernel, padding=kernel // 2))
        self.layers = Layers(*layers)

    def forward(self, latent: Tensor, condition: Tensor | None = None, *, squashed: bool = True) -> Tensor:
        """Generate one image for each latent; ``condition`` is labels [N] or class weights [N, classes]."""
        x = self.dense(self.latent(latent, condition)).view(-1, *self.start)
        x = to_float32(self.layers(channels_last(x), condition))
        return torch.tanh(x) if squashed else x


class StridedDiscriminator(nn.Module):
    """Images [N, C, H, W] -> (convolution of stride 2, batch norm, activation)... -> heads."""

    def __init__(
        self,
        settings: StridedDiscriminatorSettings,
        shape: tuple[int, int, int],
        classes: int,
        head_factory: HeadFactory,
    ) -> None:
        super().__init__()
        channels_in, kernel, layers = shape[0], settings.kernel, list[nn.Module]()
        for k, planes in enumerate(settings.planes):
            layers.append(Convolution(channels_in, planes, kernel, 2, kernel // 2))
            layers += [BatchNorm(planes)] if k or settings.norm_first else []
            layers.append(activation(settings.activation, settings.slope))
            channels_in = planes
        self.layers = Layers(*layers)
        height, width = (sides(side, len(settings.planes))[-1] for side in shape[1:])
        self.heads = head_factory(channels_in * height * width, classes)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> HeadOutput:
        """Return the output of the heads; with classes, the logit is that of a real image of the given class."""
        features = self.layers(channels_last(images)).flatten(1)
        return self.heads(features, condition)
