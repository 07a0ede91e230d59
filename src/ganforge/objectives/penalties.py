"""Gradient penalties on the discriminator, added to its loss."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from ganforge.settings import Settings

Logits = Callable[[Tensor], Tensor]


class Penalty(Settings, ABC):
    """A term of the discriminator's loss: ``weight`` times the mean of a penalty [N] over the images.

    With ``every`` = k the penalty is computed in every k-th step only, with k times the weight. Its average stays the
    same at 1/k of the cost (lazy regularization, Karras et al. 2020, appendix B).
    """

    weight: PositiveFloat
    every: PositiveInt = 1

    @abstractmethod
    def __call__(self, logits: Logits, real: Tensor, fake: Tensor, real_logits: Tensor, noise: Tensor) -> Tensor:
        """Return the penalty [N], before the weight.

        Args:
            logits: the discriminator for the labels of these images: [N, C, H, W] -> [N].
            real: real images [N, C, H, W], in the discriminator's pixel range.
            fake: generated images of the same shape.
            real_logits: the discriminator's logits [N] on ``real``, with their graph.
            noise: N(0, 1) of the shape of ``real``, the same for the same seed and step.
        """


class ApproximateR1(Penalty):
    """½ (D(x) - D(x + σ·ε))² / σ², ε ~ N(0, 1): R1 by a finite difference.

    As σ goes to 0, its mean over ε goes to ½‖∇D(x)‖², the R1 penalty (Mescheder et al. 2018, eq. 9, weight γ). It
    needs no second-order gradient, runs in bf16 and costs one more forward and backward pass. Up to its scale it is the
    approximated R1 loss of Lin et al. 2025 (adversarial post-training), who weight the square itself.

    Args:
        sigma: σ, in units of the discriminator's pixels: .1 is 13 of 255 grey levels for pixels in -1..1, and 26
            for pixels in 0..1.
    """

    weight: PositiveFloat = 0.1
    sigma: Annotated[float, Field(gt=0, le=1)] = 0.1

    def __call__(self, logits: Logits, real: Tensor, fake: Tensor, real_logits: Tensor, noise: Tensor) -> Tensor:
        """Compare the logits with those of the same images plus noise."""
        return 0.5 * ((logits(real + self.sigma * noise) - real_logits) / self.sigma).square()


class R1(Penalty):
    """½‖∇D(x)‖² at real images (Mescheder et al. 2018, eq. 9, weight γ)."""

    weight: PositiveFloat = 1.0

    def __call__(self, logits: Logits, real: Tensor, fake: Tensor, real_logits: Tensor, noise: Tensor) -> Tensor:
        """Compute the gradient at the real images."""
        return 0.5 * squared_gradient(logits, real)


class R2(Penalty):
    """½‖∇D(G(z))‖² at generated images (Mescheder et al. 2018, eq. 10, weight γ)."""

    weight: PositiveFloat = 1.0

    def __call__(self, logits: Logits, real: Tensor, fake: Tensor, real_logits: Tensor, noise: Tensor) -> Tensor:
        """Compute the gradient at the generated images."""
        return 0.5 * squared_gradient(logits, fake)


class GradientPenalty(Penalty):
    """(‖∇D(x̂)‖ - 1)² at x̂ = u·x + (1 - u)·G(z), u ~ U(0, 1) for each image (Gulrajani et al. 2017, eq. 3, weight λ)."""

    weight: PositiveFloat = 10.0

    def __call__(self, logits: Logits, real: Tensor, fake: Tensor, real_logits: Tensor, noise: Tensor) -> Tensor:
        """Compute the gradient at x̂, with u = Φ(first number of each image's noise)."""
        u = torch.special.ndtr(noise.flatten(1)[:, 0]).view(-1, *[1] * (real.ndim - 1))
        squared_norm = squared_gradient(logits, u * real + (1 - u) * fake)
        return ((squared_norm + 1e-12).sqrt() - 1).square()


def squared_gradient(logits: Logits, images: Tensor) -> Tensor:
    """Return ‖∇D‖² [M] of each logit with respect to its images, in single precision, with its graph.

    With packing, M logits belong to N = M · packing images.
    """
    images = images.detach().requires_grad_()
    output = logits(images)
    (gradient,) = torch.autograd.grad(output.sum(), images, create_graph=True)
    return gradient.reshape(len(output), -1).square().sum(1)


class Penalties(Settings):
    """The penalties of a recipe: any number of them, by default none."""

    approximate_r1: ApproximateR1 | None = None
    r1: R1 | None = None
    r2: R2 | None = None
    gradient_penalty: GradientPenalty | None = None

    def items(self) -> list[tuple[str, Penalty]]:
        """Return the active penalties, with their names."""
        return [(name, penalty) for name in type(self).model_fields if (penalty := getattr(self, name)) is not None]
