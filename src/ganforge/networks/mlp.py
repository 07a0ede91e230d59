"""Fully connected networks (MLPs) on flattened images."""

import math
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator
from torch import Tensor, nn

from ganforge.networks.blocks import GaussianNoise, Init, Layers, activation
from ganforge.networks.conditioning import ConcatClass, DiscriminatorLabel, GeneratorLabel
from ganforge.networks.encoder_head import Encoding
from ganforge.networks.heads import HeadFactory, HeadOutput, HeadSettings
from ganforge.networks.memory_layout import to_float32
from ganforge.networks.normalisation import BatchNorm, ReferenceSettings, WeightNormLinear
from ganforge.settings import MOST_LAYERS, WIDEST, Settings

Hidden = Annotated[
    tuple[Annotated[PositiveInt, Field(le=WIDEST)], ...], Field(min_length=1, max_length=MOST_LAYERS, strict=False)
]


class MlpSettings(Settings):
    """Layers of an MLP, from the input on; ``pieces`` is the number of linear maps per maxout unit."""

    family: Literal["mlp"] = "mlp"
    hidden: Hidden = Field((256,), description="widths of the hidden layers, from the input on")
    activation: Literal["relu", "leaky-relu", "softplus", "maxout"] = Field("relu", description="of the hidden layers")
    slope: float = Field(0.2, ge=0, lt=1, description="slope of leaky-relu below 0")
    pieces: int = Field(5, ge=2, le=MOST_LAYERS, description="linear maps of a maxout unit")
    batch_norm: bool = Field(False, description="batch norm in the hidden layers")
    deep_without_batch_norm: bool = Field(False, description="allow three hidden layers or more without batch norm")
    init: Init = Init()

    @property
    def normed(self) -> bool:
        """Whether the hidden layers are normalised."""
        return self.batch_norm

    @model_validator(mode="after")
    def _check_depth(self) -> Self:
        if len(self.hidden) >= 3 and not (self.normed or self.deep_without_batch_norm):
            raise ValueError(
                f"{len(self.hidden)} hidden layers need batch_norm = true"
                " (or deep_without_batch_norm = true, to train without it)"
            )
        return self


class MlpInputSettings(MlpSettings):
    """An MLP with images as input: a discriminator or an encoder.

    ``input_noise`` and ``hidden_noise`` are the standard deviations of training noise on the pixels and after every
    hidden layer; the output features have no noise. ``weight_norm`` makes the layers `WeightNormLinear`. With
    ``fourier_features`` F the first layer also gets sin(2^k x) and cos(2^k x), k = 0 ... F - 1, of every input (Fourier
    features, Tancik et al. 2020, arXiv:2006.10739). Without them a network with few inputs learns fine structure last,
    if at all.
    """

    input_noise: NonNegativeFloat = Field(0.0, description="standard deviation of training noise on the pixels")
    hidden_noise: NonNegativeFloat = Field(0.0, description="standard deviation of training noise after hidden layers")
    weight_norm: bool = Field(False, description="weight norm instead of batch norm")
    fourier_features: int = Field(
        0, ge=0, le=16, description="sines and cosines of the inputs, at 1, 2, 4, ... times their frequency; 0: none"
    )

    @property
    def normed(self) -> bool:
        """Whether the hidden layers have batch norm or weight norm."""
        return self.batch_norm or self.weight_norm

    @model_validator(mode="after")
    def _check_norms(self) -> Self:
        if self.batch_norm and self.weight_norm:
            raise ValueError("batch_norm and weight_norm do the same work: set one of them only")
        return self


class MlpDiscriminatorSettings(MlpInputSettings, HeadSettings):
    """An MLP discriminator; ``label`` selects its class conditioning."""

    label: DiscriminatorLabel = Field("one-hot", description="how the class enters a conditional network")


class MlpEncoderSettings(MlpInputSettings):
    """An MLP encoder, without class conditioning."""

    label: ClassVar[DiscriminatorLabel] = "none"


class MlpGeneratorSettings(MlpSettings, ReferenceSettings):
    """An MLP generator; ``output`` maps pixels to 0..1 ("sigmoid"), to -1..1 ("tanh") or not at all ("linear").

    ``weight_norm``: the last layer is a `WeightNormLinear` with learned gains, so that pixels saturate slowly.
    """

    output: Literal["sigmoid", "tanh", "linear"] = Field(
        "sigmoid", description="pixels in 0..1 (sigmoid), in -1..1 (tanh) or unbounded (linear)"
    )
    weight_norm: bool = Field(False, description="weight norm in the last layer")
    label: GeneratorLabel = Field("one-hot", description="how the class enters a conditional network")

    @model_validator(mode="after")
    def _check_batch_norm(self) -> Self:
        if self.label == "batch-norm" and not self.batch_norm:
            raise ValueError('label = "batch-norm" needs batch_norm = true')
        if self.virtual_batch_norm and not self.batch_norm:
            raise ValueError("virtual_batch_norm replaces the statistics of batch norm: set batch_norm = true")
        return self


SQUASHES = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "linear": nn.Identity}


class FourierFeatures(nn.Module):
    """Appends sines and cosines of the inputs at doubling frequencies: [N, D] -> [N, D (1 + 2 · count)]."""

    scales: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("scales", 2.0 ** torch.arange(count), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Append sin(2^k x) and cos(2^k x) to x."""
        phases = (x[:, :, None] * self.scales).flatten(1)
        return torch.cat([x, phases.sin(), phases.cos()], 1)


class _MaxOverPieces(torch.autograd.Function):
    """``amax`` over the second of three axes; ties share the gradient equally, as in torch.

    Torch's own backward pass takes three times as long, because it counts ties through boolean tensors.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        maximum = x.amax(1)
        ctx.save_for_backward(x, maximum)
        return maximum

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, maximum = ctx.saved_tensors
        with torch.no_grad():
            mask = torch.eq(x, maximum.unsqueeze(1), out=torch.empty_like(x))
        return mask * (gradient / mask.sum(1)).unsqueeze(1)


class Maxout(nn.Module):
    """The maximum of ``pieces`` linear maps: [N, pieces · width] -> [N, width] (Goodfellow et al. 2013).

    The first ``width`` columns are the first map of every unit, the next ``width`` columns the second, and so on.
    """

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """Return the maximum over the pieces."""
        maximum: Tensor = _MaxOverPieces.apply(x.unflatten(1, (self.pieces, -1)))  # type: ignore[no-untyped-call]
        return maximum


def _hidden_layers(
    settings: MlpSettings,
    inputs: int,
    *,
    norm_from: int,
    classes: int = 0,
    weight_norm: bool = False,
    noise: float = 0.0,
) -> list[nn.Module]:
    """Return for each hidden width a linear layer, batch norm from layer ``norm_from`` on, and the activation.

    ``weight_norm`` makes the linear layers `WeightNormLinear`. ``noise`` is added before every layer but the first.
    """
    layers: list[nn.Module] = []
    pieces = settings.pieces if settings.activation == "maxout" else 1
    for index, width in enumerate(settings.hidden):
        normed = settings.batch_norm and index >= norm_from
        # Batch normalisation subtracts any bias before it.
        dense = WeightNormLinear if weight_norm else partial(nn.Linear, bias=not normed)
        layers += [GaussianNoise(noise)] if noise and index else []
        layers.append(dense(inputs, width * pieces))
        if normed:
            layers.append(BatchNorm(width * pieces, classes))
        if settings.activation == "maxout":
            layers.append(Maxout(pieces))
        else:
            layers.append(activation(settings.activation, settings.slope))
        inputs = width
    return layers


class MlpGenerator(nn.Module):
    """Latent [N, latent_dim], with the class appended for some label methods -> images [N, C, H, W].

    Images lie in [0, 1] (``output = "sigmoid"``), [-1, 1] (``"tanh"``) or are unbounded (``"linear"``: points of a
    plane).
    """

    def __init__(
        self, settings: MlpGeneratorSettings, latent_dim: int, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__()
        self.shape = shape
        self.latent = ConcatClass(settings.label, latent_dim, classes)
        norm_classes = classes if settings.label == "batch-norm" else 0
        dense = partial(WeightNormLinear, learned=True) if settings.weight_norm else nn.Linear
        last = dense(settings.hidden[-1], math.prod(shape))
        hidden = _hidden_layers(settings, self.latent.width, norm_from=0, classes=norm_classes)
        self.layers = Layers(*hidden, last)
        self.squash = SQUASHES[settings.output]()

    def forward(self, latent: Tensor, condition: Tensor | None = None, *, squashed: bool = True) -> Tensor:
        """Generate one image for each latent; ``condition`` is labels [N] or class weights [N, classes]."""
        x: Tensor = self.layers(self.latent(latent, condition), condition)
        images: Tensor = self.squash(x) if squashed else x
        return images.view(-1, *self.shape)


class MlpDiscriminator(nn.Module):
    """Images [N, C, H, W], with the class appended to the pixels for some label methods -> heads.

    The first layer has no batch norm (Radford et al. 2016, section 3). It would subtract pixels that are constant in a
    batch, such as the border of digits, and the generator would never learn their colour.
    """

    def __init__(
        self,
        settings: MlpDiscriminatorSettings | MlpEncoderSettings,
        shape: tuple[int, int, int],
        classes: int,
        head_factory: HeadFactory,
    ) -> None:
        super().__init__()
        projection = settings.label == "projection"
        label: GeneratorLabel = "embedding" if settings.label == "embedding" else "one-hot"
        self.pixels = ConcatClass(label, math.prod(shape), 0 if projection else classes)
        first: list[nn.Module] = [GaussianNoise(settings.input_noise)] if settings.input_noise else []
        first += [FourierFeatures(settings.fourier_features)] if settings.fourier_features else []
        inputs = self.pixels.width * (1 + 2 * settings.fourier_features)
        weight_norm, noise = settings.weight_norm, settings.hidden_noise
        hidden = _hidden_layers(settings, inputs, norm_from=1, weight_norm=weight_norm, noise=noise)
        self.layers = Layers(*first, *hidden)
        self.noise = GaussianNoise(noise) if noise else nn.Identity()
        self.heads = head_factory(settings.hidden[-1], classes if projection else 0)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> HeadOutput:
        """Return the output of the heads; with classes, the logit is that of a real image of the given class."""
        x = self.layers(self.pixels(images.flatten(1), condition))
        output: HeadOutput = self.heads(self.noise(x), condition)
        return output if isinstance(output, Encoding) else replace(output, features=to_float32(x))
