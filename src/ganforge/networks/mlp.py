"""Fully connected players: every pixel is a number in one long row."""

import math
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from ganforge.networks.blocks import BatchNorm, DiscriminatorOutput, Init, activation, class_weights
from ganforge.settings import Settings


class MlpSettings(Settings):
    """Layers of a fully connected player, from the input on."""

    family: Literal["mlp"] = "mlp"
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1, strict=False)] = (256,)
    activation: Literal["relu", "leaky-relu"] = "relu"
    slope: Annotated[float, Field(ge=0, lt=1)] = 0.2
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


class MlpGeneratorSettings(MlpSettings):
    """A fully connected generator: its output squashes to the range its pixels have."""

    output: Literal["sigmoid", "tanh"] = "sigmoid"


def _hidden_layers(settings: MlpSettings, inputs: int, *, norm_from: int) -> list[nn.Module]:
    """Linear, batch norm (from layer ``norm_from`` on, if at all), activation, for each width."""
    layers: list[nn.Module] = []
    for index, width in enumerate(settings.hidden):
        normed = settings.batch_norm and index >= norm_from
        # A bias before batch normalisation would be subtracted again at once.
        layers.append(nn.Linear(inputs, width, bias=not normed))
        if normed:
            layers.append(BatchNorm(width))
        layers.append(activation(settings.activation, settings.slope))
        inputs = width
    return layers


class MlpGenerator(nn.Module):
    """Latent [N, latent_dim], with the class one-hot behind it where there are classes -> images [N, C, H, W].

    Images lie in [0, 1] (``output = "sigmoid"``) or [-1, 1] (``"tanh"``).
    """

    def __init__(
        self, settings: MlpGeneratorSettings, latent_dim: int, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__()
        self.shape, self.classes = shape, classes
        squash = nn.Sigmoid() if settings.output == "sigmoid" else nn.Tanh()
        last = nn.Linear(settings.hidden[-1], math.prod(shape))
        self.layers = nn.Sequential(*_hidden_layers(settings, latent_dim + classes, norm_from=0), last, squash)

    def forward(self, latent: Tensor, condition: Tensor | None = None) -> Tensor:
        """Draw one image for each latent; ``condition`` is labels [N] or class weights [N, classes]."""
        if self.classes:
            assert condition is not None
            latent = torch.cat([latent, class_weights(condition, self.classes, latent.dtype)], 1)
        images: Tensor = self.layers(latent)
        return images.view(-1, *self.shape)


class MlpDiscriminator(nn.Module):
    """Images [N, C, H, W], with the class one-hot behind the pixels where there are classes -> logits [N].

    The layer that sees the pixels is never normalised (Radford et al. 2016, section 3): a pixel that is the same in a
    whole batch, such as a digit's border, would be subtracted, and the generator would never learn its colour.
    """

    def __init__(self, settings: MlpSettings, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.classes = classes
        last = nn.Linear(settings.hidden[-1], 1)
        self.layers = nn.Sequential(*_hidden_layers(settings, math.prod(shape) + classes, norm_from=1), last)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> DiscriminatorOutput:
        """Say of each image how real it looks (as a picture of its class, where there are classes)."""
        x = images.flatten(1)
        if self.classes:
            assert condition is not None
            x = torch.cat([x, class_weights(condition, self.classes, x.dtype)], 1)
        return DiscriminatorOutput(logits=self.layers(x).squeeze(1))
