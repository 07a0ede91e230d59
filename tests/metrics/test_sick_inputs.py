"""Features of known-sick generators: each sickness moves the number that is meant to see it by many intervals.

Five clusters stand for five classes; what an image-level sickness does to a judge's features is tested beside it.
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
CENTRES *= 8 / np.linalg.norm(CENTRES, axis=1, keepdims=True)  # equally far out: the kernel weighs lengths cubed


def drawn(n=N, spread=1.0):
    """What a perfect generator would give: features and their classes."""
    classes = RANDOM.integers(0, CLASSES, n)
    return CENTRES[classes] + spread * RANDOM.normal(size=(n, WIDTH)), classes


TRAIN, REAL, HEALTHY = drawn(10_000), drawn(), drawn()


def without_a_class(cloud):
    features, classes = cloud
    kept = np.flatnonzero(classes != 2)
    return tuple(column[RANDOM.choice(kept, N)] for column in (features, classes))


def half_collapsed(cloud):
    """Every second fake is one picture of its class."""
    features, classes = (column.copy() for column in cloud)
    for label in range(CLASSES):
        rows = np.flatnonzero(classes == label)
        features[rows[::2]] = features[rows[0]]
    return features, classes


SICK = {
    "one row repeated": tuple(column[:1].repeat(N, axis=0) for column in HEALTHY),
    "a class missing": without_a_class(HEALTHY),
    "copied training rows": tuple(column[:N] for column in TRAIN),
    "half collapsed": half_collapsed(HEALTHY),
    "shrunken": drawn(spread=0.7),
    "blurred together": drawn(spread=2.5),
}


def spread(real, fake):
    return mean_spread(within_class_spread(*real, *fake, number_of_classes=CLASSES))


def class_kl(real, fake):
    return mode_coverage(fake[1], CLASSES, np.bincount(real[1], minlength=CLASSES)).reverse_kl


def nearer(real, fake):
    return copying(TRAIN[0], real[0], fake[0]).closer_probability


def of_features(figure):
    return lambda real, fake: figure(real[0], fake[0])


FIGURES = {
    "frechet": of_features(frechet_distance),
    "kernel": of_features(kernel_distance),
    "precision": of_features(precision),
    "recall": of_features(recall),
    "density": of_features(density),
    "coverage": of_features(coverage),
    "spread": spread,
    "class kl": class_kl,
    "copying": nearer,
    "repetition": of_features(repetition),
}


def moved(name, fake):
    """By how many interval widths (of the wider one) a figure of these fakes lies from that of healthy ones."""
    figure = FIGURES[name]
    values = [figure(REAL, cloud) for cloud in (HEALTHY, fake)]
    intervals = [split_interval(figure, REAL, cloud) for cloud in (HEALTHY, fake)]
    return abs(values[1] - values[0]) / max(interval.high - interval.low for interval in intervals)


@pytest.mark.parametrize(
    ("sickness", "name"),
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
def test_a_sickness_moves_the_number_that_is_meant_to_see_it(sickness, name):
    assert moved(name, SICK[sickness]) > 3
