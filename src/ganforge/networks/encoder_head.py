"""What an encoder makes of images: the same nets as discriminators', ending in a latent instead of a logit."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganforge.networks.memory_layout import to_float32


@dataclass(frozen=True)
class Encoding:
    """Latents for N images: exact ones, or a normal distribution around each.

    Attributes:
        mean: [N, D].
        log_variance: [N, D], log σ² of every number; None where the latent is ``mean`` itself.
    """

    mean: Tensor
    log_variance: Tensor | None = None

    def latent(self, noise: Tensor) -> Tensor:
        """Return z = μ + σ·ε, ε ``noise`` from N(0, 1) [N, D] (Kingma and Welling 2014, section 2.4), or the mean."""
        if self.log_variance is None:
            return self.mean
        return self.mean + torch.exp(0.5 * self.log_variance) * noise


class EncodingHead(nn.Module):
    """Features [N, F] -> Encoding; ``spread``: whether each latent has a variance of its own."""

    def __init__(self, features: int, dim: int, spread: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(features, dim * (2 if spread else 1))
        self.spread = spread

    def forward(self, features: Tensor, condition: Tensor | None = None) -> Encoding:
        """Give it in single precision, as losses are made of it."""
        with torch.autocast(features.device.type, enabled=False):
            numbers = self.linear(to_float32(features))
        return Encoding(*numbers.chunk(2, 1)) if self.spread else Encoding(numbers)
