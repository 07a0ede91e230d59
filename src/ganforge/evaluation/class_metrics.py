"""Metrics of the judge's classes, from features of reals and fakes."""

import math
from dataclasses import dataclass

from torch import Tensor

from ganforge.evaluation.features import Features
from ganforge.metrics.arrays import Floats
from ganforge.metrics.modes import class_shares, classes_among, label_agreement
from ganforge.metrics.neighbours import recall
from ganforge.metrics.spread import within_class_spread
from ganforge.metrics.thresholds import CONFIDENT, FEWEST_FOR_RECALL


@dataclass(frozen=True)
class ClassRow:
    """Metrics of one class; None where one cannot be measured.

    Attributes:
        share: share of all fakes that the judge assigns to this class; ``real_share`` the same of the reals.
        agreement: share of the fakes requested of this class that the judge assigns to it.
        spread: variance within the class, relative to the reals.
        recall: recall of its reals by its fakes; ``recall_real_reference`` the same by other reals.
    """

    name: str
    share: float
    real_share: float
    agreement: float | None = None
    spread: float | None = None
    recall: float | None = None
    recall_real_reference: float | None = None


def shares_of(features: Features, classes: int, threshold: float = CONFIDENT) -> Floats:
    """Return the share of all images that the judge assigns to each class with confidence ≥ ``threshold``."""
    assert features.classes is not None
    assert features.confidence is not None
    return class_shares(features.classes, features.confidence, classes, threshold)


def agreement(features: Features) -> float | None:
    """Return the share of images whose predicted class is their label; None without labels."""
    if features.labels is None or features.classes is None:
        return None
    return label_agreement(features.classes, features.labels)


def class_agreement(features: Features, k: int) -> float | None:
    """Return the label agreement of the images with label ``k``; None if there are none."""
    if features.labels is None or features.classes is None:
        return None
    rows = features.labels.cpu() == k
    return label_agreement(features.classes[rows], features.labels.cpu()[rows]) if bool(rows.any()) else None


def class_spread(real: Features, fake: Features, classes: int) -> Floats:
    """Return the spread within each class, by predicted class; NaN where it is undefined."""
    columns = (real.spread_features, real.classes, fake.spread_features, fake.classes)
    of_real, real_classes, of_fake, fake_classes = (column for column in columns if column is not None)
    return within_class_spread(of_real, real_classes, of_fake, fake_classes, classes)


def features_of_class(features: Features, k: int) -> Tensor:
    """Return the features [N, F] of class ``k``, by label where there are labels, else by predicted class."""
    classes = features.labels if features.labels is not None else features.classes
    assert classes is not None
    return features.features[classes.cpu() == k]


def none_if_nan(value: float) -> float | None:
    """Return the value, or None for NaN, which JSON cannot hold."""
    return None if math.isnan(value) else value


def class_rows(real: Features, fake: Features, others: Features, names: tuple[str, ...]) -> tuple[ClassRow, ...]:
    """Compute the metrics of every class, by requested label where there is one, else by predicted class.

    Args:
        real: the reals.
        fake: the fakes.
        others: other reals in the place of the fakes.
        names: of the judge's classes; without names there are no rows.
    """
    if not names:
        return ()
    spread = class_spread(real, fake, len(names)).tolist()
    shares, real_shares = (shares_of(features, len(names), 0.0).tolist() for features in (fake, real))
    rows = []
    for k in classes_among(shares_of(real, len(names)), real.labels):
        reals, fakes, other_reals = (features_of_class(features, k) for features in (real, fake, others))
        rows.append(
            ClassRow(
                names[k],
                shares[k],
                real_shares[k],
                class_agreement(fake, k),
                none_if_nan(spread[k]),
                _recall(reals, fakes),
                _recall(reals, other_reals[: len(fakes)]),
            )
        )
    return tuple(rows)


def _recall(real: Tensor, fake: Tensor) -> float | None:
    count = min(len(real), len(fake))
    return recall(real[:count], fake[:count]) if count >= FEWEST_FOR_RECALL else None
