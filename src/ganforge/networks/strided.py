"""Convolutional players told layer by layer: the nets of published protocols, to the last parameter."""

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
from ganforge.settings import Settings

Planes = Annotated[tuple[PositiveInt, ...], Field(min_length=1, max_length=4, strict=False)]


class StridedSettings(Settings):
    """Layers of a player, from its input on: ``planes`` that each has, and the ``kernel``'s side.

    Every convolution has a bias, also before batch norm, where it does nothing but count as a parameter.
    """

    family: Literal["strided"]
    planes: Planes
    kernel: Literal[3, 5] = 5
    activation: Literal["relu", "leaky-relu"] = "leaky-relu"
    slope: Annotated[float, Field(ge=0, lt=1)] = 0.2
    init: NormalInit = Init(scheme="normal")


class StridedDiscriminatorSettings(StridedSettings, HeadSettings):
    """A discriminator; ``norm_first``: batch norm on the layer that sees the pixels, too."""

    norm_first: bool = False
    label: Literal["projection", "none"] = "projection"


class StridedGeneratorSettings(StridedSettings, ReferenceSettings):
    """A generator; ``last``: the image comes of one more transposed convolution, or of a plain one at full size.

    ``output = "tanh-of-0..1"`` squashes by tanh though real pixels are scaled to 0..1, as some published code does.
    """

    activation: Literal["relu", "leaky-relu"] = "relu"
    last: Literal["transposed", "plain"] = "transposed"
    output: Literal["tanh", "tanh-of-0..1"] = "tanh"
    label: GeneratorLabel = "one-hot"


def sides(side: int, times: int) -> list[int]:
    """A side and what it is after every halving, rounded up: 28, 14, 7, 4, 2."""
    return [-(-side // 2**k) for k in range(times + 1)]


class StridedGenerator(nn.Module):
    """Latent [N, latent_dim] -> dense -> planes -> (batch norm, activation, transposed convolution)... -> images.

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
        own = classes if settings.label == "batch-norm" else 0
        self.start = (planes[0], heights[0], widths[0])
        self.dense = nn.Linear(self.latent.width, math.prod(self.start))
        layers: list[nn.Module] = []
        for k in range(1, len(planes)):
            layers += [BatchNorm(planes[k - 1], own), activation(settings.activation, settings.slope)]
            # From a side n the transposed convolution alone makes 2n - 1.
            more = (heights[k] - 2 * heights[k - 1] + 1, widths[k] - 2 * widths[k - 1] + 1)
            layers.append(TransposedConvolution(planes[k - 1], planes[k], kernel, 2, kernel // 2, more))
        if settings.last == "plain":
            layers += [BatchNorm(planes[-1], own), activation(settings.activation, settings.slope)]
            layers.append(nn.Conv2d(planes[-1], channels, kernel, padding=kernel // 2))
        self.layers = Layers(*layers)

    def forward(self, latent: Tensor, condition: Tensor | None = None, *, squashed: bool = True) -> Tensor:
        """Draw one image for each latent; ``condition`` is labels [N] or class weights [N, classes]."""
        x = self.dense(self.latent(latent, condition)).view(-1, *self.start)
        x = to_float32(self.layers(channels_last(x), condition))
        return torch.tanh(x) if squashed else x


class StridedDiscriminator(nn.Module):
    """Images [N, C, H, W] -> (convolution of stride 2, batch norm, leaky ReLU)... -> dense -> logits [N]."""

    def __init__(
        self, settings: StridedDiscriminatorSettings, shape: tuple[int, int, int], classes: int, ends: HeadFactory
    ) -> None:
        super().__init__()
        before, kernel, layers = shape[0], settings.kernel, list[nn.Module]()
        for k, planes in enumerate(settings.planes):
            layers.append(Convolution(before, planes, kernel, 2, kernel // 2))
            layers += [BatchNorm(planes)] if k or settings.norm_first else []
            layers.append(activation(settings.activation, settings.slope))
            before = planes
        self.layers = Layers(*layers)
        height, width = (sides(side, len(settings.planes))[-1] for side in shape[1:])
        self.heads = ends(before * height * width, classes)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> HeadOutput:
        """Say of each image how real it looks (as a picture of its class, where there are classes)."""
        features = self.layers(channels_last(images)).flatten(1)
        said: HeadOutput = self.heads(features, condition)
        return said
