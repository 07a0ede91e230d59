"""Parts that network families share: initial values, activations, noise, layers in a row."""

from typing import Annotated, Any, Literal

import torch
from pydantic import BeforeValidator, NonNegativeFloat, PositiveFloat, model_validator
from torch import Tensor, nn

from ganforge.networks.conditioning import ClassEmbedding
from ganforge.networks.heads import MinibatchDiscrimination
from ganforge.networks.memory_layout import to_float32
from ganforge.networks.normalisation import BatchNorm
from ganforge.settings import Settings


class Init(Settings):
    """How initial values are drawn; batch-norm layers start at gain 1 and offset 0.

    ``normal``: N(0, std); ``std`` alone means this one. ``truncated-normal``: the same, redrawn outside two standard
    deviations. ``glorot-uniform``: U(-a, a) with a = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16).
    Biases start at 0 unless ``biases`` asks for the weights' distribution. What is learned about a class is drawn like
    weights, but for batch norm by class: every class starts with gains from N(1, ``class_std``) and offsets from
    N(0, ``class_std``). With 0 all classes start as the same picture, and Adam takes a step of its rate at a time to
    tell them apart.
    """

    scheme: Literal["normal", "truncated-normal", "glorot-uniform"] = "glorot-uniform"
    std: PositiveFloat = 0.02
    biases: bool = False
    class_std: NonNegativeFloat = 0.0

    @model_validator(mode="before")
    @classmethod
    def _a_deviation_alone_is_normals(cls, value: Any) -> Any:
        return {"scheme": "normal", **value} if isinstance(value, dict) and "std" in value else value

    def draw(self, module: nn.Module, random: torch.Generator) -> None:
        """Fill every linear, convolutional and class layer below ``module``, in the order of its definition."""
        for layer in module.modules():
            if isinstance(layer, ClassEmbedding):
                self._fill(layer.weight, random)
            elif isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                self._fill(layer.weight, random)
                if layer.bias is not None and self.biases:
                    self._fill(layer.bias, random)
                elif layer.bias is not None:
                    nn.init.zeros_(layer.bias)
            elif isinstance(layer, BatchNorm) and layer.classes and self.class_std:
                nn.init.normal_(layer.weight, 1.0, self.class_std, generator=random)
                nn.init.normal_(layer.bias, 0.0, self.class_std, generator=random)

    def _fill(self, tensor: Tensor, random: torch.Generator) -> None:
        if self.scheme == "normal":
            nn.init.normal_(tensor, 0.0, self.std, generator=random)
        elif self.scheme == "truncated-normal":
            nn.init.trunc_normal_(tensor, 0.0, self.std, -2 * self.std, 2 * self.std, generator=random)
        else:
            nn.init.xavier_uniform_(tensor, generator=random)


NormalInit = Annotated[
    Init, BeforeValidator(lambda value: {"scheme": "normal", **value} if isinstance(value, dict) else value)
]
"""What families with convolutions start with, N(0, .02); a table that gives a part of it keeps the rest."""

Activation = Literal["relu", "leaky-relu", "softplus"]


def activation(name: Activation, slope: float) -> nn.Module:
    """Return max(x, 0), x where positive and ``slope``·x elsewhere, or log(1 + exp(x))."""
    if name == "leaky-relu":
        return nn.LeakyReLU(slope)
    return nn.ReLU() if name == "relu" else nn.Softplus()


class GaussianNoise(nn.Module):
    """Adds N(0, deviation²) to what passes while it trains, and nothing else.

    Its chance is the player's: ``random`` is seeded anew before each turn (``Player.reseed``).
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation
        self.random: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Add it."""
        if not self.training or not self.deviation:
            return x
        noise = torch.empty_like(x).normal_(0.0, self.deviation, generator=self.random)
        return x + noise


def noise_layers(module: nn.Module) -> list[GaussianNoise]:
    """The layers of a player that need its chance."""
    return [layer for layer in module.modules() if isinstance(layer, GaussianNoise)]


class MinibatchStd(nn.Module):
    """One more channel that tells a discriminator how much a batch varies: [N, C, H, W] -> [N, C + 1, H, W].

    At each place the standard deviation over the batch, averaged over the channels, the same for every image (Karras et
    al. 2018, section 3, who average over the places too). Generated pictures that are too much alike give
    themselves away by it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Measure in single precision and append."""
        wide = to_float32(x)
        # twice as fast as torch.var over the first axis
        variance = (wide.square().mean(0, keepdim=True) - wide.mean(0, keepdim=True).square()).clamp_min(0)
        std = (variance + 1e-6).sqrt().mean(1, keepdim=True).to(x.dtype)
        last = torch.cat([x.permute(0, 2, 3, 1), std.permute(0, 2, 3, 1).expand(len(x), -1, -1, -1)], 3)
        return last.permute(0, 3, 1, 2)  # channels-last, as it came: mixed layouts cost a pass backward up to 30 times


MIXING = (BatchNorm, MinibatchStd, MinibatchDiscrimination)
"""Layers through which what is said of one image depends on the others of its batch."""


class Layers(nn.Sequential):
    """Layers in a row; those that ask for the class are told it."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Send ``x`` through all of them."""
        for layer in self:
            x = layer(x, condition) if isinstance(layer, BatchNorm) else layer(x)
        return x
