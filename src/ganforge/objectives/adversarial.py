"""Adversarial losses of both players.

Every objective maps real and fake logits [N] to losses [N]; lower is better. With D = sigmoid(logit),
-log D = softplus(-logit) and -log(1 - D) = softplus(logit). The softplus form keeps its gradient at any logit;
log(sigmoid + eps) loses it.
"""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor
from torch.nn.functional import relu, softplus

from ganforge.settings import Settings


class Objective(Settings, ABC):
    """The losses of both players.

    Attributes:
        probabilistic: whether sigmoid(logit) is a probability. Only then are D(x), D(G(z)) and V meaningful.
        needs_real_logits: whether the generator's loss also needs the logits of real images.
    """

    probabilistic: ClassVar[bool]
    needs_real_logits: ClassVar[bool] = False

    @abstractmethod
    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the discriminator's loss [N] from its logits [N] on real and on fake images."""

    @abstractmethod
    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Return the generator's loss [N] from the discriminator's logits [N].

        Only relativistic objectives use ``real``.
        """


class Minimax(Objective):
    """The original game: min_G max_D V = E[log D(x)] + E[log(1 - D(G(z)))] (Goodfellow et al. 2014, eq. 1).

    At the equilibrium D = 1/2 everywhere and V = -log 4. The loss saturates: the generator's gradient vanishes while D
    rejects its fakes with confidence.
    """

    probabilistic: ClassVar[bool] = True

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """-log D(x) - log(1 - D(G(z)))."""
        return softplus(-real) + softplus(fake)

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """log(1 - D(G(z)))."""
        return -softplus(fake)


class NonSaturating(Objective):
    """The generator maximises log D(G(z)) (Goodfellow et al. 2014, section 3), so its gradient does not vanish.

    ``label_smoothing`` s sets the discriminator's target on real images to 1 - s; the target on fakes stays 0
    (one-sided label smoothing, Salimans et al. 2016, section 3.4).
    """

    probabilistic: ClassVar[bool] = True
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """-(1 - s) log D(x) - s log(1 - D(x)) - log(1 - D(G(z)))."""
        # s·softplus(real) + (1 - s)·softplus(-real), as softplus(real) = real + softplus(-real)
        return softplus(-real) + self.label_smoothing * real + softplus(fake)

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """-log D(G(z))."""
        return softplus(-fake)


class LeastSquares(Objective):
    """Squared distances of the logits from their targets (Mao et al. 2017, eq. 2 with a = 0, b = c = 1).

    The logit is not a probability. The gradient does not vanish on fakes that the discriminator rejects with
    confidence.
    """

    probabilistic: ClassVar[bool] = False

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """½(D(x) - 1)² + ½D(G(z))²."""
        return 0.5 * ((real - 1).square() + fake.square())

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """½(D(G(z)) - 1)²."""
        return 0.5 * (fake - 1).square()


class Wasserstein(Objective):
    """The difference of the mean logits (Arjovsky et al. 2017, eq. 3): D is a critic, and its logits have no zero.

    The loss estimates a distance only while the critic is Lipschitz: add ``gradient_penalty`` or spectral norm.
    """

    probabilistic: ClassVar[bool] = False

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """D(G(z)) - D(x)."""
        return fake - real

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """-D(G(z))."""
        return -fake


class Hinge(Objective):
    """Logits beyond the margin cost nothing (hinge loss, Lim and Ye 2017; Miyato et al. 2018, eq. 16 and 17)."""

    probabilistic: ClassVar[bool] = False

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """max(0, 1 - D(x)) + max(0, 1 + D(G(z)))."""
        return relu(1 - real) + relu(1 + fake)

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """-D(G(z))."""
        return -fake


class RelativisticPairing(Objective):
    """Each fake is compared with one real image (Jolicoeur-Martineau 2018; Huang et al. 2024, eq. 2).

    D(x) - D(G(z)) is the logit of "x is the real image of the pair". Every pair has a gradient wherever its images lie,
    which counters mode dropping. The logit of one image alone is not a probability.
    """

    probabilistic: ClassVar[bool] = False
    needs_real_logits: ClassVar[bool] = True

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """-log sigmoid(D(x) - D(G(z)))."""
        return softplus(fake - real)

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """-log sigmoid(D(G(z)) - D(x))."""
        assert real is not None
        return softplus(real - fake)


OBJECTIVES: dict[str, type[Objective]] = {
    "minimax": Minimax,
    "non-saturating": NonSaturating,
    "least-squares": LeastSquares,
    "wasserstein": Wasserstein,
    "hinge": Hinge,
    "relativistic-pairing": RelativisticPairing,
}
