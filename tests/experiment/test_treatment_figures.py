"""The figures by which treated runs are compared: lower is better, with an interval of the difference."""

import pytest
import torch

from conftest import small_images
from ganforge.data.load import load
from ganforge.evaluation.features import Features
from ganforge.experiment import treatment_figures as figures
from ganforge.experiment.treatment_figures import FIGURES, Measured, copies, distance, not_as_asked, repeats


def rows(n=200, shift=0.0, seed=0):
    features = torch.randn(n, 8, generator=torch.Generator().manual_seed(seed)) + shift
    labels = torch.arange(n) % 4
    return Features(features, classes=labels.clone(), labels=labels)


REAL, TRAIN = rows(seed=1), rows(seed=2)


def test_the_distance_grows_with_the_shift():
    near, far = (distance(REAL, rows(seed=3, shift=shift), TRAIN) for shift in (0.0, 2.0))
    assert near < 1 < far


def test_labels_that_are_not_followed_count():
    fakes = rows()
    fakes.classes[:50] = (fakes.labels[:50] + 1) % 4
    assert not_as_asked(REAL, fakes, TRAIN) == pytest.approx(0.25)
    assert not_as_asked(REAL, Features(fakes.features, classes=fakes.classes), TRAIN) is None


def test_copies_are_nearer_to_training_pictures_than_others():
    assert copies(REAL, TRAIN, TRAIN) > 0.99
    assert copies(REAL, rows(seed=4), TRAIN) == pytest.approx(0.5, abs=0.1)


def test_repeated_pictures_are_nearer_to_each_other():
    repeated = rows(seed=4)[torch.arange(200) % 5]
    assert repeats(REAL, repeated, TRAIN) > 0.95 > 0.6 > repeats(REAL, rows(seed=4), TRAIN)


def test_a_difference_has_an_interval():
    ours, theirs = (Measured(value, tuple(value + 0.1 * k for k in range(10))) for value in (1.0, 3.0))
    assert ours.better_than(theirs) == pytest.approx((2, 2))
    noisy = Measured(1.5, tuple(1.5 + (-1) ** k for k in range(10)))
    assert noisy.better_than(ours).high < 1 and ours.better_than(noisy).low < 0 < ours.better_than(noisy).high


def test_a_figure_is_measured_on_parts():
    measured = figures._measure(distance, REAL, rows(seed=3), TRAIN, 5)
    assert len(measured.parts) == 5 and measured.value < min(measured.parts)
    assert figures._measure(not_as_asked, REAL, Features(rows().features), TRAIN, 5) is None
    assert {figure for _, figure in FIGURES.values()} == {not_as_asked, copies, repeats}


def test_few_held_out_pictures_are_joined_by_training_pictures_unless_copies_are_searched():
    splits = load(small_images(300))
    held_out = len(splits.test) + len(splits.validation)
    assert len(figures._real_pictures(splits, held_out=True)) == held_out < 320
    assert len(figures._real_pictures(splits, held_out=False)) == 300
