"""Deep convolutional players (Radford et al. 2016): strided convolutions, no pooling, batch norm but at the ends."""

import math
from typing import Annotated, ClassVar, Literal, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from ganforge.networks.blocks import Init, Layers, NormalInit, activation
from ganforge.networks.conditioning import ClassEmbedding, ConcatClass, GeneratorLabel
from ganforge.networks.cpu_conv import Convolution, TransposedConvolution
from ganforge.networks.heads import HeadFactory, HeadOutput, HeadSettings
from ganforge.networks.memory_layout import channels_last, crop, to_float32
from ganforge.networks.normalisation import BatchNorm, ReferenceSettings
from ganforge.settings import Settings

SMALLEST_PLANE = 7
"""A side is halved while it is longer than this: 28 -> 14 -> 7, 32 -> 16 -> 8 -> 4."""


class DcganSettings(Settings):
    """Layers of a convolutional player; how many follows from the size of the images.

    ``filters`` are those beside the image; every halving of the image doubles them.
    """

    family: Literal["dcgan"]
    filters: PositiveInt = 64
    activation: Literal["relu", "leaky-relu"] = "leaky-relu"
    slope: Annotated[float, Field(ge=0, lt=1)] = 0.2
    batch_norm: bool = True
    init: NormalInit = Init(scheme="normal")


class DcganDiscriminatorSettings(DcganSettings, HeadSettings):
    """A convolutional discriminator, and how it is told the class where there are classes."""

    label: Literal["embedding", "projection", "none"] = "projection"


class DcganEncoderSettings(DcganSettings):
    """A convolutional encoder; nobody tells it the class."""

    label: ClassVar[Literal["none"]] = "none"


class DcganGeneratorSettings(DcganSettings, ReferenceSettings):
    """A convolutional generator; ``output`` squashes to -1..1 ("tanh") or 0..1 ("sigmoid")."""

    activation: Literal["relu", "leaky-relu"] = "relu"
    output: Literal["sigmoid", "tanh"] = "tanh"
    label: GeneratorLabel = "one-hot"

    @model_validator(mode="after")
    def _virtual_needs_batch_norm(self) -> Self:
        if self.virtual_batch_norm and not self.batch_norm and self.label != "batch-norm":
            raise ValueError("virtual_batch_norm is another way to take batch norm's statistics: batch_norm = true")
        return self


def halvings(height: int, width: int) -> int:
    """How often an image is halved on its way to the smallest plane: at least once, and to no side below 2."""
    wanted = math.ceil(math.log2(max(height, width) / SMALLEST_PLANE))
    return max(1, min(wanted, int(math.log2(min(height, width))) - 1))


class DcganGenerator(nn.Module):
    """Latent [N, latent_dim] -> dense -> planes -> (batch norm, activation, transposed convolution)... -> images.

    Images [N, C, H, W] lie in [-1, 1] (``output = "tanh"``) or [0, 1] (``"sigmoid"``).
    """

    def __init__(
        self, settings: DcganGeneratorSettings, latent_dim: int, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__()
        channels, self.height, self.width = shape
        times = halvings(self.height, self.width)
        planes = settings.filters * 2 ** (times - 1)
        self.start = (-(-self.height // 2**times), -(-self.width // 2**times), planes)
        self.latent = ConcatClass(settings.label, latent_dim, classes)
        own = classes if settings.label == "batch-norm" else 0
        normed = settings.batch_norm or own > 0
        self.dense = nn.Linear(self.latent.width, math.prod(self.start), bias=not normed)
        layers: list[nn.Module] = []
        for k in reversed(range(times)):
            layers += [BatchNorm(planes, own)] if normed else []
            layers.append(activation(settings.activation, settings.slope))
            after = settings.filters * 2 ** (k - 1) if k else channels
            layers.append(TransposedConvolution(planes, after, 4, 2, 1, bias=not normed or k == 0))
            planes = after
        self.layers = Layers(*layers)
        self.squash = nn.Tanh() if settings.output == "tanh" else nn.Sigmoid()

    def forward(self, latent: Tensor, condition: Tensor | None = None, *, squashed: bool = True) -> Tensor:
        """Draw one image for each latent; ``condition`` is labels [N] or class weights [N, classes]."""
        x = self.dense(self.latent(latent, condition))
        x = self.layers(x.view(-1, *self.start).permute(0, 3, 1, 2), condition)
        x = to_float32(crop(x, self.height, self.width))
        images: Tensor = self.squash(x) if squashed else x
        return images


class DcganDiscriminator(nn.Module):
    """Images [N, C, H, W] -> (strided convolution, batch norm but on the first, leaky ReLU)... -> dense -> logits [N].

    ``label = "embedding"`` gives it a learned plane of the class as one more channel of the image.
    """

    def __init__(
        self,
        settings: DcganDiscriminatorSettings | DcganEncoderSettings,
        shape: tuple[int, int, int],
        classes: int,
        ends: HeadFactory,
    ) -> None:
        super().__init__()
        channels, height, width = shape
        embeds = classes > 0 and settings.label == "embedding"
        self.plane = ClassEmbedding(classes, height * width) if embeds else None
        planes = channels + embeds
        layers: list[nn.Module] = []
        for k in range(halvings(height, width)):
            after, normed = settings.filters * 2**k, settings.batch_norm and k > 0
            layers.append(Convolution(planes, after, 4, 2, 1, bias=not normed))
            layers += [BatchNorm(after)] if normed else []
            layers.append(activation(settings.activation, settings.slope))
            planes, height, width = after, height // 2, width // 2
        self.layers = Layers(*layers)
        self.heads = ends(planes * height * width, 0 if embeds else classes)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> HeadOutput:
        """Say of each image how real it looks (as a picture of its class, where there are classes)."""
        if self.plane is not None:
            assert condition is not None
            own = self.plane(condition).view(-1, 1, *images.shape[2:])
            images = torch.cat([images, own.to(images.dtype)], 1)
        x = self.layers(channels_last(images))
        features = x.permute(0, 2, 3, 1).flatten(1)
        said: HeadOutput = self.heads(features, condition)
        return said
