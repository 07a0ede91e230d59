"""All figures of one set of fakes beside reals, each with what it would be for perfect and for hopeless fakes."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganforge.evaluation.features import Features
from ganforge.judge.measure import classes_among, present
from ganforge.metrics.arrays import Floats
from ganforge.metrics.frechet import frechet_distance
from ganforge.metrics.intervals import Interval, interval_of_splits, proportion_interval
from ganforge.metrics.kernel import kernel_distance
from ganforge.metrics.memorisation import closer_probability, exact_copies, nearest_distances, repetition
from ganforge.metrics.modes import class_shares, reverse_kl
from ganforge.metrics.neighbours import neighbourhood, recall
from ganforge.metrics.spread import mean_spread, within_class_spread
from ganforge.randomness import random_generator

SPLITS = 10
FEWEST = 100
"""Pictures on a side below which nothing is measured: ten splits of ten."""
FEWEST_FOR_RECALL = 50
CONFIDENT = 0.8
SHARE = (0.0, 1.0)


@dataclass(frozen=True)
class MetricSpec:
    """What a figure is called, where it should be, which hopeless fakes give its ceiling, and where it can lie."""

    title: str
    better: str
    bad: str = "noise"
    about: str = ""
    within: tuple[float, float] = (0.0, math.inf)


METRICS = {
    "frechet_distance": MetricSpec(
        "Fréchet distance", "low", about="how far the cloud of fakes lies from that of reals"
    ),
    "kernel_distance": MetricSpec(
        "kernel distance", "low", about="the same without assuming a Gaussian; unbiased", within=(-math.inf, math.inf)
    ),
    "precision": MetricSpec("precision", "high", about="fakes that could be real ones", within=SHARE),
    "density": MetricSpec("density", "high", about="precision that a stray real cannot lift"),
    "recall": MetricSpec("recall", "high", "one picture of each class", "reals that could be fakes", within=SHARE),
    "coverage": MetricSpec(
        "coverage", "high", "one picture of each class", "recall that a stray fake cannot lift", within=SHARE
    ),
    "confident": MetricSpec(
        "read surely", "high", about="pictures of which the judge is at least 80 % sure", within=SHARE
    ),
    "class_spread": MetricSpec("spread in a class", "1", "one picture of each class", "variance beside that of reals"),
    "classes_present": MetricSpec("classes present", "high", about="with at least .3 of their share among reals"),
    "class_reverse_kl": MetricSpec(
        "class reverse KL", "low", about="how uneven the classes come, as the judge reads them"
    ),
    "label_agreement": MetricSpec(
        "label agreement", "high", about="pictures read as the class that was asked for", within=SHARE
    ),
    "swap_changed": MetricSpec(
        "label swap: changed", "high", about="same noise, other label: read as both were asked", within=SHARE
    ),
    "swap_kept": MetricSpec(
        "label swap: style kept",
        "high",
        about="correlation of ink, width, height, slant of the two",
        within=(-1.0, 1.0),
    ),
    "copying": MetricSpec(
        "copying", "half", "training images", "chance that a fake lies nearer to training than a real", within=SHARE
    ),
    "copies": MetricSpec(
        "exact copies", "low", "training images", "fakes with the features of a training image", within=SHARE
    ),
    "repetition": MetricSpec(
        "repetition",
        "half",
        "one picture of each class",
        "chance that two fakes lie nearer than two reals",
        within=SHARE,
    ),
    "train_on_generated": MetricSpec(
        "trained on fakes", "high", about="accuracy on reals of a net that learned from fakes", within=SHARE
    ),
    "test_on_generated": MetricSpec(
        "tested on fakes", "high", about="accuracy on fakes of a net that learned from reals", within=SHARE
    ),
}
"""Every figure by name, in the order of the table."""

Values = dict[str, float]
Found = dict[str, tuple[float, Interval | None]]
"""Figures by name, with their intervals where these are known."""


@dataclass(frozen=True)
class Figure:
    """One figure: its value for the fakes, and what the value would be for others.

    Attributes:
        value: the estimate.
        interval: its 95 % interval, which holds it; None where it has none.
        floor: the same figure of other reals in the place of the fakes: what a perfect generator would get.
        ceiling: the same figure of the hopeless fakes that ``Kind.bad`` names.
        n: pictures it was measured on.
    """

    name: str
    value: float
    interval: Interval | None = None
    floor: float | None = None
    ceiling: float | None = None
    n: int = 0


def compute_metrics(real: Features, fake: Features, classes: int) -> Values:
    """Compute every figure that needs only two views, of equal lengths; NaN where one cannot be given."""
    near = neighbourhood(real.features, fake.features)
    values = {
        "frechet_distance": frechet_distance(real.features, fake.features),
        "kernel_distance": kernel_distance(real.features, fake.features),
        **{name: getattr(near, name) for name in ("precision", "density", "recall", "coverage")},
        "repetition": repetition(real.features, fake.features),
    }
    if fake.classes is None or real.classes is None:
        return values
    shares, real_shares = (shares_of(view, classes) for view in (fake, real))
    read, real_read = (shares_of(view, classes, threshold=0.0) for view in (fake, real))
    assert fake.confidence is not None
    values["confident"] = float((fake.confidence >= CONFIDENT).double().mean())
    values["class_spread"] = mean_spread(class_spread(real, fake, classes))
    values["classes_present"] = float(present(shares, real_shares, classes_among(real_shares, real.labels)))
    values["class_reverse_kl"] = reverse_kl(read, real_read)
    if fake.labels is not None:
        values["label_agreement"] = float((fake.classes == fake.labels.cpu()).double().mean())
    return values


def plain_figures(real: Features, fake: Features, classes: int) -> Found:
    """Compute them with their 95 % intervals, from the same figures of ten disjoint tenths of both sides."""
    values = compute_metrics(real, fake, classes)
    lots = [torch.randperm(len(view), generator=random_generator("splits", len(view))) for view in (real, fake)]
    tenths = [lot.tensor_split(SPLITS) for lot in lots]
    parts = [compute_metrics(real[a], fake[b], classes) for a, b in zip(*tenths, strict=True)]
    found: Found = {}
    for name, value in values.items():
        if math.isnan(value):
            continue
        of_parts = [part[name] for part in parts]
        known = name != "classes_present" and all(math.isfinite(part) for part in of_parts)
        found[name] = value, interval_of_splits(value, of_parts, METRICS[name].within) if known else None
    for name in {"label_agreement", "confident"} & found.keys():
        share = found[name][0]
        found[name] = share, proportion_interval(round(share * len(fake)), len(fake))
    return found


def copying_figures(train: Tensor, held_out: Tensor, fake: Tensor) -> Found:
    """Compute the figures of copying, from features: how near fakes lie to training images, beside held-out reals."""
    held, distances = (nearest_distances(features, train)[0] for features in (held_out, fake))
    parts = zip(np.array_split(distances, SPLITS), np.array_split(held, SPLITS), strict=True)
    nearer = closer_probability(distances, held)
    exact = int(exact_copies(distances, train).sum())
    return {
        "copying": (nearer, interval_of_splits(nearer, [closer_probability(*part) for part in parts], SHARE)),
        "copies": (exact / len(distances), proportion_interval(exact, len(distances))),
    }


def shares_of(view: Features, classes: int, threshold: float = CONFIDENT) -> Floats:
    """Return the share of all pictures that are read as each class with so much confidence."""
    assert view.classes is not None
    assert view.confidence is not None
    return class_shares(view.classes, view.confidence, classes, threshold)


def class_spread(real: Features, fake: Features, classes: int) -> Floats:
    """Return the spread within each class, by the class that is read."""
    columns = (real.spread_features, real.classes, fake.spread_features, fake.classes)
    of_real, real_classes, of_fake, fake_classes = (column for column in columns if column is not None)
    return within_class_spread(of_real, real_classes, of_fake, fake_classes, classes)


@dataclass(frozen=True)
class ClassRow:
    """What was found of one class; None where it could not be measured.

    Attributes:
        share: of all fakes, read as this class; ``real_share`` the same of the reals.
        agreement: share of the fakes asked for this class that are read as it.
        spread: variance within the class beside that of the reals.
        recall: within the class, of its reals; ``recall_floor`` the same by other reals.
    """

    name: str
    share: float
    real_share: float
    agreement: float | None = None
    spread: float | None = None
    recall: float | None = None
    recall_floor: float | None = None


def class_figures(real: Features, fake: Features, floor: Features, names: tuple[str, ...]) -> tuple[ClassRow, ...]:
    """Compute the figures of every class; by the class that was asked for where it was, else by what is read."""
    if not names:
        return ()
    assert fake.classes is not None
    spread = class_spread(real, fake, len(names)).tolist()
    shares, real_shares = (shares_of(view, len(names), 0.0).tolist() for view in (fake, real))
    rows = []
    for k in classes_among(shares_of(real, len(names)), real.labels):
        reals, fakes, others = (_of_class(view, k) for view in (real, fake, floor))
        asked = fake.classes[fake.labels == k] if fake.labels is not None else fake.classes[:0]
        rows.append(
            ClassRow(
                names[k],
                shares[k],
                real_shares[k],
                float((asked == k).double().mean()) if len(asked) else None,
                None if math.isnan(spread[k]) else spread[k],
                _recall(reals, fakes),
                _recall(reals, others[: len(fakes)]),
            )
        )
    return tuple(rows)


def _of_class(view: Features, k: int) -> Tensor:
    of = view.labels if view.labels is not None else view.classes
    return view.features[of == k]


def _recall(real: Tensor, fake: Tensor) -> float | None:
    count = min(len(real), len(fake))
    return recall(real[:count], fake[:count]) if count >= FEWEST_FOR_RECALL else None
