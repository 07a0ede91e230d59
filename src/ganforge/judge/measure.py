"""Measurement of one set of fakes against real images by a judge."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganforge.data.images import ImageSet
from ganforge.errors import UserError
from ganforge.judge.judge import Judge, Noun, Predictions, Report
from ganforge.judge.network import FEATURE_DIM
from ganforge.metrics.arrays import Floats
from ganforge.metrics.frechet import frechet_distance
from ganforge.metrics.modes import class_shares
from ganforge.metrics.neighbours import precision, recall
from ganforge.metrics.spread import mean_spread, total_spread, within_class_spread
from ganforge.randomness import random_generator

CONFIDENT = 0.8
PRESENT = 0.3
"""A class is present from this fraction of its share among the reals: .03 of all fakes for ten equal classes."""
RARE = 0.1
"""Unlabelled reals contain a class from this fraction of an equal share."""
FEWEST_FOR_FRECHET = 2 * FEATURE_DIM
"""Smallest number of samples for a Fréchet distance; below it a 128×128 covariance is mostly noise."""
FEWEST_FOR_RECALL = 50
"""Smallest number of samples for precision and recall; below it a recall is uncertain by more than .07."""
MOST_FOR_RECALL = 5000
"""Largest number of fakes, and of reals, for precision and recall, whose cost is quadratic."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A judge's metrics of one set of fakes; every field can be written as JSON, None where it was not measured.

    Optional fields are also None in records of versions that did not have them.

    Attributes:
        judge: version of the judge.
        judge_hash: SHA-256 of its file.
        noun: word for one of its classes: ``digit`` or ``class``.
        class_names: names of the judge's classes that the reals have, in the order of all metrics per class.
        n_fake: number of fakes.
        n_real: number of real images.
        class_shares: share of all fakes that the judge assigns to each class with confidence ≥ .8.
        real_class_shares: the same of the reals.
        classes_present: number of classes with at least .3 of their share among the reals (about .03 of the fakes for
            ten equal classes).
        confident: share of fakes with confidence ≥ .8; real test digits reach .99.
        confident_on_real: the same of the reals.
        class_spread: `within_class_spread` per predicted class; None below 10 samples.
        within_class_spread: mean of ``class_spread``; 1 for reals, 0 for one image per class.
        spread_floor: the same of the ``n_floor`` other reals, as a perfect generator would reach (MNIST: 1.04).
        total_spread: variance of all fakes over that of all reals; 0 if all fakes are equal.
        label_agreement: share of fakes whose predicted class is the requested label.
        frechet_distance: between n_fake fakes and n_real reals on the judge's 128 features. Not an FID, which uses
            another network. None below 256 samples on a side. Compares only at equal numbers.
        frechet_floor: the same between the reals and ``n_floor`` other reals, as a perfect generator would reach.
        n_floor: number of other reals: n_fake, or fewer where there are fewer.
        precision: share of the fakes that are as near to a real as its 5th neighbour among the reals, on the judge's
            128 features, equal numbers of both (5,000 at most); None below 50.
        recall: share of the reals that are as near to a fake as its 5th neighbour among the fakes. Recall drops when
            a few images repeat; spread does not.
        precision_floor: precision of other reals, as a perfect generator would reach.
        recall_floor: recall by other reals.
        class_recall: recall within each class, of its reals by the fakes with that requested label (without labels,
            with that predicted class), equal numbers of both; None below 50.
        class_recall_floor: the same by other reals of the class, no more of them than fakes.
        class_agreement: label agreement of each class; None without requested labels.
        agreement_on_real: share of the reals whose predicted class is their label.
    """

    judge: str
    judge_hash: str
    noun: Noun
    class_names: list[str]
    n_fake: int
    n_real: int
    class_shares: list[float]
    real_class_shares: list[float]
    classes_present: int
    confident: float
    confident_on_real: float
    class_spread: list[float | None]
    within_class_spread: float | None = None
    spread_floor: float | None = None
    total_spread: float | None = None
    label_agreement: float | None = None
    frechet_distance: float | None = None
    frechet_floor: float | None = None
    n_floor: int
    precision: float | None = None
    precision_floor: float | None = None
    recall: float | None = None
    recall_floor: float | None = None
    class_recall: list[float | None]
    class_recall_floor: list[float | None]
    class_agreement: list[float | None] | None = None
    agreement_on_real: float | None = None


def measure(
    judge: Judge,
    real: ImageSet,
    fake: Tensor,
    asked_labels: Tensor | None = None,
    floor_images: ImageSet | None = None,
    report: Report | None = None,
) -> Measurement:
    """Measure fakes against reals; published numbers need 10,000 fakes, 10,000 reals and as many for the floor.

    Args:
        judge: the classifier.
        real: the reals, best the test split; their predictions are cached by fingerprint.
        fake: uint8 [N, C, H, W], N ≥ 2.
        asked_labels: int64 [N], requested label of each fake as an index of the judge's classes (`Judge.numbered`);
            None for an unconditional generator.
        floor_images: other reals, best the train split, of which as many are chosen as there are fakes.
        report: called with the number of images just processed.

    Raises:
        UserError: images of another type or shape, fewer than two images, or another number of labels than of fakes.
    """
    if len(fake) < 2 or len(real) < 2:
        raise UserError(f"{len(fake)} fakes and {len(real)} reals: a measurement needs at least two of each")
    if asked_labels is not None and asked_labels.shape != (len(fake),):
        raise UserError(f"{len(fake)} fakes need as many requested labels, found {list(asked_labels.shape)}")
    reals, fakes = judge.look_at_set(real, report), judge.look(fake, report)
    shares, real_shares = (
        class_shares(predictions.classes, predictions.confidence, len(judge.class_names), CONFIDENT)
        for predictions in (fakes, reals)
    )
    real_labels = judge.numbered(real.labels, real.class_names) if real.labelled else None
    classes = classes_among(real_shares, real_labels)
    spread = _spread(reals, fakes, len(shares))[classes]
    floor = other_reals(floor_images, len(fake)) if floor_images is not None else None
    others = judge.look_at_set(floor, report) if floor is not None else None
    floor_labels = judge.numbered(floor.labels, floor.class_names) if floor and floor.labelled else None
    class_recalls = _class_recall(
        _by_class(reals, real_labels, classes),
        _by_class(fakes, asked_labels, classes),
        _by_class(others, floor_labels, classes),
    )
    return Measurement(
        judge=judge.version,
        judge_hash=judge.hash,
        noun=judge.noun,
        class_names=[judge.class_names[index] for index in classes],
        n_fake=len(fakes),
        n_real=len(reals),
        class_shares=shares[classes].tolist(),
        real_class_shares=real_shares[classes].tolist(),
        classes_present=present(shares, real_shares, classes),
        confident=float((fakes.confidence >= CONFIDENT).double().mean()),
        confident_on_real=float((reals.confidence >= CONFIDENT).double().mean()),
        class_spread=[_none_if_nan(ratio) for ratio in spread.tolist()],
        within_class_spread=_none_if_nan(mean_spread(spread)),
        spread_floor=_none_if_nan(mean_spread(_spread(reals, others, len(shares))[classes])) if others else None,
        total_spread=_none_if_nan(total_spread(reals.spread_features, fakes.spread_features)),
        label_agreement=_agreement(fakes, asked_labels) if asked_labels is not None else None,
        frechet_distance=_distance(reals, fakes),
        frechet_floor=_distance(reals, others) if others else None,
        n_floor=len(others) if others else 0,
        precision=_on_equal_numbers(precision, reals.features, fakes.features),
        precision_floor=_on_equal_numbers(precision, reals.features, others.features) if others else None,
        recall=_on_equal_numbers(recall, reals.features, fakes.features),
        recall_floor=_on_equal_numbers(recall, reals.features, others.features) if others else None,
        class_recall=class_recalls[0],
        class_recall_floor=class_recalls[1],
        class_agreement=_class_agreement(fakes, asked_labels, classes) if asked_labels is not None else None,
        agreement_on_real=_agreement(reals, real_labels) if real_labels is not None else None,
    )


def classes_among(real_shares: Floats, labels: Tensor | None) -> list[int]:
    """Return the classes of the real images, as indices of the judge's classes.

    These are the labels that occur. Without labels they are the predicted classes with at least a tenth of an equal
    share, because the judge assigns some images to classes that do not occur.
    """
    if labels is not None:
        return [int(label) for label in labels.unique() if label >= 0]
    classes: list[int] = np.flatnonzero(real_shares >= RARE / len(real_shares)).tolist()
    return classes or list(range(len(real_shares)))


def present(shares: Floats, real_shares: Floats, own: Sequence[int]) -> int:
    """Return how many of the classes ``own`` are present, from their shares of all fakes and of all reals."""
    return int(((shares >= PRESENT * real_shares) & (shares > 0))[own].sum())


def other_reals(images: ImageSet, count: int) -> ImageSet:
    """Return ``count`` images of a fixed permutation for the floor; the first images may all be of one class."""
    permutation = torch.randperm(len(images), generator=random_generator("judge", "floor"))[:count]
    return images.select(permutation)


def _spread(real: Predictions, fake: Predictions, number_of_classes: int) -> Floats:
    return within_class_spread(
        real.spread_features, real.classes, fake.spread_features, fake.classes, number_of_classes
    )


def _agreement(predictions: Predictions, labels: Tensor) -> float:
    return float((predictions.classes == labels.cpu()).double().mean())


def _class_agreement(predictions: Predictions, labels: Tensor, classes: Sequence[int]) -> list[float | None]:
    correct = [predictions.classes[labels.cpu() == index] == index for index in classes]
    return [float(hits.double().mean()) if len(hits) else None for hits in correct]


def _class_recall(
    real: list[Tensor], fake: list[Tensor], floor: list[Tensor]
) -> tuple[list[float | None], list[float | None]]:
    """Return the recall within each class by its fakes, and by as many other reals of the class."""
    triples = list(zip(real, fake, floor, strict=True))
    return (
        [_on_equal_numbers(recall, reals, fakes) for reals, fakes, _ in triples],
        [_on_equal_numbers(recall, reals, others[: len(fakes)]) for reals, fakes, others in triples],
    )


def _by_class(predictions: Predictions | None, labels: Tensor | None, classes: Sequence[int]) -> list[Tensor]:
    """Return the 128 features of every class, by label where there are labels, else by predicted class."""
    if predictions is None:
        return [torch.empty(0, FEATURE_DIM)] * len(classes)
    class_of = predictions.classes if labels is None else labels.cpu()
    return [predictions.features[class_of == index] for index in classes]


def _on_equal_numbers(metric: Callable[[Tensor, Tensor], float], real: Tensor, other: Tensor) -> float | None:
    """Compute a metric of equally many rows of both, from fixed permutations; None below 50."""
    count = min(len(real), len(other), MOST_FOR_RECALL)
    if count < FEWEST_FOR_RECALL:
        return None
    return metric(_fixed_subset(real, count), _fixed_subset(other, count))


def _fixed_subset(features: Tensor, count: int) -> Tensor:
    return features[torch.randperm(len(features), generator=random_generator("judge", "recall"))[:count]]


def _distance(real: Predictions, fake: Predictions) -> float | None:
    if min(len(real), len(fake)) < FEWEST_FOR_FRECHET:
        return None
    return frechet_distance(real.features, fake.features)


def _none_if_nan(value: float) -> float | None:
    return None if math.isnan(value) else value
