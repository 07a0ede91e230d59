"""What else the players are asked for: terms added to their adversarial losses."""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor
from torch.nn.functional import cross_entropy

from ganforge.objectives.loss_context import Codes, LossContext, Output, Phase
from ganforge.settings import Settings

LABELLED = "labelled"
"""The stream of those images whose labels may be used."""
MOVED = "moved"
"""The stream of the real images of the step, each a little turned, shifted and zoomed."""


class Term(Settings, ABC):
    """A scalar term of a player's loss, ``weight`` times.

    Attributes:
        turns: whose losses it is added to.
        looks_at_real: whether the generator's turn needs what the discriminator says of real images.
        streams: which further batches it needs in the discriminator's turn.
        remembers: whether it needs the averages of the weights.
    """

    turns: ClassVar[tuple[Phase, ...]]
    needs_real_outputs: ClassVar[bool] = False
    streams: ClassVar[tuple[str, ...]] = ()
    needs_weight_average: ClassVar[bool] = False

    weight: PositiveFloat = 1.0

    @abstractmethod
    def __call__(self, play: LossContext) -> Tensor:
        """Return the term []."""


class FeatureMatching(Term):
    """The squared distance of mean features, ‖E f(x) - E f(G(z))‖² (Salimans et al. 2016, section 3.1).

    f are the features that the discriminator's last layer makes its logits of. In the paper it takes the place of the
    adversarial loss: ``adversarial_weight = 0``.
    """

    turns: ClassVar[tuple[Phase, ...]] = ("generator",)
    needs_real_outputs: ClassVar[bool] = True

    def __call__(self, play: LossContext) -> Tensor:
        """Compare the means over the batch."""
        assert play.real is not None
        return (play.real.output.features.mean(0) - play.fake.output.features.mean(0)).square().sum()


class HistoricalAveraging(Term):
    """‖θ - (1/t) Σ θ[i]‖² over the steps up to now, of both players (Salimans et al. 2016, section 3.3).

    It holds a player back from running in circles around an equilibrium.
    """

    turns: ClassVar[tuple[Phase, ...]] = ("discriminator", "generator")
    needs_weight_average: ClassVar[bool] = True

    def __call__(self, play: LossContext) -> Tensor:
        """Compare the weights with their averages."""
        pairs = zip(play.weights, play.averages, strict=True)
        return torch.stack([(weight - average).square().sum() for weight, average in pairs]).sum()


class Classification(Term):
    """-log p(class | image): the discriminator names the class, the generator draws what is named so.

    L_C of Odena et al. 2017 (AC-GAN, eq. 3): both players want the class of real images (the discriminator) and of
    generated ones (both) to be named rightly.
    """

    turns: ClassVar[tuple[Phase, ...]] = ("discriminator", "generator")

    def __call__(self, play: LossContext) -> Tensor:
        """Average over the real and, separately, over the generated images."""
        sides = [play.fake] if play.turn == "generator" or play.real is None else [play.real, play.fake]
        losses = []
        for side in sides:
            assert side.output.class_logits is not None
            assert side.labels is not None
            losses.append(cross_entropy(side.output.class_logits, side.labels))
        return torch.stack(losses).sum()


class RealClassification(Term):
    """-log p(class | image) of real images, for the discriminator alone: it is to know the classes from the start.

    One that is told the class by projection learns what a class looks like only where the generator draws another one
    well enough. L_C of Odena et al. 2017 (AC-GAN, eq. 3) without its generated half, so the generator is not
    rewarded for pictures that are easy to name.
    """

    turns: ClassVar[tuple[Phase, ...]] = ("discriminator",)

    def __call__(self, play: LossContext) -> Tensor:
        """Average over the real images."""
        assert play.real is not None
        assert play.real.output.class_logits is not None
        assert play.real.labels is not None
        return cross_entropy(play.real.output.class_logits, play.real.labels)


class Supervised(Term):
    """-log p(class | image, real) on those images whose label is known (Salimans et al. 2016, section 5, L_supervised).

    Beside it the adversarial loss sees all images without labels (L_unsupervised), with the logit of "real" made of
    the class logits (``classifier = "instead"``).
    """

    turns: ClassVar[tuple[Phase, ...]] = ("discriminator",)
    streams: ClassVar[tuple[str, ...]] = (LABELLED,)

    def __call__(self, play: LossContext) -> Tensor:
        """Average over the labelled batch."""
        side = play.streams[LABELLED]
        assert side.output.class_logits is not None
        assert side.labels is not None
        return cross_entropy(side.output.class_logits, side.labels)


class MutualInformation(Term):
    """-E log Q(c | G(z, c)), which bounds the mutual information of codes and image (InfoGAN, Chen et al. 2016, eq. 5).

    Q reads the codes from the discriminator's features: a softmax for each categorical code, a normal distribution of
    variance 1 around its reading for each uniform one (constants left out). Both players want it read rightly.
    ``uniform_weight`` is that of the uniform codes beside the categorical ones.
    """

    turns: ClassVar[tuple[Phase, ...]] = ("discriminator", "generator")
    uniform_weight: PositiveFloat = 1.0

    def __call__(self, play: LossContext) -> Tensor:
        """Average over the generated images, sum over the codes."""
        assert play.fake.output.codes is not None
        assert play.fake.latent is not None
        categories, numbers = play.codes.split(play.fake.latent)
        said, guesses = play.codes.split(play.fake.output.codes)
        loss = self.uniform_weight * 0.5 * (guesses - numbers).square().sum(1).mean()
        for logits, category in zip(said, categories, strict=True):
            loss = loss + cross_entropy(logits, category)
        return loss


class IIC(Term):
    """-I(c; c') of what is read from a real image and from the same image moved a little: its class, categorical codes.

    P = (1/N) Σ Q(c|x) Q(c|x')ᵀ, made symmetric, and I = Σ P_ij ln(P_ij / (P_i P_j)), for each code (IIC, Ji et al.
    2019, arXiv:1807.06653, eq. 3): the discriminator is to read the same from both, to be sure of it, and to use all
    values alike. ``balance`` λ weighs that last wish, I + (λ - 1)(H(c) + H(c')): with 1 two similar classes may share a
    value while a third is split (``lamb`` in that paper's published code). Images whose labels are known
    (``terms.supervised``) are moved as far, each time anew.

    Args:
        degrees, slant, shift, zoom, cutout: how far images are moved at most, how much is covered
            (`ganforge.data.augmented_batches.AugmentedBatches`).
    """

    turns: ClassVar[tuple[Phase, ...]] = ("discriminator",)
    streams: ClassVar[tuple[str, ...]] = (MOVED,)

    balance: Annotated[float, Field(ge=1)] = 1.0
    degrees: Annotated[float, Field(ge=0, le=180)] = 20.0
    slant: Annotated[float, Field(ge=0, le=2)] = 0.3
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.1
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.2
    cutout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def __call__(self, play: LossContext) -> Tensor:
        """Average over the batch, sum over what is read."""
        assert play.real is not None
        here, there = (categorical_logits(side.output, play.codes) for side in (play.real, play.streams[MOVED]))
        pairs = zip(here, there, strict=True)
        return -torch.stack([mutual_information(one, other, self.balance) for one, other in pairs]).sum()


def categorical_logits(said: Output, codes: Codes) -> list[Tensor]:
    """Return all that a discriminator reads as one of several values: logits [N, K] of the class, of each such code."""
    of_class = [] if said.class_logits is None else [said.class_logits]
    of_codes = [] if said.codes is None else codes.split(said.codes)[0]
    return of_class + of_codes


def mutual_information(one: Tensor, other: Tensor, balance: float = 1.0) -> Tensor:
    """Return I + (λ - 1)(H + H') [] in nats of two readings of N images, logits [N, K] each, symmetric in both."""
    joint = one.softmax(1).T @ other.softmax(1) / len(one)
    joint = ((joint + joint.T) / 2).clamp_min(1e-12)
    logs = joint.log() - balance * (joint.sum(1, keepdim=True).log() + joint.sum(0, keepdim=True).log())
    return (joint * logs).sum()


class Terms(Settings):
    """Which terms a recipe plays; none unless they are given."""

    feature_matching: FeatureMatching | None = None
    historical_averaging: HistoricalAveraging | None = None
    classification: Classification | None = None
    real_classification: RealClassification | None = None
    supervised: Supervised | None = None
    mutual_information: MutualInformation | None = None
    invariant_information: IIC | None = None

    def items(self) -> list[tuple[str, Term]]:
        """Those that are played, by name."""
        return [(name, term) for name in type(self).model_fields if (term := getattr(self, name)) is not None]

    @property
    def need_real_outputs(self) -> bool:
        """Whether one needs real images in the generator's turn."""
        return any(term.needs_real_outputs for _, term in self.items())

    @property
    def remember(self) -> bool:
        """Whether one needs the averages of the weights."""
        return any(term.needs_weight_average for _, term in self.items())

    @property
    def streams(self) -> tuple[str, ...]:
        """The further batches that are needed."""
        return tuple(dict.fromkeys(name for _, term in self.items() for name in term.streams))

    def add(self, loss: Tensor, play: LossContext) -> Tensor:
        """Add to a player's loss what the terms say of its turn."""
        for _, term in self.items():
            if play.turn in term.turns:
                loss = loss + term.weight * term(play)
        return loss
