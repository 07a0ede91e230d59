"""One-dimensional convolutional networks, for signals [N, C, 1, T].

All convolutions run along the last axis. An image of several rows counts as a signal with a channel for each row. The
generator doubles the length of its maps by repetition, the discriminator halves it by strided convolutions.
"""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ganforge.networks.blocks import Init, Layers, MinibatchStd, NormalInit, activation
from ganforge.networks.conditioning import ConcatClass, GeneratorLabel
from ganforge.networks.heads import HeadFactory, HeadOutput, HeadSettings
from ganforge.networks.memory_layout import to_float32
from ganforge.networks.normalisation import BatchNorm, ReferenceSettings
from ganforge.settings import MOST_FILTERS, Settings

SHORTEST = 8
"""Maps are halved while they are at least twice as long."""
REACH = 5
"""Samples that a convolution sees."""


class SignalSettings(Settings):
    """Layers of a network; their number follows from the length of the signals.

    ``filters`` is the number of filters at full length; every halving doubles it, up to four times as many.
    """

    family: Literal["signal"]
    filters: int = Field(32, ge=2, le=MOST_FILTERS, description="filters at full length; halvings double them")
    activation: Literal["relu", "leaky-relu"] = Field("leaky-relu", description="of the hidden layers")
    slope: float = Field(0.2, ge=0, lt=1, description="slope of leaky-relu below 0")
    init: NormalInit = Init(scheme="normal")


class SignalDiscriminatorSettings(SignalSettings, HeadSettings):
    """A discriminator, conditioned on the class by projection where there are classes.

    ``minibatch_std`` appends the standard deviation over the batch to its shortest maps.
    """

    minibatch_std: bool = Field(False, description="append the batch's standard deviation to the features")
    label: Literal["projection", "none"] = Field("projection", description="how the class enters a conditional network")


class SignalGeneratorSettings(SignalSettings, ReferenceSettings):
    """A generator with values in -1..1."""

    activation: Literal["relu", "leaky-relu"] = Field("relu", description="of the hidden layers")
    output: Literal["tanh"] = Field("tanh", description="values in -1..1")
    label: GeneratorLabel = Field("batch-norm", description="how the class enters a conditional network")


def halvings(length: int) -> int:
    """Return the number of halvings down to the shortest maps."""
    return max(0, math.floor(math.log2(length / SHORTEST)))


def _filters(settings: SignalSettings, level: int) -> int:
    return settings.filters << min(level, 2)


def _convolution(channels_in: int, channels: int, stride: int = 1, *, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels, (1, REACH), (1, stride), (0, REACH // 2), bias=bias)


class SignalGenerator(nn.Module):
    """Latent [N, latent_dim] -> dense -> maps -> (repeat, convolution)... -> images [N, C, H, W] in [-1, 1]."""

    def __init__(
        self, settings: SignalGeneratorSettings, latent_dim: int, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__()
        self.shape = shape
        levels = halvings(shape[2])
        self.start = (_filters(settings, levels), 1, -(-shape[2] // 2**levels))
        self.latent = ConcatClass(settings.label, latent_dim, classes)
        self.dense = nn.Linear(self.latent.width, math.prod(self.start), bias=False)
        norm_classes = classes if settings.label == "batch-norm" else 0

        def norm_and_activation(channels: int) -> list[nn.Module]:
            return [BatchNorm(channels, norm_classes), activation(settings.activation, settings.slope)]

        layers = norm_and_activation(self.start[0])
        for level in reversed(range(levels)):
            channels_in, channels = _filters(settings, level + 1), _filters(settings, level)
            layers += [nn.Upsample(scale_factor=(1, 2)), _convolution(channels_in, channels, bias=False)]
            layers += norm_and_activation(channels)
        layers += [_convolution(settings.filters, shape[0] * shape[1])]
        self.layers = Layers(*layers)

    def forward(self, latent: Tensor, condition: Tensor | None = None, *, squashed: bool = True) -> Tensor:
        """Generate one image for each latent; ``condition`` is labels [N] or class weights [N, classes]."""
        x = self.dense(self.latent(latent, condition)).view(-1, *self.start)
        x = to_float32(self.layers(x, condition)[..., : self.shape[2]]).reshape(-1, *self.shape)
        return torch.tanh(x) if squashed else x


class SignalDiscriminator(nn.Module):
    """Images [N, C, H, W] -> (strided convolution, activation)... -> heads; without normalisation layers."""

    def __init__(
        self,
        settings: SignalDiscriminatorSettings,
        shape: tuple[int, int, int],
        classes: int,
        head_factory: HeadFactory,
    ) -> None:
        super().__init__()
        levels, length = halvings(shape[2]), shape[2]
        layers: list[nn.Module] = [_convolution(shape[0] * shape[1], settings.filters)]
        layers.append(activation(settings.activation, settings.slope))
        for level in range(levels):
            layers += [_convolution(_filters(settings, level), _filters(settings, level + 1), 2)]
            layers.append(activation(settings.activation, settings.slope))
            length = -(-length // 2)
        if settings.minibatch_std:
            layers.append(MinibatchStd())
        self.layers = Layers(*layers)
        self.heads = head_factory((_filters(settings, levels) + settings.minibatch_std) * length, classes)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> HeadOutput:
        """Return the output of the heads; with classes, the logit is that of a real image of the given class."""
        rows = images.flatten(1, 2)[:, :, None]
        return self.heads(self.layers(rows).flatten(1), condition)
