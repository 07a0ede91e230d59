"""Fully connected players: every pixel is a number in one long row."""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor, nn

from ganforge.networks.blocks import (
    BatchNorm,
    DiscriminatorLabel,
    DiscriminatorOutput,
    GeneratorLabel,
    Init,
    Layers,
    Logit,
    WithClass,
    activation,
)
from ganforge.settings import Settings


class MlpSettings(Settings):
    """Layers of a fully connected player, from the input on; ``pieces`` are those of maxout."""

    family: Literal["mlp"] = "mlp"
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1, strict=False)] = (256,)
    activation: Literal["relu", "leaky-relu", "maxout"] = "relu"
    slope: Annotated[float, Field(ge=0, lt=1)] = 0.2
    pieces: Annotated[int, Field(ge=2)] = 5
    batch_norm: bool = False
    deep_without_batch_norm: bool = False
    init: Init = Init()

    @model_validator(mode="after")
    def _deep_nets_need_batch_norm(self) -> Self:
        if len(self.hidden) >= 3 and not (self.batch_norm or self.deep_without_batch_norm):
            raise ValueError(
                f"{len(self.hidden)} hidden layers need batch_norm = true"
                " (or deep_without_batch_norm = true, to see what happens without)"
            )
        return self


class MlpDiscriminatorSettings(MlpSettings):
    """A fully connected discriminator, and how it is told the class where there are classes."""

    minibatch_kernels: NonNegativeInt = 0
    label: DiscriminatorLabel = "one-hot"


class MlpGeneratorSettings(MlpSettings):
    """A fully connected generator: its output squashes to the range its pixels have ("linear": not at all)."""

    output: Literal["sigmoid", "tanh", "linear"] = "sigmoid"
    label: GeneratorLabel = "one-hot"

    @model_validator(mode="after")
    def _class_gains_need_batch_norm(self) -> Self:
        if self.label == "batch-norm" and not self.batch_norm:
            raise ValueError('label = "batch-norm" needs batch_norm = true')
        return self


SQUASHES = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "linear": nn.Identity}


class Maxout(nn.Module):
    """The greatest of every ``pieces`` neighbours, [N, width · pieces] -> [N, width] (Goodfellow et al. 2013)."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """Take the greatest."""
        greatest: Tensor = x.unflatten(1, (-1, self.pieces)).amax(2)
        return greatest


def _hidden_layers(settings: MlpSettings, inputs: int, *, norm_from: int, classes: int = 0) -> list[nn.Module]:
    """Linear, batch norm (from layer ``norm_from`` on, if at all), activation, for each width."""
    layers: list[nn.Module] = []
    for index, width in enumerate(settings.hidden):
        normed = settings.batch_norm and index >= norm_from
        # A bias before batch normalisation would be subtracted again at once.
        pieces = settings.pieces if settings.activation == "maxout" else 1
        layers.append(nn.Linear(inputs, width * pieces, bias=not normed))
        if normed:
            layers.append(BatchNorm(width * pieces, classes))
        if settings.activation == "maxout":
            layers.append(Maxout(pieces))
        else:
            layers.append(activation(settings.activation, settings.slope))
        inputs = width
    return layers


class MlpGenerator(nn.Module):
    """Latent [N, latent_dim], with the class behind it where it is told so -> images [N, C, H, W].

    Images lie in [0, 1] (``output = "sigmoid"``), [-1, 1] (``"tanh"``) or anywhere (``"linear"``: points of a plane).
    """

    def __init__(
        self, settings: MlpGeneratorSettings, latent_dim: int, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__()
        self.shape = shape
        self.latent = WithClass(settings.label, latent_dim, classes)
        own = classes if settings.label == "batch-norm" else 0
        last = nn.Linear(settings.hidden[-1], math.prod(shape))
        hidden = _hidden_layers(settings, self.latent.width, norm_from=0, classes=own)
        self.layers = Layers(*hidden, last, SQUASHES[settings.output]())

    def forward(self, latent: Tensor, condition: Tensor | None = None) -> Tensor:
        """Draw one image for each latent; ``condition`` is labels [N] or class weights [N, classes]."""
        images: Tensor = self.layers(self.latent(latent, condition), condition)
        return images.view(-1, *self.shape)


class MlpDiscriminator(nn.Module):
    """Images [N, C, H, W], with the class behind the pixels where it is told so -> logits [N].

    The layer that sees the pixels is never normalised (Radford et al. 2016, section 3): a pixel that is the same in a
    whole batch, such as a digit's border, would be subtracted, and the generator would never learn its colour.
    """

    def __init__(self, settings: MlpDiscriminatorSettings, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        projects = settings.label == "projection"
        label: GeneratorLabel = "embedding" if settings.label == "embedding" else "one-hot"
        self.pixels = WithClass(label, math.prod(shape), 0 if projects else classes)
        self.layers = Layers(*_hidden_layers(settings, self.pixels.width, norm_from=1))
        self.logit = Logit(settings.hidden[-1], classes if projects else 0, settings.minibatch_kernels)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> DiscriminatorOutput:
        """Say of each image how real it looks (as a picture of its class, where there are classes)."""
        x = self.layers(self.pixels(images.flatten(1), condition))
        return DiscriminatorOutput(self.logit(x, condition), x)
