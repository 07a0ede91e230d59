"""Parts shared by the network families: initialisation, activations, noise, sequential layers."""

from typing import Annotated, Any, Literal

import torch
from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveFloat, model_validator
from torch import Tensor, nn

from ganforge.networks.conditioning import ClassEmbedding
from ganforge.networks.heads import MinibatchDiscrimination
from ganforge.networks.memory_layout import to_float32
from ganforge.networks.normalisation import BatchNorm
from ganforge.settings import Settings
from ganforge.whole_batch import gather


class Init(Settings):
    """Initial values of the weights; batch-norm layers start at gain 1 and offset 0.

    ``normal``: N(0, std), the default where only ``std`` is given. ``truncated-normal``: the same, redrawn outside two
    standard deviations. ``glorot-uniform``: U(-a, a) with a = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010,
    eq. 16). Biases start at 0, or with ``biases`` from the distribution of the weights. Class embeddings are drawn like
    weights. Class-conditional batch norm draws the gains of each class from N(1, ``class_std``) and its offsets from
    N(0, ``class_std``). With ``class_std`` 0 all classes start with the same image, and Adam separates them only by one
    learning rate per step.
    """

    scheme: Literal["normal", "truncated-normal", "glorot-uniform"] = Field(
        "glorot-uniform", description="distribution of the initial weights"
    )
    std: PositiveFloat = Field(0.02, description="standard deviation of the normal schemes")
    biases: bool = Field(False, description="biases start like weights; false: at 0")
    class_std: NonNegativeFloat = Field(
        0.0, description="spread of the gains and offsets of each class in batch norm; 0: all classes start alike"
    )

    @model_validator(mode="before")
    @classmethod
    def _std_implies_normal(cls, value: Any) -> Any:
        return {"scheme": "normal", **value} if isinstance(value, dict) and "std" in value else value

    def draw(self, module: nn.Module, random: torch.Generator) -> None:
        """Initialise all linear, convolutional and class layers of ``module``, in the order of definition."""
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
"""Initialisation of the convolutional families, N(0, .02) by default; a recipe table may set some of the fields."""

Activation = Literal["relu", "leaky-relu", "softplus"]


def activation(name: Activation, slope: float) -> nn.Module:
    """Return ReLU, leaky ReLU (``slope``·x for negative x) or softplus, log(1 + exp(x))."""
    if name == "leaky-relu":
        return nn.LeakyReLU(slope)
    return nn.ReLU() if name == "relu" else nn.Softplus()


class GaussianNoise(nn.Module):
    """Adds N(0, deviation²) to its input in training mode; the identity in evaluation mode.

    ``random`` is reseeded before each turn of the player (``Player.reseed``).
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation
        self.random: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Add the noise."""
        if not self.training or not self.deviation:
            return x
        noise = torch.empty_like(x).normal_(0.0, self.deviation, generator=self.random)
        return x + noise


def noise_layers(module: nn.Module) -> list[GaussianNoise]:
    """Return the layers of a module that draw random noise."""
    return [layer for layer in module.modules() if isinstance(layer, GaussianNoise)]


class MinibatchStd(nn.Module):
    """Appends the standard deviation over the batch as one more channel: [N, C, H, W] -> [N, C + 1, H, W].

    The channel holds for each pixel the standard deviation averaged over the channels, the same for every image (Karras
    et al. 2018, section 3, who average over the pixels too). With it a discriminator detects generated batches that
    vary too little.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Compute the standard deviation in single precision and append it."""
        x32 = gather(to_float32(x))
        # twice as fast as torch.var over the first axis
        variance = (x32.square().mean(0, keepdim=True) - x32.mean(0, keepdim=True).square()).clamp_min(0)
        std = (variance + 1e-6).sqrt().mean(1, keepdim=True).to(x.dtype)
        appended = torch.cat([x.permute(0, 2, 3, 1), std.permute(0, 2, 3, 1).expand(len(x), -1, -1, -1)], 3)
        return appended.permute(0, 3, 1, 2)  # still channels-last: mixed layouts slow the backward pass up to 30 times


MIXING = (BatchNorm, MinibatchStd, MinibatchDiscrimination)
"""Layers whose output for one image depends on the other images of the batch."""


class Layers(nn.Sequential):
    """Sequential layers; batch-norm layers also get the condition."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Apply all layers to ``x``."""
        for layer in self:
            x = layer(x, condition) if isinstance(layer, BatchNorm) else layer(x)
        return x
