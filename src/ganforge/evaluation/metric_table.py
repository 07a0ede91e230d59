"""The metrics of an evaluation: names, ideals, worst cases, and their computation from features."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganforge.evaluation.class_metrics import agreement, class_spread, shares_of
from ganforge.evaluation.features import Features
from ganforge.metrics.frechet import frechet_distance
from ganforge.metrics.intervals import Interval, interval_of_splits, proportion_interval
from ganforge.metrics.kernel import kernel_distance
from ganforge.metrics.memorisation import closer_probability, exact_copies, nearest_distances, repetition
from ganforge.metrics.modes import classes_among, classes_present, confident_share, reverse_kl
from ganforge.metrics.neighbours import neighbourhood
from ganforge.metrics.spread import mean_spread
from ganforge.randomness import random_generator

SPLITS = 10
"""Disjoint parts of the images, from which the intervals are estimated."""
SHARE = (0.0, 1.0)


@dataclass(frozen=True)
class MetricSpec:
    """Description of a metric.

    Attributes:
        title: name in tables.
        better: ideal value: ``low``, ``high``, ``1`` or ``half`` (0.5).
        worst_case: the worst possible fakes, whose value is the second reference.
        about: meaning in a few words.
        within: smallest and largest possible value.
    """

    title: str
    better: str
    worst_case: str = "noise"
    about: str = ""
    within: tuple[float, float] = (0.0, math.inf)


LAST_FRAME = "copies of the last frame"

METRICS = {
    "frechet_distance": MetricSpec(
        "Fréchet distance", "low", about="distance between the feature distributions of fakes and reals"
    ),
    "kernel_distance": MetricSpec(
        "kernel distance", "low", about="the same without a Gaussian assumption; unbiased", within=(-math.inf, math.inf)
    ),
    "precision": MetricSpec("precision", "high", about="share of fakes that resemble a real", within=SHARE),
    "density": MetricSpec("density", "high", about="precision, robust to outliers among the reals"),
    "recall": MetricSpec(
        "recall", "high", "one picture of each class", "share of reals that resemble a fake", within=SHARE
    ),
    "coverage": MetricSpec(
        "coverage", "high", "one picture of each class", "recall, robust to outliers among the fakes", within=SHARE
    ),
    "confident": MetricSpec(
        "read surely", "high", about="fakes that the judge classifies with confidence ≥ 0.8", within=SHARE
    ),
    "class_spread": MetricSpec(
        "spread in a class", "1", "one picture of each class", "variance within a class, relative to reals"
    ),
    "classes_present": MetricSpec(
        "classes present", "high", about="classes with at least 0.3 of their share among reals"
    ),
    "class_reverse_kl": MetricSpec(
        "class reverse KL", "low", about="KL divergence of predicted class shares from those of reals"
    ),
    "label_agreement": MetricSpec(
        "label agreement", "high", about="fakes classified as the requested label", within=SHARE
    ),
    "swap_changed": MetricSpec(
        "label swap: changed", "high", about="same noise, two labels: both classified as requested", within=SHARE
    ),
    "swap_kept": MetricSpec(
        "label swap: style kept",
        "high",
        about="same noise, two labels: correlation of ink, width, height, slant",
        within=(-1.0, 1.0),
    ),
    "copying": MetricSpec(
        "copying",
        "half",
        "training images",
        "probability that a fake is nearer to a training image than a real is",
        within=SHARE,
    ),
    "copies": MetricSpec(
        "exact copies", "low", "training images", "fakes with the features of a training image", within=SHARE
    ),
    "repetition": MetricSpec(
        "repetition",
        "half",
        "one picture of each class",
        "probability that a fake is nearer to another fake than a real to another real",
        within=SHARE,
    ),
    "psnr": MetricSpec("PSNR (dB)", "high", about="squared error of one result against the true picture"),
    "psnr_of_best": MetricSpec("PSNR, best of 8", "high", about="PSNR of that of eight results nearest to the truth"),
    "psnr_of_mean": MetricSpec("PSNR, mean of 8", "high", about="PSNR of the mean of eight results"),
    "psnr_of_mean_64": MetricSpec(
        "PSNR, mean of 64", "high", about="PSNR of the mean of 64 results, on the first 1,000 conditions"
    ),
    "ssim": MetricSpec("SSIM", "high", about="structural similarity of one result to the true picture", within=(-1, 1)),
    "input_error": MetricSpec(
        "input error", "low", about="mean difference, in grey levels, of the result's condition from the given one"
    ),
    "colourfulness": MetricSpec("colourfulness", "1", about="colourfulness of results, relative to real pictures"),
    "averaging_gain": MetricSpec(
        "gain of the mean", "high", about="dB that the mean of eight results gains over one; right draws gain 2.50"
    ),
    "draws_differ": MetricSpec("draws differ", "high", about="mean difference of two results, of the whole range"),
    "vote": MetricSpec("agreement by vote", "high", about="the class that most of eight results show", within=SHARE),
    "told_apart": MetricSpec(
        "told apart",
        "half",
        about="single results and real pictures that a fresh classifier tells rightly",
        within=SHARE,
    ),
    "frame_mse": MetricSpec(
        "MSE of a frame", "low", LAST_FRAME, "squared error summed over a frame, mean of new frames and clips"
    ),
    **{
        f"frame_mse_{count}": MetricSpec(f"MSE, frame {count}", "low", LAST_FRAME, "the same of that new frame alone")
        for count in (1, 2, 5, 10)
    },
    "frame_ssim": MetricSpec(
        "SSIM of a frame", "high", LAST_FRAME, "structural similarity, window of 7, mean of new frames", (-1, 1)
    ),
    "frame_ssim_1": MetricSpec("SSIM, frame 1", "high", LAST_FRAME, "the same of the first new frame", (-1, 1)),
    "sharpness": MetricSpec(
        "sharpness", "1", LAST_FRAME, "mean gradient magnitude of the last new frame, relative to true ones"
    ),
    "train_on_generated": MetricSpec(
        "trained on fakes", "high", about="accuracy on reals of a classifier trained on fakes", within=SHARE
    ),
    "test_on_generated": MetricSpec(
        "tested on fakes", "high", about="accuracy on fakes of a classifier trained on reals", within=SHARE
    ),
}
"""All metrics by name, in the order of the table."""

Values = dict[str, float]
Estimates = dict[str, tuple[float, Interval | None]]
"""Values by metric name, each with its interval or None."""


@dataclass(frozen=True)
class MetricValue:
    """Value of a metric for the fakes, with reference values.

    Attributes:
        value: the estimate.
        interval: 95 % interval around the estimate, or None.
        real_reference: value of other reals instead of the fakes, as a perfect generator would reach.
        worst_case: value of the worst possible fakes, which ``MetricSpec.worst_case`` names.
        n: number of fakes.
    """

    name: str
    value: float
    interval: Interval | None = None
    real_reference: float | None = None
    worst_case: float | None = None
    n: int = 0


def compute_metrics(real: Features, fake: Features, classes: int) -> Values:
    """Compute the metrics that need only two feature sets of equal length; NaN where one is undefined."""
    neighbour_metrics = neighbourhood(real.features, fake.features)
    values = {
        "frechet_distance": frechet_distance(real.features, fake.features),
        "kernel_distance": kernel_distance(real.features, fake.features),
        **{name: getattr(neighbour_metrics, name) for name in ("precision", "density", "recall", "coverage")},
        "repetition": repetition(real.features, fake.features),
    }
    if fake.classes is None or real.classes is None:
        return values
    shares, real_shares = (shares_of(features, classes) for features in (fake, real))
    predicted_shares, real_predicted_shares = (shares_of(features, classes, threshold=0.0) for features in (fake, real))
    assert fake.confidence is not None
    values["confident"] = confident_share(fake.confidence)
    values["class_spread"] = mean_spread(class_spread(real, fake, classes))
    values["classes_present"] = float(classes_present(shares, real_shares, classes_among(real_shares, real.labels)))
    values["class_reverse_kl"] = reverse_kl(predicted_shares, real_predicted_shares)
    if (agreed := agreement(fake)) is not None:
        values["label_agreement"] = agreed
    return values


def metrics_with_intervals(real: Features, fake: Features, classes: int) -> Estimates:
    """Compute these metrics with 95 % intervals, from their values on ten disjoint tenths of reals and fakes."""
    values = compute_metrics(real, fake, classes)
    permutations = [
        torch.randperm(len(features), generator=random_generator("splits", len(features))) for features in (real, fake)
    ]
    tenths = [permutation.tensor_split(SPLITS) for permutation in permutations]
    parts = [compute_metrics(real[a], fake[b], classes) for a, b in zip(*tenths, strict=True)]
    metrics: Estimates = {}
    for name, value in values.items():
        if math.isnan(value):
            continue
        part_values = [part[name] for part in parts]
        has_interval = name != "classes_present" and all(math.isfinite(part) for part in part_values)
        metrics[name] = value, interval_of_splits(value, part_values, METRICS[name].within) if has_interval else None
    for name in {"label_agreement", "confident"} & metrics.keys():
        share = metrics[name][0]
        metrics[name] = share, proportion_interval(round(share * len(fake)), len(fake))
    return metrics


def copying_metrics(train: Tensor, held_out: Tensor, fake: Tensor) -> Estimates:
    """Compute the copying metrics: distances from fakes to training images, compared with held-out reals."""
    held_out_distances, distances = (nearest_distances(features, train)[0] for features in (held_out, fake))
    parts = zip(np.array_split(distances, SPLITS), np.array_split(held_out_distances, SPLITS), strict=True)
    probability = closer_probability(distances, held_out_distances)
    copies = int(exact_copies(distances, train).sum())
    return {
        "copying": (probability, interval_of_splits(probability, [closer_probability(*pair) for pair in parts], SHARE)),
        "copies": (copies / len(distances), proportion_interval(copies, len(distances))),
    }
