"""What keeps a discriminator from becoming too steep: terms added to its loss."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from ganforge.settings import Settings

Logits = Callable[[Tensor], Tensor]


class Penalty(Settings, ABC):
    """A term of the discriminator's loss, ``weight`` times what it says of each image.

    ``every`` k plays it in every k-th step only, with k times the weight: the same on average for a k-th of the time
    ("lazy regularization", Karras et al. 2020, appendix B).
    """

    weight: PositiveFloat
    every: PositiveInt = 1

    @abstractmethod
    def __call__(self, logits: Logits, real: Tensor, fake: Tensor, real_logits: Tensor, noise: Tensor) -> Tensor:
        """Return the penalty [N], before its weight.

        Args:
            logits: the discriminator for the labels of these images: [N, C, H, W] -> [N].
            real: the real images [N, C, H, W], in the range the discriminator sees.
            fake: as many generated ones.
            real_logits: what it has just said of the real ones [N], with its graph.
            noise: as many numbers from N(0, 1) as the real images have, the same for the same seed and step.
        """


class ApproximateR1(Penalty):
    """½ (D(x) - D(x + σ·ε))² / σ², ε ~ N(0, 1): R1 by a finite difference.

    As σ goes to 0 its mean over ε goes to ½‖∇D(x)‖², the R1 penalty (Mescheder et al. 2018, eq. 9, weight γ); no
    gradient of a gradient is needed, so it runs in bf16 and costs one more forward and backward pass. Up to its scale
    it is the approximated R1 loss of Lin et al. 2025 (adversarial post-training), who weigh the square itself.

    Args:
        deviation: σ, in units of the pixels that the discriminator sees: .1 is 13 of 255 grey levels where they go from
            -1 to 1, 26 where they go from 0 to 1.
    """

    weight: PositiveFloat = 0.1
    deviation: Annotated[float, Field(gt=0, le=1)] = 0.1

    def __call__(self, logits: Logits, real: Tensor, fake: Tensor, real_logits: Tensor, noise: Tensor) -> Tensor:
        """Look at the same images with a little noise."""
        return 0.5 * ((logits(real + self.deviation * noise) - real_logits) / self.deviation).square()


class R1(Penalty):
    """½‖∇D(x)‖² at real images (Mescheder et al. 2018, eq. 9, weight γ): flat where the data are."""

    weight: PositiveFloat = 1.0

    def __call__(self, logits: Logits, real: Tensor, fake: Tensor, real_logits: Tensor, noise: Tensor) -> Tensor:
        """Differentiate at the real images."""
        return 0.5 * squared_gradient(logits, real)


class R2(Penalty):
    """½‖∇D(G(z))‖² at generated images (Mescheder et al. 2018, eq. 10, weight γ)."""

    weight: PositiveFloat = 1.0

    def __call__(self, logits: Logits, real: Tensor, fake: Tensor, real_logits: Tensor, noise: Tensor) -> Tensor:
        """Differentiate at the generated images."""
        return 0.5 * squared_gradient(logits, fake)


class GradientPenalty(Penalty):
    """(‖∇D(x̂)‖ - 1)² at x̂ = u·x + (1 - u)·G(z), u ~ U(0, 1) for each image (Gulrajani et al. 2017, eq. 3, weight λ)."""

    weight: PositiveFloat = 10.0

    def __call__(self, logits: Logits, real: Tensor, fake: Tensor, real_logits: Tensor, noise: Tensor) -> Tensor:
        """Differentiate between the images; u is the share of N(0, 1) below the first number of each image's noise."""
        u = torch.special.ndtr(noise.flatten(1)[:, 0]).view(-1, *[1] * (real.ndim - 1))
        steep = squared_gradient(logits, u * real + (1 - u) * fake)
        return ((steep + 1e-12).sqrt() - 1).square()


def squared_gradient(logits: Logits, images: Tensor) -> Tensor:
    """Return ‖∇D‖² [M] with respect to the images of each logit, in single precision, itself to be differentiated."""
    images = images.detach().requires_grad_()
    said = logits(images)
    (gradient,) = torch.autograd.grad(said.sum(), images, create_graph=True)
    return gradient.reshape(len(said), -1).square().sum(1)


class Penalties(Settings):
    """Which penalties a recipe plays; any number of them, none unless they are given."""

    approximate_r1: ApproximateR1 | None = None
    r1: R1 | None = None
    r2: R2 | None = None
    gradient_penalty: GradientPenalty | None = None

    def items(self) -> list[tuple[str, Penalty]]:
        """Those that are played, by name."""
        return [(name, penalty) for name in type(self).model_fields if (penalty := getattr(self, name)) is not None]
