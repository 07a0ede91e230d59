"""Class conditioning of generators and discriminators, by labels or by class weights."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def class_weights(condition: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """Return labels int64 [N] as one-hot rows [N, classes]; class weights [N, classes] pass unchanged.

    Fractional weights interpolate between classes, for example from one digit to another.
    """
    if condition.is_floating_point():
        return condition.to(dtype)
    return F.one_hot(condition, classes).to(dtype)


class ClassEmbedding(nn.Module):
    """A learned vector of ``width`` numbers for each class; class weights interpolate between the vectors."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, width))

    def forward(self, condition: Tensor) -> Tensor:
        """Map labels [N] or class weights [N, classes] to embeddings [N, width]."""
        return class_weights(condition, len(self.weight), self.weight.dtype) @ self.weight


GeneratorLabel = Literal["one-hot", "embedding", "batch-norm"]
"""How a generator is conditioned on the class: by a one-hot vector (Mirza and Osindero 2014) or a learned embedding
appended to the latent, or by class-conditional batch normalisation."""


DiscriminatorLabel = Literal["one-hot", "embedding", "projection", "none"]
"""How a discriminator is conditioned on the class: by a one-hot vector appended to the pixels, by a learned embedding
(for convolutions: one more image channel), by projection in its last layer (``Logit``), or not at all."""


class LatentClassGenerator(nn.Module):
    """A generator that derives the class from the first latent number, unless a condition is given.

    For z_0 from N(0, 1), Phi(z_0) is uniform in 0..1; the class is the interval of ``shares`` that holds it. The inner
    generator gets the other latent numbers.

    Attributes:
        shares: class frequencies [classes] with sum 1.
    """

    shares: Tensor

    def __init__(self, module: nn.Module, classes: int) -> None:
        super().__init__()
        self.module = module
        self.register_buffer("shares", torch.full((classes,), 1 / classes))

    def forward(self, latent: Tensor, condition: Tensor | None = None, **options: Any) -> Tensor:
        """Generate one image for each latent [N, 1 + latent_dim of the inner generator]."""
        if condition is None:
            quantiles = torch.special.ndtr(latent[:, 0].to(self.shares.dtype))
            condition = torch.searchsorted(self.shares.cumsum(0), quantiles.contiguous(), right=True)
            condition = condition.clamp_max(self.shares.nonzero().max())
        images: Tensor = self.module(latent[:, 1:], condition, **options)
        return images


class WithConditionImage(nn.Module):
    """A discriminator that sees picture and condition together, as channels of one image (Isola et al. 2017)."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor, condition: Tensor) -> Any:
        """Return the output for images [N, C, H, W] and conditions [N, C', H, W]."""
        return self.module(torch.cat([images, condition], 1), None)


EMBEDDING_WIDTH = 32


class ConcatClass(nn.Module):
    """Appends the class to latents or pixels [N, D]: [N, ``width``].

    The class is a one-hot vector (Mirza and Osindero 2014) or a learned vector of 32 numbers ("embedding"). Without
    classes, or with another label method, the rows pass unchanged.
    """

    def __init__(self, label: GeneratorLabel, dim: int, classes: int) -> None:
        super().__init__()
        self.one_hot = classes if label == "one-hot" else 0
        embeds = classes > 0 and label == "embedding"
        self.table = ClassEmbedding(classes, EMBEDDING_WIDTH) if embeds else None
        self.width = dim + self.one_hot + EMBEDDING_WIDTH * embeds

    def forward(self, rows: Tensor, condition: Tensor | None) -> Tensor:
        """Append the class to each row, if this layer is conditional."""
        if self.table is not None:
            assert condition is not None
            return torch.cat([rows, self.table(condition)], 1)
        if self.one_hot:
            assert condition is not None
            return torch.cat([rows, class_weights(condition, self.one_hot, rows.dtype)], 1)
        return rows
