"""Synthetic features of defective generators: each defect changes its metrics by many interval widths.

Five clusters stand for five classes. tests/evaluation covers defects of images, seen through a judge's features.
"""

import numpy as np
import pytest

from ganforge.metrics import (
    copying,
    coverage,
    density,
    frechet_distance,
    kernel_distance,
    mean_spread,
    mode_coverage,
    precision,
    recall,
    repetition,
    split_interval,
    within_class_spread,
)

CLASSES, WIDTH, N = 5, 8, 5000
RANDOM = np.random.default_rng(1)
CENTRES = RANDOM.normal(size=(CLASSES, WIDTH))
CENTRES *= 8 / np.linalg.norm(CENTRES, axis=1, keepdims=True)  # equal lengths, because the kernel cubes products


def sample(n=N, spread=1.0):
    """Return features and classes of a perfect generator."""
    classes = RANDOM.integers(0, CLASSES, n)
    return CENTRES[classes] + spread * RANDOM.normal(size=(n, WIDTH)), classes


TRAIN, REAL, HEALTHY = sample(10_000), sample(), sample()


def without_a_class(cloud):
    features, classes = cloud
    rows = np.flatnonzero(classes != 2)
    return tuple(column[RANDOM.choice(rows, N)] for column in (features, classes))


def half_collapsed(cloud):
    """Replace every second sample of a class by the same one."""
    features, classes = (column.copy() for column in cloud)
    for label in range(CLASSES):
        rows = np.flatnonzero(classes == label)
        features[rows[::2]] = features[rows[0]]
    return features, classes


DEFECTS = {
    "one row repeated": tuple(column[:1].repeat(N, axis=0) for column in HEALTHY),
    "a class missing": without_a_class(HEALTHY),
    "copied training rows": tuple(column[:N] for column in TRAIN),
    "half collapsed": half_collapsed(HEALTHY),
    "shrunken": sample(spread=0.7),
    "blurred together": sample(spread=2.5),
}


def spread(real, fake):
    return mean_spread(within_class_spread(*real, *fake, number_of_classes=CLASSES))


def class_kl(real, fake):
    return mode_coverage(fake[1], CLASSES, np.bincount(real[1], minlength=CLASSES)).reverse_kl


def closer(real, fake):
    return copying(TRAIN[0], real[0], fake[0]).closer_probability


def of_features(figure):
    return lambda real, fake: figure(real[0], fake[0])


METRICS = {
    "frechet": of_features(frechet_distance),
    "kernel": of_features(kernel_distance),
    "precision": of_features(precision),
    "recall": of_features(recall),
    "density": of_features(density),
    "coverage": of_features(coverage),
    "spread": spread,
    "class kl": class_kl,
    "copying": closer,
    "repetition": of_features(repetition),
}


def change(name, fake):
    """Return the difference of a metric from that of healthy fakes, in widths of the wider interval."""
    figure = METRICS[name]
    values = [figure(REAL, cloud) for cloud in (HEALTHY, fake)]
    intervals = [split_interval(figure, REAL, cloud) for cloud in (HEALTHY, fake)]
    return abs(values[1] - values[0]) / max(interval.high - interval.low for interval in intervals)


@pytest.mark.parametrize(
    ("defect", "name"),
    [
        ("one row repeated", "frechet"),
        ("one row repeated", "kernel"),
        ("one row repeated", "recall"),
        ("one row repeated", "coverage"),
        ("one row repeated", "class kl"),
        ("one row repeated", "repetition"),
        ("half collapsed", "repetition"),
        ("a class missing", "frechet"),
        ("a class missing", "kernel"),
        ("a class missing", "recall"),
        ("a class missing", "coverage"),
        ("a class missing", "class kl"),
        ("copied training rows", "copying"),
        ("half collapsed", "spread"),
        ("half collapsed", "coverage"),
        ("shrunken", "spread"),
        ("shrunken", "recall"),
        ("shrunken", "density"),
        ("blurred together", "precision"),
        ("blurred together", "density"),
        ("blurred together", "frechet"),
        ("blurred together", "spread"),
    ],
)
def test_a_defect_changes_the_metric_that_must_detect_it(defect, name):
    assert change(name, DEFECTS[defect]) > 3
