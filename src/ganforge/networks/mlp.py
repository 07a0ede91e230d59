"""Fully connected players: every pixel is a number in one long row."""

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
from ganforge.settings import Settings


class MlpSettings(Settings):
    """Layers of a fully connected player, from the input on; ``pieces`` are those of maxout."""

    family: Literal["mlp"] = "mlp"
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1, strict=False)] = (256,)
    activation: Literal["relu", "leaky-relu", "softplus", "maxout"] = "relu"
    slope: Annotated[float, Field(ge=0, lt=1)] = 0.2
    pieces: Annotated[int, Field(ge=2)] = 5
    batch_norm: bool = False
    deep_without_batch_norm: bool = False
    init: Init = Init()

    @property
    def normed(self) -> bool:
        """Whether something keeps the size of what hidden layers give."""
        return self.batch_norm

    @model_validator(mode="after")
    def _deep_nets_need_batch_norm(self) -> Self:
        if len(self.hidden) >= 3 and not (self.normed or self.deep_without_batch_norm):
            raise ValueError(
                f"{len(self.hidden)} hidden layers need batch_norm = true"
                " (or deep_without_batch_norm = true, to see what happens without)"
            )
        return self


class MlpLookSettings(MlpSettings):
    """A fully connected net that looks at images.

    ``input_noise`` and ``hidden_noise`` are standard deviations of noise on the pixels and behind every hidden layer
    while it trains; features are taken before it. ``weight_norm`` makes its layers `WeightNormLinear`. ``frequencies``
    F: the first layer is also given sin(2^k x) and cos(2^k x), k = 0 ... F - 1, of every input ("Fourier features",
    Tancik et al. 2020, arXiv:2006.10739), without which a net learns fine structure of few inputs last, if at all.
    """

    input_noise: NonNegativeFloat = 0.0
    hidden_noise: NonNegativeFloat = 0.0
    weight_norm: bool = False
    frequencies: Annotated[int, Field(ge=0, le=16)] = 0

    @property
    def normed(self) -> bool:
        """Batch norm, or rows of their own length."""
        return self.batch_norm or self.weight_norm

    @model_validator(mode="after")
    def _one_of_two_norms(self) -> Self:
        if self.batch_norm and self.weight_norm:
            raise ValueError("batch_norm and weight_norm do the same work: take one of them")
        return self


class MlpDiscriminatorSettings(MlpLookSettings, HeadSettings):
    """A fully connected discriminator, and how it is told the class where there are classes."""

    label: DiscriminatorLabel = "one-hot"


class MlpEncoderSettings(MlpLookSettings):
    """A fully connected encoder; nobody tells it the class."""

    label: ClassVar[DiscriminatorLabel] = "none"


class MlpGeneratorSettings(MlpSettings, ReferenceSettings):
    """A fully connected generator: its output squashes to the range its pixels have ("linear": not at all).

    ``weight_norm``: the last layer is a `WeightNormLinear` with rows of learned lengths: pixels saturate slowly.
    """

    output: Literal["sigmoid", "tanh", "linear"] = "sigmoid"
    weight_norm: bool = False
    label: GeneratorLabel = "one-hot"

    @model_validator(mode="after")
    def _what_needs_batch_norm(self) -> Self:
        if self.label == "batch-norm" and not self.batch_norm:
            raise ValueError('label = "batch-norm" needs batch_norm = true')
        if self.virtual_batch_norm and not self.batch_norm:
            raise ValueError("virtual_batch_norm is another way to take batch norm's statistics: batch_norm = true")
        return self


SQUASHES = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "linear": nn.Identity}


class FourierFeatures(nn.Module):
    """Numbers with their sines and cosines at doubling frequencies, [N, D] -> [N, D (1 + 2 · count)]."""

    scales: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("scales", 2.0 ** torch.arange(count), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Append them."""
        waves = (x[:, :, None] * self.scales).flatten(1)
        return torch.cat([x, waves.sin(), waves.cos()], 1)


class _Greatest(torch.autograd.Function):
    """``amax`` over the second axis of three; its gradient, too, is shared by all that are equally great.

    Torch's own takes three times as long: it counts by truth values.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        greatest = x.amax(1)
        ctx.save_for_backward(x, greatest)
        return greatest

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, greatest = ctx.saved_tensors
        with torch.no_grad():
            ones = torch.eq(x, greatest.unsqueeze(1), out=torch.empty_like(x))
        return ones * (gradient / ones.sum(1)).unsqueeze(1)


class Maxout(nn.Module):
    """The greatest of ``pieces`` maps, [N, pieces · width] -> [N, width] (Goodfellow et al. 2013).

    The first ``width`` columns are the first piece of each, and so on: whole rows are compared, not neighbours.
    """

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """Take the greatest."""
        greatest: Tensor = _Greatest.apply(x.unflatten(1, (self.pieces, -1)))  # type: ignore[no-untyped-call]
        return greatest


def _hidden_layers(
    settings: MlpSettings, inputs: int, *, norm_from: int, classes: int = 0, rows: bool = False, noise: float = 0.0
) -> list[nn.Module]:
    """Linear (``rows``: normed), batch norm (from layer ``norm_from`` on, if at all), activation for each width.

    ``noise``: before every layer but the first.
    """
    layers: list[nn.Module] = []
    pieces = settings.pieces if settings.activation == "maxout" else 1
    for index, width in enumerate(settings.hidden):
        normed = settings.batch_norm and index >= norm_from
        # A bias before batch normalisation would be subtracted again at once.
        dense = WeightNormLinear if rows else partial(nn.Linear, bias=not normed)
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
    """Latent [N, latent_dim], with the class behind it where it is told so -> images [N, C, H, W].

    Images lie in [0, 1] (``output = "sigmoid"``), [-1, 1] (``"tanh"``) or anywhere (``"linear"``: points of a plane).
    """

    def __init__(
        self, settings: MlpGeneratorSettings, latent_dim: int, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__()
        self.shape = shape
        self.latent = ConcatClass(settings.label, latent_dim, classes)
        own = classes if settings.label == "batch-norm" else 0
        dense = partial(WeightNormLinear, learned=True) if settings.weight_norm else nn.Linear
        last = dense(settings.hidden[-1], math.prod(shape))
        hidden = _hidden_layers(settings, self.latent.width, norm_from=0, classes=own)
        self.layers = Layers(*hidden, last)
        self.squash = SQUASHES[settings.output]()

    def forward(self, latent: Tensor, condition: Tensor | None = None, *, squashed: bool = True) -> Tensor:
        """Draw one image for each latent; ``condition`` is labels [N] or class weights [N, classes]."""
        x: Tensor = self.layers(self.latent(latent, condition), condition)
        images: Tensor = self.squash(x) if squashed else x
        return images.view(-1, *self.shape)


class MlpDiscriminator(nn.Module):
    """Images [N, C, H, W], with the class behind the pixels where it is told so -> logits [N].

    The layer that sees the pixels is never normalised (Radford et al. 2016, section 3): a pixel that is the same in a
    whole batch, such as a digit's border, would be subtracted, and the generator would never learn its colour.
    """

    def __init__(
        self,
        settings: MlpDiscriminatorSettings | MlpEncoderSettings,
        shape: tuple[int, int, int],
        classes: int,
        ends: HeadFactory,
    ) -> None:
        super().__init__()
        projects = settings.label == "projection"
        label: GeneratorLabel = "embedding" if settings.label == "embedding" else "one-hot"
        self.pixels = ConcatClass(label, math.prod(shape), 0 if projects else classes)
        first: list[nn.Module] = [GaussianNoise(settings.input_noise)] if settings.input_noise else []
        first += [FourierFeatures(settings.frequencies)] if settings.frequencies else []
        inputs = self.pixels.width * (1 + 2 * settings.frequencies)
        rows, noise = settings.weight_norm, settings.hidden_noise
        hidden = _hidden_layers(settings, inputs, norm_from=1, rows=rows, noise=noise)
        self.layers = Layers(*first, *hidden)
        self.noise = GaussianNoise(noise) if noise else nn.Identity()
        self.heads = ends(settings.hidden[-1], classes if projects else 0)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> HeadOutput:
        """Say of each image how real it looks (as a picture of its class, where there are classes)."""
        x = self.layers(self.pixels(images.flatten(1), condition))
        said: HeadOutput = self.heads(self.noise(x), condition)
        return said if isinstance(said, Encoding) else replace(said, features=to_float32(x))
