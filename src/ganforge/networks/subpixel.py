"""Convolutional networks for CPUs, which never convolve at the full image size.

Four neighbouring pixels become four channels (space to depth). The discriminator does this to the image and wherever it
halves its feature maps. The generator enlarges its maps by the inverse (depth to space, the sub-pixel convolution of
Shi et al. 2016), the last time into the image itself. All convolutions have stride 1, at which CPUs are several times
faster, above all in the backward pass. A convolution whose only purpose is to prepare depth-to-space is 1x1.
"""

import math
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeInt
from torch import Tensor, nn

from ganforge.networks.blocks import Init, Layers, MinibatchStd, NormalInit, activation
from ganforge.networks.conditioning import ConcatClass, GeneratorLabel
from ganforge.networks.heads import HeadFactory, HeadOutput, HeadSettings
from ganforge.networks.memory_layout import DepthToSpace, SpaceToDepth, crop, to_float32
from ganforge.networks.normalisation import BatchNorm, ReferenceSettings
from ganforge.settings import MOST_FILTERS, MOST_LAYERS, Settings

SMALLEST_PLANE = 8
"""Feature maps are halved while a side is longer than this: an image of 28 goes to 14 and to 7."""


class SubpixelSettings(Settings):
    """Layers of a network; their number follows from the image size.

    ``filters`` is the number of filters at half the image size; every halving doubles it. ``depth`` is the number of
    further convolutions at each size of the generator, and at the smallest size of the discriminator.
    """

    family: Literal["subpixel"]
    filters: int = Field(
        64,
        ge=2,
        le=MOST_FILTERS,
        multiple_of=2,
        description="filters at half the image size; every halving doubles them",
    )
    depth: NonNegativeInt = Field(1, le=MOST_LAYERS, description="further convolutions at a size")
    activation: Literal["relu", "leaky-relu"] = Field("leaky-relu", description="of the hidden layers")
    slope: float = Field(0.2, ge=0, lt=1, description="slope of leaky-relu below 0")
    init: NormalInit = Init(scheme="normal")


class SubpixelDiscriminatorSettings(SubpixelSettings, HeadSettings):
    """A discriminator, conditioned on the class by projection where there are classes.

    ``minibatch_std`` appends the standard deviation over the batch to its smallest feature maps.
    """

    minibatch_std: bool = Field(False, description="append the batch's standard deviation to the features")
    label: Literal["projection", "none"] = Field("projection", description="how the class enters a conditional network")


class SubpixelEncoderSettings(SubpixelSettings):
    """An encoder, without class conditioning and without minibatch statistics."""

    minibatch_std: ClassVar[bool] = False
    label: ClassVar[Literal["none"]] = "none"


class SubpixelGeneratorSettings(SubpixelSettings, ReferenceSettings):
    """A generator with pixels in -1..1."""

    activation: Literal["relu", "leaky-relu"] = Field("relu", description="of the hidden layers")
    output: Literal["tanh"] = Field("tanh", description="pixels in -1..1")
    label: GeneratorLabel = Field("batch-norm", description="how the class enters a conditional network")


def halvings(height: int, width: int) -> int:
    """Return the number of halvings after space-to-depth, down to the smallest feature maps."""
    return max(0, math.ceil(math.log2(max(height, width) / 2 / SMALLEST_PLANE)))


class SubpixelGenerator(nn.Module):
    """Latent [N, latent_dim] -> dense -> maps -> (convolution, depth to space)... -> images [N, C, H, W] in [-1, 1]."""

    def __init__(
        self, settings: SubpixelGeneratorSettings, latent_dim: int, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__()
        channels, self.height, self.width = shape
        doublings = halvings(self.height, self.width)
        scale = 2 ** (doublings + 1)
        channels_in = settings.filters * 2**doublings
        self.start = (-(-self.height // scale), -(-self.width // scale), channels_in)
        self.latent = ConcatClass(settings.label, latent_dim, classes)
        self.dense = nn.Linear(self.latent.width, math.prod(self.start), bias=False)
        norm_classes = classes if settings.label == "batch-norm" else 0

        def norm_and_activation(channels: int) -> list[nn.Module]:
            return [BatchNorm(channels, norm_classes), activation(settings.activation, settings.slope)]

        layers = norm_and_activation(channels_in)
        for k in reversed(range(doublings + 1)):
            for _ in range(settings.depth):
                layers += [
                    nn.Conv2d(channels_in, channels_in, 3, padding=1, bias=False),
                    *norm_and_activation(channels_in),
                ]
            if k:
                layers += [
                    nn.Conv2d(channels_in, 2 * channels_in, 1, bias=False),
                    DepthToSpace(),
                    *norm_and_activation(channels_in // 2),
                ]
                channels_in //= 2
        layers += [nn.Conv2d(channels_in, 4 * channels, 3, padding=1), DepthToSpace()]
        self.layers = Layers(*layers)

    def forward(self, latent: Tensor, condition: Tensor | None = None, *, squashed: bool = True) -> Tensor:
        """Generate one image for each latent; ``condition`` is labels [N] or class weights [N, classes]."""
        x = self.dense(self.latent(latent, condition))
        x = self.layers(x.view(-1, *self.start).permute(0, 3, 1, 2), condition)
        x = to_float32(crop(x, self.height, self.width))
        return torch.tanh(x) if squashed else x


class SubpixelDiscriminator(nn.Module):
    """Images [N, C, H, W] -> space to depth -> (convolution, space to depth, activation)... -> heads.

    It has no normalisation layers: batch norm would hide how much a batch varies.
    """

    def __init__(
        self,
        settings: SubpixelDiscriminatorSettings | SubpixelEncoderSettings,
        shape: tuple[int, int, int],
        classes: int,
        head_factory: HeadFactory,
    ) -> None:
        super().__init__()
        channels, height, width = shape
        # Space-to-depth needs even sides: odd ones get a row or a column of zeros.
        self.pad = (0, width % 2, 0, height % 2)
        height, width, channels_in = -(-height // 2), -(-width // 2), settings.filters
        layers: list[nn.Module] = [SpaceToDepth(), nn.Conv2d(4 * channels, channels_in, 3, padding=1)]
        layers.append(activation(settings.activation, settings.slope))
        for _ in range(halvings(*shape[1:])):
            layers.append(nn.Conv2d(channels_in, channels_in // 2, 3, padding=1))
            if height % 2 or width % 2:
                layers.append(nn.ConstantPad2d((0, width % 2, 0, height % 2), 0.0))
            layers += [SpaceToDepth(), activation(settings.activation, settings.slope)]
            channels_in, height, width = 2 * channels_in, -(-height // 2), -(-width // 2)
        if settings.minibatch_std:
            layers.append(MinibatchStd())
        extra = int(settings.minibatch_std)
        for _ in range(settings.depth):
            layers.append(nn.Conv2d(channels_in + extra, channels_in, 3, padding=1))
            layers.append(activation(settings.activation, settings.slope))
            extra = 0
        self.layers = Layers(*layers)
        self.heads = head_factory((channels_in + extra) * height * width, classes)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> HeadOutput:
        """Return the output of the heads; with classes, the logit is that of a real image of the given class."""
        images = F.pad(images, self.pad) if any(self.pad) else images
        x = self.layers(images)
        features = x.permute(0, 2, 3, 1).flatten(1)
        return self.heads(features, condition)
