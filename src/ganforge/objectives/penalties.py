"""Gradient penalties on the discriminator, added to its loss."""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from ganforge.objectives.loss_context import DiscriminatorContext
from ganforge.settings import Settings


class Penalty(Settings, ABC):
    """A term of the discriminator's loss: ``weight`` times the mean of a penalty [N] over the images.

    With ``every`` = k the penalty is computed in every k-th step only, with k times the weight. Its average stays the
    same at 1/k of the cost (lazy regularization, Karras et al. 2020, appendix B).

    Attributes:
        differentiates: the samples at whose images the penalty takes the gradient of their logits. In the steps of the
            penalty these images require it, so that one pass serves the loss and the penalty.
    """

    differentiates: ClassVar[tuple[Literal["real", "fake"], ...]] = ()

    weight: PositiveFloat
    every: PositiveInt = 1

    @abstractmethod
    def __call__(self, context: DiscriminatorContext) -> Tensor:
        """Return the penalty, one number for each logit, before the weight."""


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

    def __call__(self, context: DiscriminatorContext) -> Tensor:
        """Compare the logits with those of the same images plus noise."""
        moved = context.real.images + self.sigma * context.noise("approximate_r1")
        return 0.5 * ((context.logits(moved) - context.real.output.logits) / self.sigma).square()


class R1(Penalty):
    """½‖∇D(x)‖² at real images (Mescheder et al. 2018, eq. 9, weight γ)."""

    differentiates: ClassVar[tuple[Literal["real", "fake"], ...]] = ("real",)

    weight: PositiveFloat = 1.0

    def __call__(self, context: DiscriminatorContext) -> Tensor:
        """Take the gradient of the loss's own logits at the real images."""
        return 0.5 * squared_gradient(context.real.output.logits, context.real.images)


class R2(Penalty):
    """½‖∇D(G(z))‖² at generated images (Mescheder et al. 2018, eq. 10, weight γ)."""

    differentiates: ClassVar[tuple[Literal["real", "fake"], ...]] = ("fake",)

    weight: PositiveFloat = 1.0

    def __call__(self, context: DiscriminatorContext) -> Tensor:
        """Take the gradient of the loss's own logits at the generated images."""
        return 0.5 * squared_gradient(context.fake.output.logits, context.fake.images)


class GradientPenalty(Penalty):
    """(‖∇D(x̂)‖ - 1)² at x̂ = u·x + (1 - u)·G(z), u ~ U(0, 1) for each image (Gulrajani et al. 2017, eq. 3, weight λ)."""

    weight: PositiveFloat = 10.0

    def __call__(self, context: DiscriminatorContext) -> Tensor:
        """Compute the gradient at x̂, with u = Φ(first number of each image's noise)."""
        real, fake, noise = context.real.images, context.fake.images, context.noise("gradient_penalty")
        u = torch.special.ndtr(noise.flatten(1)[:, 0]).view(-1, *[1] * (real.ndim - 1))
        interpolated = (u * real + (1 - u) * fake).detach().requires_grad_()
        squared_norm = squared_gradient(context.logits(interpolated), interpolated)
        return ((squared_norm + 1e-12).sqrt() - 1).square()


def squared_gradient(logits: Tensor, images: Tensor) -> Tensor:
    """Return ‖∇D‖² [M] of each of M logits with respect to its images, with its graph.

    The squares are summed in single precision at least, also where images and layers are in bf16. With packing, M
    logits belong to N = M · packing images.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    gradient = gradient.to(torch.promote_types(gradient.dtype, torch.float32))
    return gradient.reshape(len(logits), -1).square().sum(1)


class Penalties(Settings):
    """The penalties of a recipe: any number of them, by default none."""

    approximate_r1: ApproximateR1 | None = None
    r1: R1 | None = None
    r2: R2 | None = None
    gradient_penalty: GradientPenalty | None = None

    def items(self) -> list[tuple[str, Penalty]]:
        """Return the active penalties, with their names."""
        return [(name, penalty) for name in type(self).model_fields if (penalty := getattr(self, name)) is not None]

    def due(self, step: int) -> list[Penalty]:
        """Return the penalties that are computed in this step."""
        return [penalty for _, penalty in self.items() if step % penalty.every == 0]

    def differentiated(self, step: int) -> set[str]:
        """Return which samples, "real" or "fake", must require a gradient at their images in this step."""
        return {name for penalty in self.due(step) for name in penalty.differentiates}

    def add(self, loss: Tensor, context: DiscriminatorContext, step: int) -> Tensor:
        """Return the discriminator's loss plus the weighted penalties of this step."""
        for penalty in self.due(step):
            loss = loss + penalty.every * penalty.weight * penalty(context).mean()
        return loss
