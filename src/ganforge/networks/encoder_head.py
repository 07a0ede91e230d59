"""Output of encoders: the networks are those of discriminators, with a latent instead of a logit at the end."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganforge.networks.memory_layout import to_float32


@dataclass(frozen=True)
class Encoding:
    """Codes of N images: points, or normal distributions.

    Attributes:
        mean: μ [N, D].
        log_variance: log σ² [N, D]; None where the code is the point ``mean``.
    """

    mean: Tensor
    log_variance: Tensor | None = None

    def latent(self, noise: Tensor) -> Tensor:
        """Return z = μ + σ·ε, ε = ``noise`` [N, D] from N(0, 1) (Kingma and Welling 2014, section 2.4), or the mean."""
        if self.log_variance is None:
            return self.mean
        return self.mean + torch.exp(0.5 * self.log_variance) * noise


class EncodingHead(nn.Module):
    """Features [N, F] -> Encoding; ``variational``: with a variance for each number of the code."""

    def __init__(self, features: int, dim: int, variational: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(features, dim * (2 if variational else 1))
        self.variational = variational

    def forward(self, features: Tensor, condition: Tensor | None = None) -> Encoding:
        """Return the encoding in single precision, for the losses."""
        with torch.autocast(features.device.type, enabled=False):
            parameters = self.linear(to_float32(features))
        return Encoding(*parameters.chunk(2, 1)) if self.variational else Encoding(parameters)
