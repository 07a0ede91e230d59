"""DCGAN networks (Radford et al. 2016): strided convolutions, no pooling, batch norm except next to the images."""

import math
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from ganforge.errors import UserError
from ganforge.networks.blocks import Init, Layers, NormalInit, activation
from ganforge.networks.conditioning import ClassEmbedding, ConcatClass, GeneratorLabel
from ganforge.networks.cpu_conv import Convolution, TransposedConvolution
from ganforge.networks.heads import HeadFactory, HeadOutput, HeadSettings
from ganforge.networks.memory_layout import channels_last, crop, to_float32
from ganforge.networks.normalisation import BatchNorm, ReferenceSettings
from ganforge.settings import MOST_FILTERS, Settings

SMALLEST_PLANE = 7
"""Image sides are halved while they are longer than this: 28 -> 14 -> 7, 32 -> 16 -> 8 -> 4."""


class DcganSettings(Settings):
    """Layers of a DCGAN network; their number follows from the image size.

    ``filters`` is the number of filters next to the image; every halving of the image doubles it.
    """

    family: Literal["dcgan"]
    filters: PositiveInt = Field(
        64, le=MOST_FILTERS, description="filters next to the image; every halving doubles them"
    )
    activation: Literal["relu", "leaky-relu"] = Field("leaky-relu", description="of the hidden layers")
    slope: float = Field(0.2, ge=0, lt=1, description="slope of leaky-relu below 0")
    batch_norm: bool = Field(True, description="batch norm except next to the images")
    init: NormalInit = Init(scheme="normal")


class DcganDiscriminatorSettings(DcganSettings, HeadSettings):
    """A DCGAN discriminator; ``label`` selects its class conditioning."""

    label: Literal["embedding", "projection", "none"] = Field(
        "projection", description="how the class enters a conditional network"
    )


class DcganEncoderSettings(DcganSettings):
    """A DCGAN encoder, without class conditioning."""

    label: ClassVar[Literal["none"]] = "none"


class DcganGeneratorSettings(DcganSettings, ReferenceSettings):
    """A DCGAN generator; ``output`` maps pixels to -1..1 ("tanh") or 0..1 ("sigmoid")."""

    activation: Literal["relu", "leaky-relu"] = Field("relu", description="of the hidden layers")
    output: Literal["sigmoid", "tanh"] = Field("tanh", description="pixels in 0..1 (sigmoid) or in -1..1 (tanh)")
    label: GeneratorLabel = Field("one-hot", description="how the class enters a conditional network")

    @model_validator(mode="after")
    def _check_virtual_batch_norm(self) -> Self:
        if self.virtual_batch_norm and not self.batch_norm and self.label != "batch-norm":
            raise ValueError("virtual_batch_norm replaces the statistics of batch norm: set batch_norm = true")
        return self


def halvings(height: int, width: int) -> int:
    """Return the number of halvings down to the smallest feature maps: at least one, with no side below 2.

    Raises:
        UserError: a side of one pixel, as signals have: less than the 4×4 kernels see.
    """
    if min(height, width) < 2:
        raise UserError(
            f"data of {width}×{height}: the 4×4 kernels of dcgan networks need 2 pixels a side or more; "
            "for signals train forge-signal"
        )
    count = math.ceil(math.log2(max(height, width) / SMALLEST_PLANE))
    return max(1, min(count, int(math.log2(min(height, width))) - 1))


class DcganGenerator(nn.Module):
    """Latent [N, latent_dim] -> dense -> maps -> (batch norm, activation, transposed convolution)... -> images.

    Images [N, C, H, W] lie in [-1, 1] (``output = "tanh"``) or [0, 1] (``"sigmoid"``).
    """

    def __init__(
        self, settings: DcganGeneratorSettings, latent_dim: int, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__()
        channels, self.height, self.width = shape
        doublings = halvings(self.height, self.width)
        channels_in = settings.filters * 2 ** (doublings - 1)
        self.start = (-(-self.height // 2**doublings), -(-self.width // 2**doublings), channels_in)
        self.latent = ConcatClass(settings.label, latent_dim, classes)
        norm_classes = classes if settings.label == "batch-norm" else 0
        normed = settings.batch_norm or norm_classes > 0
        self.dense = nn.Linear(self.latent.width, math.prod(self.start), bias=not normed)
        layers: list[nn.Module] = []
        for k in reversed(range(doublings)):
            layers += [BatchNorm(channels_in, norm_classes)] if normed else []
            layers.append(activation(settings.activation, settings.slope))
            channels_out = settings.filters * 2 ** (k - 1) if k else channels
            layers.append(TransposedConvolution(channels_in, channels_out, 4, 2, 1, bias=not normed or k == 0))
            channels_in = channels_out
        self.layers = Layers(*layers)
        self.squash = nn.Tanh() if settings.output == "tanh" else nn.Sigmoid()

    def forward(self, latent: Tensor, condition: Tensor | None = None, *, squashed: bool = True) -> Tensor:
        """Generate one image for each latent; ``condition`` is labels [N] or class weights [N, classes]."""
        x = self.dense(self.latent(latent, condition))
        x = self.layers(x.view(-1, *self.start).permute(0, 3, 1, 2), condition)
        x = to_float32(crop(x, self.height, self.width))
        images: Tensor = self.squash(x) if squashed else x
        return images


class DcganDiscriminator(nn.Module):
    """Images [N, C, H, W] -> (strided convolution, batch norm except on the first, activation)... -> heads.

    ``label = "embedding"`` adds a learned map of the class as one more image channel.
    """

    def __init__(
        self,
        settings: DcganDiscriminatorSettings | DcganEncoderSettings,
        shape: tuple[int, int, int],
        classes: int,
        head_factory: HeadFactory,
    ) -> None:
        super().__init__()
        channels, height, width = shape
        embeds = classes > 0 and settings.label == "embedding"
        self.plane = ClassEmbedding(classes, height * width) if embeds else None
        channels_in = channels + embeds
        layers: list[nn.Module] = []
        for k in range(halvings(height, width)):
            channels_out, normed = settings.filters * 2**k, settings.batch_norm and k > 0
            layers.append(Convolution(channels_in, channels_out, 4, 2, 1, bias=not normed))
            layers += [BatchNorm(channels_out)] if normed else []
            layers.append(activation(settings.activation, settings.slope))
            channels_in, height, width = channels_out, height // 2, width // 2
        self.layers = Layers(*layers)
        self.heads = head_factory(channels_in * height * width, 0 if embeds else classes)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> HeadOutput:
        """Return the output of the heads; with classes, the logit is that of a real image of the given class."""
        if self.plane is not None:
            assert condition is not None
            class_map = self.plane(condition).view(-1, 1, *images.shape[2:])
            images = torch.cat([images, class_map.to(images.dtype)], 1)
        x = self.layers(channels_last(images))
        features = x.permute(0, 2, 3, 1).flatten(1)
        return self.heads(features, condition)
