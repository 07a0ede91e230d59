"""All figures of one batch of fakes beside real images, as one record."""

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
"""Part of its share among the reals from which a class counts as present: for ten equal classes, a share of .03."""
RARE = 0.1
"""Part of an equal share that a class must have among reals without labels to count as one of theirs."""
FEWEST_FOR_FRECHET = 2 * FEATURE_DIM
"""Below this many samples a 128×128 covariance is mostly noise, and no Fréchet distance is given."""
FEWEST_FOR_RECALL = 50
"""Below this many samples on a side a recall is uncertain by more than .07, and none is given."""
MOST_FOR_RECALL = 5000
"""So many of each at most are drawn for precision and recall: four times as many cost sixteen times the time."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What the judge measured; every field can be written as JSON, None where it could not be measured.

    Those that may be None are that in the line of a version that did not measure them yet.

    Attributes:
        judge: the judge's version.
        judge_hash: SHA-256 of its file.
        noun: what one of its classes is called: ``digit`` or ``class``.
        class_names: the names of those of its classes that the reals have, in the order of all figures per class.
        n_fake: how many fakes were judged.
        n_real: how many real images they were held against.
        class_shares: share of all fakes that are of each class with confidence ≥ .8.
        real_class_shares: the same of the reals.
        classes_present: how many shares are at least .3 of that among the reals (about .03 of ten equal classes).
        confident: share of fakes with confidence ≥ .8; real test digits reach .99.
        confident_on_real: the same of the reals.
        class_spread: `within_class_spread` per class, by the class the judge sees; None below 10 samples.
        within_class_spread: its mean over the classes that have one; real is 1, one picture per class is 0.
        spread_floor: the same of the ``n_floor`` other reals: what a perfect generator would get (MNIST: 1.04).
        total_spread: variance of all fakes over that of all reals; 0 where every fake is the same picture.
        label_agreement: share of fakes that the judge takes for the class that was asked for.
        frechet_distance: on the judge's 128 features, n_fake fakes against n_real reals. Not to be called FID: that is
            another network's. None below 256 samples on a side. Compares only at equal numbers.
        frechet_floor: the same between the reals and ``n_floor`` other reals: what a perfect generator would get.
        n_floor: how many those were: n_fake where there are as many.
        precision: share of the fakes that are as near to a real as its 5th neighbour among the reals, on the judge's
            128 features, equal numbers of both (5,000 at most); None below 50.
        recall: share of the reals that are as near to a fake as its 5th neighbour among the fakes. It sees a small
            stock of pictures shown again and again, which spread does not.
        precision_floor: as precision, of other reals; what a perfect generator would get.
        recall_floor: as recall, by other reals.
        class_recall: recall within each class, the reals of that class by the fakes that were asked for it (that are
            read as it, where nothing was asked), equal numbers of both; None below 50.
        class_recall_floor: the same by other reals of the class, no more of them than there were fakes.
        class_agreement: share of the fakes asked for each class that are read as it; None where nothing was asked.
        agreement_on_real: share of the reals that the judge takes for what their label says.
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
    """Judge fakes beside reals; 10,000 of each and as many for the floor are the numbers to report.

    Args:
        judge: who looks.
        real: the reals, best the test split; what was seen in them is remembered by their fingerprint.
        fake: uint8 [N, C, H, W], N ≥ 2.
        asked_labels: int64 [N], the class asked of each fake, as the judge numbers classes (`Judge.numbered`), or None
            for a generator that is not asked.
        floor_images: more reals, best the train split; as many as there are fakes are drawn from them.
        report: told the number of images that were just looked at.

    Raises:
        UserError: images of another type or shape, fewer than two of them, or labels that do not fit.
    """
    if len(fake) < 2 or len(real) < 2:
        raise UserError(f"{len(fake)} fakes and {len(real)} reals: a measurement needs at least two of each")
    if asked_labels is not None and asked_labels.shape != (len(fake),):
        raise UserError(f"{len(fake)} fakes need as many asked labels, found {list(asked_labels.shape)}")
    seen_real, seen = judge.look_at_set(real, report), judge.look(fake, report)
    shares, real_shares = (
        class_shares(found.classes, found.confidence, len(judge.class_names), CONFIDENT) for found in (seen, seen_real)
    )
    labels = judge.numbered(real.labels, real.class_names) if real.labelled else None
    own = classes_among(real_shares, labels)
    spread = _spread(seen_real, seen, len(shares))[own]
    floor = other_reals(floor_images, len(fake)) if floor_images is not None else None
    seen_floor = judge.look_at_set(floor, report) if floor is not None else None
    floor_labels = judge.numbered(floor.labels, floor.class_names) if floor and floor.labelled else None
    recalls = _class_recall(
        _by_class(seen_real, labels, own), _by_class(seen, asked_labels, own), _by_class(seen_floor, floor_labels, own)
    )
    return Measurement(
        judge=judge.version,
        judge_hash=judge.hash,
        noun=judge.noun,
        class_names=[judge.class_names[index] for index in own],
        n_fake=len(seen),
        n_real=len(seen_real),
        class_shares=shares[own].tolist(),
        real_class_shares=real_shares[own].tolist(),
        classes_present=present(shares, real_shares, own),
        confident=float((seen.confidence >= CONFIDENT).double().mean()),
        confident_on_real=float((seen_real.confidence >= CONFIDENT).double().mean()),
        class_spread=[_known(ratio) for ratio in spread.tolist()],
        within_class_spread=_known(mean_spread(spread)),
        spread_floor=_known(mean_spread(_spread(seen_real, seen_floor, len(shares))[own])) if seen_floor else None,
        total_spread=_known(total_spread(seen_real.spread_features, seen.spread_features)),
        label_agreement=_agreement(seen, asked_labels) if asked_labels is not None else None,
        frechet_distance=_distance(seen_real, seen),
        frechet_floor=_distance(seen_real, seen_floor) if seen_floor else None,
        n_floor=len(seen_floor) if seen_floor else 0,
        precision=_of_equally_many(precision, seen_real.features, seen.features),
        precision_floor=_of_equally_many(precision, seen_real.features, seen_floor.features) if seen_floor else None,
        recall=_of_equally_many(recall, seen_real.features, seen.features),
        recall_floor=_of_equally_many(recall, seen_real.features, seen_floor.features) if seen_floor else None,
        class_recall=recalls[0],
        class_recall_floor=recalls[1],
        class_agreement=_class_agreement(seen, asked_labels, own) if asked_labels is not None else None,
        agreement_on_real=_agreement(seen_real, labels) if labels is not None else None,
    )


def classes_among(real_shares: Floats, labels: Tensor | None) -> list[int]:
    """Return the classes that real images have, as the judge numbers them.

    These are the classes of the labels; without labels, those that are read in a tenth of an equal share or more: the
    judge misreads some images as classes that are not there.
    """
    if labels is not None:
        return [int(label) for label in labels.unique() if label >= 0]
    found: list[int] = np.flatnonzero(real_shares >= RARE / len(real_shares)).tolist()
    return found or list(range(len(real_shares)))


def present(shares: Floats, real_shares: Floats, own: Sequence[int]) -> int:
    """Return how many of these classes appear, by their shares of all fakes and of all reals."""
    return int(((shares >= PRESENT * real_shares) & (shares > 0))[own].sum())


def other_reals(images: ImageSet, count: int) -> ImageSet:
    """Return ``count`` images by lot, always the same, whose figures are the floor: the first may all be of a class."""
    lot = torch.randperm(len(images), generator=random_generator("judge", "floor"))[:count]
    return images.select(lot)


def _spread(real: Predictions, fake: Predictions, number_of_classes: int) -> Floats:
    return within_class_spread(
        real.spread_features, real.classes, fake.spread_features, fake.classes, number_of_classes
    )


def _agreement(seen: Predictions, labels: Tensor) -> float:
    return float((seen.classes == labels.cpu()).double().mean())


def _class_agreement(seen: Predictions, labels: Tensor, own: Sequence[int]) -> list[float | None]:
    asked = [seen.classes[labels.cpu() == index] == index for index in own]
    return [float(hits.double().mean()) if len(hits) else None for hits in asked]


def _class_recall(
    real: list[Tensor], fake: list[Tensor], floor: list[Tensor]
) -> tuple[list[float | None], list[float | None]]:
    """Recall within each class by its fakes and by its other reals, of which no more are taken than there are fakes."""
    triples = list(zip(real, fake, floor, strict=True))
    return (
        [_of_equally_many(recall, reals, fakes) for reals, fakes, _ in triples],
        [_of_equally_many(recall, reals, others[: len(fakes)]) for reals, fakes, others in triples],
    )


def _by_class(seen: Predictions | None, labels: Tensor | None, own: Sequence[int]) -> list[Tensor]:
    """Return the 128 features of every class: by the labels where there are any, else by what the judge reads."""
    if seen is None:
        return [torch.empty(0, FEATURE_DIM)] * len(own)
    of = seen.classes if labels is None else labels.cpu()
    return [seen.features[of == index] for index in own]


def _of_equally_many(figure: Callable[[Tensor, Tensor], float], real: Tensor, other: Tensor) -> float | None:
    """Compute a figure of as many rows of the one as of the other, drawn by lot, always the same."""
    count = min(len(real), len(other), MOST_FOR_RECALL)
    if count < FEWEST_FOR_RECALL:
        return None
    return figure(_some(real, count), _some(other, count))


def _some(features: Tensor, count: int) -> Tensor:
    return features[torch.randperm(len(features), generator=random_generator("judge", "recall"))[:count]]


def _distance(real: Predictions, fake: Predictions) -> float | None:
    if min(len(real), len(fake)) < FEWEST_FOR_FRECHET:
        return None
    return frechet_distance(real.features, fake.features)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
