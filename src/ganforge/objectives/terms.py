"""Further loss terms, added to the adversarial losses of the players."""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor
from torch.nn.functional import cross_entropy

from ganforge.objectives.loss_context import Codes, LossContext, Output, Phase, Samples
from ganforge.settings import Settings
from ganforge.whole_batch import gather

LABELLED = "labelled"
"""Name of the stream of labelled images."""
MOVED = "moved"
"""Name of the stream of augmented real images: those of the step, slightly rotated, sheared, shifted and zoomed."""


class Term(Settings, ABC):
    """A scalar term of a player's loss, multiplied by ``weight``.

    Attributes:
        turns: the players to whose losses the term is added.
        needs_real_outputs: whether the generator's turn needs the discriminator's output for real images.
        streams: the further batches that the discriminator's turn needs.
        needs_weight_average: whether the term needs the averages of the weights over all steps.
    """

    turns: ClassVar[tuple[Phase, ...]]
    needs_real_outputs: ClassVar[bool] = False
    streams: ClassVar[tuple[str, ...]] = ()
    needs_weight_average: ClassVar[bool] = False

    weight: PositiveFloat = 1.0

    @abstractmethod
    def __call__(self, context: LossContext) -> Tensor:
        """Return the value [] of the term, before the weight."""


class FeatureMatching(Term):
    """The squared distance of mean features, ‖E f(x) - E f(G(z))‖² (Salimans et al. 2016, section 3.1).

    f are the input features of the discriminator's last layer. In the paper this term replaces the generator's
    adversarial loss: ``adversarial_weight = 0``.
    """

    turns: ClassVar[tuple[Phase, ...]] = ("generator",)
    needs_real_outputs: ClassVar[bool] = True

    def __call__(self, context: LossContext) -> Tensor:
        """Compare the mean features of the real and the generated batch."""
        assert context.real is not None
        real, fake = (gather(samples.output.features).mean(0) for samples in (context.real, context.fake))
        return (real - fake).square().sum()


class HistoricalAveraging(Term):
    """‖θ - (1/t) Σ θ[i]‖² over all steps so far, for both players (Salimans et al. 2016, section 3.3).

    The term damps cycles of the weights around an equilibrium.
    """

    turns: ClassVar[tuple[Phase, ...]] = ("discriminator", "generator")
    needs_weight_average: ClassVar[bool] = True

    def __call__(self, context: LossContext) -> Tensor:
        """Sum the squared distances of the weights from their averages."""
        pairs = zip(context.weights, context.averages, strict=True)
        return torch.stack([(weight - average).square().sum() for weight, average in pairs]).sum()


class Classification(Term):
    """-log p(class | image), the class loss L_C of Odena et al. 2017 (AC-GAN, eq. 3).

    The discriminator minimises it on real and on generated images, the generator on its own images.
    """

    turns: ClassVar[tuple[Phase, ...]] = ("discriminator", "generator")

    def __call__(self, context: LossContext) -> Tensor:
        """Add the cross-entropies of the real and of the generated batch, each averaged over its images."""
        batches = (
            [context.fake] if context.turn == "generator" or context.real is None else [context.real, context.fake]
        )
        return torch.stack([class_loss(samples) for samples in batches]).sum()


class RealClassification(Term):
    """-log p(class | image) of real images, for the discriminator alone, so that it knows the classes from the start.

    A projection discriminator learns to tell classes apart only once the generator draws convincing images of a wrong
    class. This is L_C of Odena et al. 2017 (AC-GAN, eq. 3) without its generated half: the generator is not rewarded
    for images that are easy to classify.
    """

    turns: ClassVar[tuple[Phase, ...]] = ("discriminator",)

    def __call__(self, context: LossContext) -> Tensor:
        """Average the cross-entropy over the real images."""
        assert context.real is not None
        return class_loss(context.real)


class Supervised(Term):
    """-log p(class | image, real) on the labelled images (Salimans et al. 2016, section 5, L_supervised).

    The adversarial loss (L_unsupervised) uses all images without their labels. With ``classifier = "k_plus_one"`` the
    class logits give its logit of "real".
    """

    turns: ClassVar[tuple[Phase, ...]] = ("discriminator",)
    streams: ClassVar[tuple[str, ...]] = (LABELLED,)

    def __call__(self, context: LossContext) -> Tensor:
        """Average the cross-entropy over the labelled batch."""
        return class_loss(context.streams[LABELLED])


class MutualInformation(Term):
    """-E log Q(c | G(z, c)), a bound on the mutual information of codes and image (InfoGAN, Chen et al. 2016, eq. 5).

    Q predicts the codes from the discriminator's features: a softmax for each categorical code, and for each uniform
    code a normal distribution of variance 1 around the prediction (constants left out). Both players minimise the term.
    ``uniform_weight`` is the weight of the uniform codes relative to the categorical ones.
    """

    turns: ClassVar[tuple[Phase, ...]] = ("discriminator", "generator")
    uniform_weight: PositiveFloat = 1.0

    def __call__(self, context: LossContext) -> Tensor:
        """Average over the generated images and sum over the codes."""
        assert context.fake.output.codes is not None
        assert context.fake.latent is not None
        categories, uniform = context.codes.split(context.fake.latent)
        category_logits, predictions = context.codes.split(context.fake.output.codes)
        loss = self.uniform_weight * 0.5 * (predictions - uniform).square().sum(1).mean()
        for logits, category in zip(category_logits, categories, strict=True):
            loss = loss + cross_entropy(logits, category)
        return loss


class IIC(Term):
    """-I(c; c') between the predictions for a real image and for its augmented copy (IIC, invariant information).

    c is the class or a categorical code. P = (1/N) Σ Q(c|x) Q(c|x')ᵀ, made symmetric, and
    I = Σ P_ij ln(P_ij / (P_i P_j)) for each of them (Ji et al. 2019, arXiv:1807.06653, eq. 3). The term rewards
    predictions that are equal for both images, confident, and evenly spread over the values. ``balance`` λ weights the
    last property, I + (λ - 1)(H(c) + H(c')) (``lamb`` in the paper's published code): with λ = 1 two similar classes
    may share a value while a third is split. Labelled images (``terms.supervised``) are augmented in the same way,
    with new random numbers every time.

    Args:
        degrees, shear, shift, zoom, cutout: the limits of the augmentation: rotation, shear, translation, scale and
            covered area (`ganforge.data.augmented_batches.AugmentedBatches`).
    """

    turns: ClassVar[tuple[Phase, ...]] = ("discriminator",)
    streams: ClassVar[tuple[str, ...]] = (MOVED,)

    balance: Annotated[float, Field(ge=1)] = 1.0
    degrees: Annotated[float, Field(ge=0, le=180)] = 20.0
    shear: Annotated[float, Field(ge=0, le=2)] = 0.3
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.1
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.2
    cutout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def __call__(self, context: LossContext) -> Tensor:
        """Sum the information over the class and the categorical codes."""
        assert context.real is not None
        plain, augmented = (
            categorical_logits(samples.output, context.codes) for samples in (context.real, context.streams[MOVED])
        )
        pairs = zip(plain, augmented, strict=True)
        return -torch.stack([mutual_information(first, second, self.balance) for first, second in pairs]).sum()


class Fidelity(Term):
    """The distance of results from the true pictures of their conditions, mean over pixels, in image-to-image recipes.

    ``score = "l1"``: E|x - G(z, c)|, whose minimum is the median of the possible pictures: all draws become equal
    (Isola et al. 2017, eq. 3). ``score = "energy"``: E|x - G(z, c)| - ½ E|G(z, c) - G(z', c)|, the continuous ranked
    probability score of each pixel (Gneiting and Raftery 2007, eq. 21). It is proper: its minimum is the true
    distribution of the pixel, so draws differ as much as the possible pictures do.
    """

    turns: ClassVar[tuple[Phase, ...]] = ("generator",)
    score: Literal["l1", "energy"] = "l1"

    def __call__(self, context: LossContext) -> Tensor:
        """Compare results with the true pictures, and with the other draws for the same condition."""
        fake = context.fake
        assert fake.target is not None
        return self.distance(fake.images, fake.target, fake.draws)

    def distance(self, results: Tensor, target: Tensor, draws: int) -> Tensor:
        """Return the score [] of results for conditions that repeat ``draws`` times, one repetition after the other."""
        distance = (results - target).abs().mean()
        if self.score == "l1":
            return distance
        by_draw = results.view(draws, -1, *results.shape[1:])
        # every draw with the next one, and the last with the first: an unbiased estimate at a cost linear in the draws
        return distance - 0.5 * (by_draw - by_draw.roll(1, 0)).abs().mean()


def categorical_logits(output: Output, codes: Codes) -> list[Tensor]:
    """Return a discriminator's categorical predictions: logits [N, K] of the class and of each categorical code."""
    class_logits = [] if output.class_logits is None else [output.class_logits]
    code_logits = [] if output.codes is None else codes.split(output.codes)[0]
    return class_logits + code_logits


def mutual_information(first: Tensor, second: Tensor, balance: float = 1.0) -> Tensor:
    """Return I + (λ - 1)(H + H') [] in nats, symmetric in the two predictions for N images, logits [N, K] each."""
    first, second = gather(first), gather(second)
    joint = first.softmax(1).T @ second.softmax(1) / len(first)
    joint = ((joint + joint.T) / 2).clamp_min(1e-12)
    logs = joint.log() - balance * (joint.sum(1, keepdim=True).log() + joint.sum(0, keepdim=True).log())
    return (joint * logs).sum()


def class_loss(samples: Samples) -> Tensor:
    """Return -log p(class | image) [], averaged over samples whose condition are their classes."""
    assert samples.output.class_logits is not None
    assert samples.condition is not None
    return cross_entropy(samples.output.class_logits, samples.condition)


class Terms(Settings):
    """The loss terms of a recipe, by default none."""

    feature_matching: FeatureMatching | None = None
    historical_averaging: HistoricalAveraging | None = None
    classification: Classification | None = None
    real_classification: RealClassification | None = None
    supervised: Supervised | None = None
    mutual_information: MutualInformation | None = None
    invariant_information: IIC | None = None
    fidelity: Fidelity | None = None

    def items(self) -> list[tuple[str, Term]]:
        """Return the active terms, with their names."""
        return [(name, term) for name in type(self).model_fields if (term := getattr(self, name)) is not None]

    @property
    def needs_real_outputs(self) -> bool:
        """Whether a term needs the discriminator's output for real images in the generator's turn."""
        return any(term.needs_real_outputs for _, term in self.items())

    @property
    def needs_weight_average(self) -> bool:
        """Whether a term needs the averages of the weights over all steps."""
        return any(term.needs_weight_average for _, term in self.items())

    @property
    def streams(self) -> tuple[str, ...]:
        """The names of the further batches that the terms need."""
        return tuple(dict.fromkeys(name for _, term in self.items() for name in term.streams))

    def add(self, loss: Tensor, context: LossContext) -> Tensor:
        """Return a player's loss plus the weighted terms of its turn."""
        for _, term in self.items():
            if context.turn in term.turns:
                loss = loss + term.weight * term(context)
        return loss
