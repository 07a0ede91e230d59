"""How players are told the class: labels or weights between classes, as rows of numbers."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def class_weights(condition: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """Turn labels int64 [N] to one-hot rows [N, classes]; rows that are weights already pass through.

    Weights between classes are what a morph from one digit to another asks for.
    """
    if condition.is_floating_point():
        return condition.to(dtype)
    return F.one_hot(condition, classes).to(dtype)


class ClassEmbedding(nn.Module):
    """A learned row of ``width`` numbers for each class; weights between classes give what lies between their rows."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, width))

    def forward(self, condition: Tensor) -> Tensor:
        """Labels [N] or class weights [N, classes] -> rows [N, width]."""
        return class_weights(condition, len(self.weight), self.weight.dtype) @ self.weight


GeneratorLabel = Literal["one-hot", "embedding", "batch-norm"]
"""How a generator is told the class: one-hot behind the latent (Mirza and Osindero 2014), a learned row behind the
latent, or as the gains and offsets of its batch normalisation."""


DiscriminatorLabel = Literal["one-hot", "embedding", "projection", "none"]
"""How a discriminator is told the class: one-hot behind the pixels, a learned row (for convolutions: one more
channel of the picture), in its last layer (``Logit``), or not at all: it may be asked instead (``classifier``)."""


class LatentClassGenerator(nn.Module):
    """A generator that draws the class by itself, from the first number of a latent, unless it is told one.

    Phi(z_0) is even between 0 and 1 for z_0 from N(0, 1), and falls into the part of one class as often as ``shares``
    says. The generator itself gets the other numbers.

    Attributes:
        shares: of all classes, [classes], 1 together.
    """

    shares: Tensor

    def __init__(self, module: nn.Module, classes: int) -> None:
        super().__init__()
        self.module = module
        self.register_buffer("shares", torch.full((classes,), 1 / classes))

    def forward(self, latent: Tensor, condition: Tensor | None = None, **ways: Any) -> Tensor:
        """Draw one image for each latent [N, 1 + latent_dim of the generator]."""
        if condition is None:
            even = torch.special.ndtr(latent[:, 0].to(self.shares.dtype))
            condition = torch.searchsorted(self.shares.cumsum(0), even.contiguous(), right=True)
            condition = condition.clamp_max(self.shares.nonzero().max())
        images: Tensor = self.module(latent[:, 1:], condition, **ways)
        return images


EMBEDDING_WIDTH = 32


class ConcatClass(nn.Module):
    """Rows [N, D] (latents, pixels) -> rows with the class behind them [N, ``width``], where the class is told so.

    One-hot (Mirza and Osindero 2014), or as a learned row of 32 numbers ("embedding").
    """

    def __init__(self, label: GeneratorLabel, dim: int, classes: int) -> None:
        super().__init__()
        self.one_hot = classes if label == "one-hot" else 0
        embeds = classes > 0 and label == "embedding"
        self.table = ClassEmbedding(classes, EMBEDDING_WIDTH) if embeds else None
        self.width = dim + self.one_hot + EMBEDDING_WIDTH * embeds

    def forward(self, rows: Tensor, condition: Tensor | None) -> Tensor:
        """Put the class behind each row, or nothing."""
        if self.table is not None:
            assert condition is not None
            return torch.cat([rows, self.table(condition)], 1)
        if self.one_hot:
            assert condition is not None
            return torch.cat([rows, class_weights(condition, self.one_hot, rows.dtype)], 1)
        return rows
