"""What else a generator is asked for: terms added to its adversarial loss."""

from abc import ABC, abstractmethod

from pydantic import PositiveFloat
from torch import Tensor

from ganforge.settings import Settings


class Term(Settings, ABC):
    """A scalar term of the generator's loss, ``weight`` times."""

    weight: PositiveFloat = 1.0

    @abstractmethod
    def __call__(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the term [] from the discriminator's features [N, F] of real and of generated images."""


class FeatureMatching(Term):
    """The squared distance of mean features, ||E f(x) - E f(G(z))||^2 (Salimans et al. 2016, section 3.1).

    f are the features that the discriminator's last layer makes its logits of. In the paper it takes the place of the
    adversarial loss: ``adversarial_weight = 0``.
    """

    def __call__(self, real: Tensor, fake: Tensor) -> Tensor:
        """Compare the means over the batch."""
        return (real.mean(0) - fake.mean(0)).square().sum()


class Terms(Settings):
    """Which terms a recipe plays; none unless they are given."""

    feature_matching: FeatureMatching | None = None

    def items(self) -> list[tuple[str, Term]]:
        """Those that are played, by name."""
        return [(name, term) for name in type(self).model_fields if (term := getattr(self, name)) is not None]
