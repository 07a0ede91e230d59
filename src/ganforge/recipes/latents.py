"""Distributions of the latent."""

from typing import Annotated, Literal, Self

import torch
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator
from torch import Tensor

from ganforge.objectives.loss_context import Codes
from ganforge.settings import WIDEST, Settings


class NormalLatent(Settings):
    """Latent z of ``dim`` independent numbers from N(mean, std)."""

    distribution: Literal["normal"] = "normal"
    dim: PositiveInt = Field(le=WIDEST, description="how many numbers z has")
    mean: float = Field(0.0, description="mean of each number")
    std: PositiveFloat = Field(1.0, description="standard deviation of each number")

    def truncate(self, latent: Tensor, part: float) -> Tensor:
        """Scale the distance of latents [N, dim] from the distribution's centre by ``part``."""
        return self.mean + part * (latent - self.mean)


class UniformLatent(Settings):
    """Latent z of ``dim`` independent numbers from U(low, high)."""

    distribution: Literal["uniform"]
    dim: PositiveInt = Field(le=WIDEST, description="how many numbers z has")
    low: float = Field(-1.0, description="smallest value")
    high: float = Field(1.0, description="largest value")

    @model_validator(mode="after")
    def _low_below_high(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low} must be below high = {self.high}")
        return self

    def truncate(self, latent: Tensor, part: float) -> Tensor:
        """Scale the distance of latents [N, dim] from the distribution's centre by ``part``."""
        middle = (self.low + self.high) / 2
        return middle + part * (latent - middle)


class PartsLatent(Settings):
    """Latent of ``normal`` numbers from N(0, std), one-hot codes of widths ``categorical``, ``uniform`` codes in -1..1.

    The codes are those of InfoGAN (Chen et al. 2016, section 4): the discriminator predicts them from the image.
    """

    distribution: Literal["parts"]
    normal: PositiveInt = Field(62, le=WIDEST, description="numbers of noise from N(0, std)")
    std: PositiveFloat = Field(1.0, description="standard deviation of the noise")
    categorical: Annotated[tuple[Annotated[int, Field(ge=2, le=WIDEST)], ...], Field(strict=False, max_length=64)] = (
        Field((10,), description="number of categories of each one-hot code")
    )
    uniform: NonNegativeInt = Field(2, le=WIDEST, description="codes drawn from -1..1")

    @property
    def codes(self) -> Codes:
        """The layout of the codes."""
        return Codes(self.categorical, self.uniform)

    @property
    def widths(self) -> list[int]:
        """The width of each part."""
        return [self.normal, *self.categorical, self.uniform]

    @property
    def dim(self) -> int:
        """The total width."""
        return sum(self.widths)

    def truncate(self, latent: Tensor, part: float) -> Tensor:
        """Scale the normal numbers of latents [N, dim] by ``part``; codes stay unchanged."""
        return torch.cat([part * latent[:, : self.normal], latent[:, self.normal :]], 1)
