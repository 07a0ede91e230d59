"""Convolutional players that never work at the image's full size: made for processors without a GPU.

Four neighbouring pixels travel as four channels: the discriminator folds the image so, and its planes where it halves
them; the generator grows its planes by unfolding ("sub-pixel convolution", Shi et al. 2016), the last of
them into the image itself. All convolutions have stride 1, which processors are several times faster at, above all in
the backward pass; those that only prepare an unfolding are 1x1.
"""

import math
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeInt
from torch import Tensor, nn

from ganforge.networks.blocks import Init, Layers, MinibatchStd, NormalInit, activation
from ganforge.networks.conditioning import ConcatClass, GeneratorLabel
from ganforge.networks.heads import HeadFactory, HeadOutput, HeadSettings
from ganforge.networks.memory_layout import DepthToSpace, SpaceToDepth, crop, to_float32
from ganforge.networks.normalisation import BatchNorm, ReferenceSettings
from ganforge.settings import Settings

SMALLEST_PLANE = 8
"""Planes are halved while a side is longer than this: an image of 28 is folded to 14 and halved to 7."""


class SubpixelSettings(Settings):
    """Layers of a player; how many follows from the size of the images.

    ``filters`` are those at half the image's size, every halving doubles them; ``depth`` counts the further
    convolutions at each size.
    """

    family: Literal["subpixel"]
    filters: Annotated[int, Field(ge=2, multiple_of=2)] = 64
    depth: NonNegativeInt = 1
    activation: Literal["relu", "leaky-relu"] = "leaky-relu"
    slope: Annotated[float, Field(ge=0, lt=1)] = 0.2
    init: NormalInit = Init(scheme="normal")


class SubpixelDiscriminatorSettings(SubpixelSettings, HeadSettings):
    """A discriminator; where there are classes it is told them by projection.

    ``minibatch_std``: its smallest plane is told how much the batch varies.
    """

    minibatch_std: bool = False
    label: Literal["projection", "none"] = "projection"


class SubpixelEncoderSettings(SubpixelSettings):
    """An encoder; nobody tells it the class, and it looks at every image alone."""

    minibatch_std: ClassVar[bool] = False
    label: ClassVar[Literal["none"]] = "none"


class SubpixelGeneratorSettings(SubpixelSettings, ReferenceSettings):
    """A generator: its output is squashed to -1..1."""

    activation: Literal["relu", "leaky-relu"] = "relu"
    output: Literal["tanh"] = "tanh"
    label: GeneratorLabel = "batch-norm"


def halvings(height: int, width: int) -> int:
    """How often the folded image is halved on its way to the smallest plane."""
    return max(0, math.ceil(math.log2(max(height, width) / 2 / SMALLEST_PLANE)))


class SubpixelGenerator(nn.Module):
    """Latent [N, latent_dim] -> dense -> planes -> (convolution, unfolding)... -> images [N, C, H, W] in [-1, 1]."""

    def __init__(
        self, settings: SubpixelGeneratorSettings, latent_dim: int, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__()
        channels, self.height, self.width = shape
        times = halvings(self.height, self.width)
        side = 2 ** (times + 1)
        planes = settings.filters * 2**times
        self.start = (-(-self.height // side), -(-self.width // side), planes)
        self.latent = ConcatClass(settings.label, latent_dim, classes)
        self.dense = nn.Linear(self.latent.width, math.prod(self.start), bias=False)
        own = classes if settings.label == "batch-norm" else 0

        def finish(planes: int) -> list[nn.Module]:
            return [BatchNorm(planes, own), activation(settings.activation, settings.slope)]

        layers = finish(planes)
        for k in reversed(range(times + 1)):
            for _ in range(settings.depth):
                layers += [nn.Conv2d(planes, planes, 3, padding=1, bias=False), *finish(planes)]
            if k:
                layers += [nn.Conv2d(planes, 2 * planes, 1, bias=False), DepthToSpace(), *finish(planes // 2)]
                planes //= 2
        layers += [nn.Conv2d(planes, 4 * channels, 3, padding=1), DepthToSpace()]
        self.layers = Layers(*layers)

    def forward(self, latent: Tensor, condition: Tensor | None = None, *, squashed: bool = True) -> Tensor:
        """Draw one image for each latent; ``condition`` is labels [N] or class weights [N, classes]."""
        x = self.dense(self.latent(latent, condition))
        x = self.layers(x.view(-1, *self.start).permute(0, 3, 1, 2), condition)
        x = to_float32(crop(x, self.height, self.width))
        return torch.tanh(x) if squashed else x


class SubpixelDiscriminator(nn.Module):
    """Images [N, C, H, W] -> folded -> (convolution, folding, leaky ReLU)... -> logits [N].

    It normalises nothing: batch norm would take away how much a batch varies.
    """

    def __init__(
        self,
        settings: SubpixelDiscriminatorSettings | SubpixelEncoderSettings,
        shape: tuple[int, int, int],
        classes: int,
        ends: HeadFactory,
    ) -> None:
        super().__init__()
        channels, height, width = shape
        # Images of an odd side get a line of zeros: folding needs even ones.
        self.pad = (0, width % 2, 0, height % 2)
        height, width, planes = -(-height // 2), -(-width // 2), settings.filters
        layers: list[nn.Module] = [SpaceToDepth(), nn.Conv2d(4 * channels, planes, 3, padding=1)]
        layers.append(activation(settings.activation, settings.slope))
        for _ in range(halvings(*shape[1:])):
            layers.append(nn.Conv2d(planes, planes // 2, 3, padding=1))
            if height % 2 or width % 2:
                layers.append(nn.ConstantPad2d((0, width % 2, 0, height % 2), 0.0))
            layers += [SpaceToDepth(), activation(settings.activation, settings.slope)]
            planes, height, width = 2 * planes, -(-height // 2), -(-width // 2)
        if settings.minibatch_std:
            layers.append(MinibatchStd())
        extra = int(settings.minibatch_std)
        for _ in range(settings.depth):
            layers += [nn.Conv2d(planes + extra, planes, 3, padding=1), activation(settings.activation, settings.slope)]
            extra = 0
        self.layers = Layers(*layers)
        self.heads = ends((planes + extra) * height * width, classes)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> HeadOutput:
        """Say of each image how real it looks (as a picture of its class, where there are classes)."""
        images = F.pad(images, self.pad) if any(self.pad) else images
        x = self.layers(images)
        features = x.permute(0, 2, 3, 1).flatten(1)
        said: HeadOutput = self.heads(features, condition)
        return said
