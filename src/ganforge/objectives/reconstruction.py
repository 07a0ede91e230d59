"""Per-image reconstruction losses, and the KL divergence of a code's distribution from N(0, 1)."""

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import NonNegativeFloat
from torch import Tensor
from torch.nn.functional import softplus

from ganforge.settings import Settings

Loss = Callable[[Tensor, Tensor], Tensor]


def bernoulli(images: Tensor, logits: Tensor) -> Tensor:
    """-Σ x log y + (1 - x) log(1 - y), y = sigmoid(logits) (Kingma and Welling 2014, eq. 11): [N].

    A pixel's grey level x in 0..1 is read as the probability that the pixel is white. The softplus form keeps its
    gradient y - x at any logit. For grey pixels the minimum is not 0: at y = x the loss is the pixel's entropy.
    """
    return (softplus(logits) - images * logits).flatten(1).sum(1)


def squared(images: Tensor, logits: Tensor) -> Tensor:
    """½ Σ (x - y)², y = sigmoid(logits), x in 0..1: [N].

    Up to a constant this is -log p(x|z) of a Gaussian decoder with variance 1 (Kingma and Welling 2014, appendix C.2).
    For a variance v, ``kl_weight`` = v gives the same optimum.
    """
    return 0.5 * (images - logits.sigmoid()).square().flatten(1).sum(1)


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σ (μ² + σ² - 1 - log σ²) (Kingma and Welling 2014, eq. 10, appendix B): [N], in nats.

    Args:
        mean: μ [N, D].
        log_variance: log σ² [N, D].
    """
    return 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance).sum(1)


LOSSES: dict[str, Loss] = {"bernoulli": bernoulli, "squared": squared}


class Reconstruction(Settings):
    """The common loss of an encoder and a generator: reconstruction plus ``kl_weight`` times the KL divergence.

    With ``kl_weight`` 0 a code is a point (an autoencoder). Above 0 a code is a normal distribution that is pulled
    towards N(0, 1): 1 is the variational autoencoder (Kingma and Welling 2014), any other value is the β of Higgins et
    al. 2017, eq. 4.
    """

    loss: Literal["bernoulli", "squared"] = "bernoulli"
    kl_weight: NonNegativeFloat = 0.0

    def __call__(self, images: Tensor, logits: Tensor) -> Tensor:
        """Return the loss [N] from images [N, C, H, W] in 0..1 and the logits of their reconstructed pixels."""
        return LOSSES[self.loss](images, logits)

    @property
    def variational(self) -> bool:
        """Whether codes are distributions (``kl_weight`` above 0)."""
        return self.kl_weight > 0
