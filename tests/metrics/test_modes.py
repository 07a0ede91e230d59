import numpy as np
import pytest
import torch
from scipy.stats import entropy

from ganforge.metrics.modes import (
    class_shares,
    classes_among,
    classes_present,
    confident_share,
    label_agreement,
    mode_coverage,
    reverse_kl,
)


def test_class_shares_count_confident_samples_over_all_samples():
    classes, confidence = torch.tensor([0, 0, 2, 2]), torch.tensor([0.9, 0.8, 0.79, 0.99])
    assert class_shares(classes, confidence, 4).tolist() == [0.5, 0.0, 0.25, 0.0]


def test_threshold_zero_counts_every_sample():
    assert class_shares([0, 1, 1, 3], np.zeros(4), 4, threshold=0.0).sum() == 1


@pytest.mark.parametrize(
    ("classes", "confidence", "word"),
    [
        ([], [], "at least 1"),
        ([1, 2], [0.5], "same length"),
        ([0, 5], [1.0, 1.0], "0 to 5"),
        ([-1, 0], [1, 1], "-1 to 0"),
        ([0.0, 1.5], [1, 1], "whole numbers"),
    ],
)
def test_invalid_classes_or_confidences_are_rejected(classes, confidence, word):
    with pytest.raises(ValueError, match=word):
        class_shares(classes, confidence, 5)


def test_reverse_kl_follows_the_closed_form_and_is_not_symmetric():
    # .5 ln(.5/.25) + .5 ln(.5/.75) one way, .25 ln(.25/.5) + .75 ln(.75/.5) the other
    assert reverse_kl([0.5, 0.5], [0.25, 0.75]) == pytest.approx(np.log(2) - np.log(3) / 2)
    assert reverse_kl([0.25, 0.75], [0.5, 0.5]) == pytest.approx(0.75 * np.log(3) - np.log(2))


def test_reverse_kl_agrees_with_scipy_on_counts_of_any_sum():
    random = np.random.default_rng(1)
    fakes, reals = random.integers(0, 9, 50), random.integers(1, 99, 50)
    assert reverse_kl(fakes, reals) == pytest.approx(entropy(fakes, reals))
    assert reverse_kl(torch.from_numpy(fakes) * 7, reals / 3) == pytest.approx(entropy(fakes, reals))


def test_a_missing_class_adds_nothing_and_an_extra_class_is_infinite():
    assert reverse_kl([1, 0], [0.5, 0.5]) == pytest.approx(np.log(2))
    assert reverse_kl([1, 0, 0], [1, 0, 0]) == 0
    assert reverse_kl([0.5, 0.5], [1, 0]) == np.inf


def test_equal_shares_give_zero_and_never_less():
    thirds = np.full(3, 1 / 3)
    assert reverse_kl(thirds, thirds * 0.7) == pytest.approx(0, abs=1e-15)
    assert all(reverse_kl(shares, shares * 3) >= 0 for shares in np.random.default_rng(2).random((200, 7)))


@pytest.mark.parametrize(
    ("shares", "reference", "word"),
    [
        ([1, 2], [1, 2, 3], "must both be"),
        ([0, 0], [1, 1], "not all 0"),
        ([1, 1], [0, 0], "not all 0"),
        ([-1, 2], [1, 1], "0 or more"),
        ([np.nan, 1], [1, 1], "finite"),
        ([np.inf, 1], [1, 1], "finite"),
        ([[1, 1]], [[1, 1]], "must both be"),
    ],
)
def test_invalid_shares_are_rejected(shares, reference, word):
    with pytest.raises(ValueError, match=word):
        reverse_kl(shares, reference)


def test_modes_with_a_sample_are_counted_and_samples_without_mode_ignored():
    coverage = mode_coverage([0, 0, 3, -1, 3, -1], 4)
    assert coverage == (2, pytest.approx(np.log(2)))
    assert mode_coverage(torch.arange(4), 4) == (4, 0)
    assert mode_coverage([1, 1], 4) == (1, pytest.approx(np.log(4)))


def test_modes_are_compared_with_given_shares():
    assert mode_coverage([0, 0, 1], 3, reference=[2, 1, 0]) == (2, pytest.approx(0, abs=1e-15))
    assert mode_coverage([0, 0, 1], 3, reference=[1, 0, 1]) == (2, np.inf)


@pytest.mark.parametrize("modes", [[], [-1, -1], torch.empty(0, dtype=torch.int64)])
def test_without_samples_in_a_mode_the_count_is_zero_and_the_kl_infinite(modes):
    assert mode_coverage(modes, 5) == (0, np.inf)


@pytest.mark.parametrize(
    ("modes", "reference", "word"),
    [
        ([0, 5], None, "0 to 5, outside -1 to 4"),
        ([-2, 0], None, "-2 to 0"),
        ([0.0, 1.0], None, "whole numbers"),
        ([[0, 1]], None, r"\[1, 2\]"),
        ([0, 1], [1, 1], "5 modes need as many shares"),
        ([], [1, 1], "5 modes need as many shares"),
    ],
)
def test_invalid_modes_are_rejected(modes, reference, word):
    with pytest.raises(ValueError, match=word):
        mode_coverage(modes, 5, reference)


@pytest.mark.parametrize(("n", "floor"), [(26_000, 0.0194), (50_000, 0.0101)])
def test_a_perfect_generator_over_1000_modes_has_the_floor_of_the_scorecard(n, floor):
    random = np.random.default_rng(3)
    coverages = [mode_coverage(random.integers(0, 1000, n), 1000) for _ in range(40)]
    assert {each.modes for each in coverages} == {1000}
    kl = np.mean([each.reverse_kl for each in coverages])
    # (K − 1)/2N is the first term of the bias, the second is smaller by about K/6N
    assert kl == pytest.approx(floor, abs=0.0002)
    assert kl == pytest.approx(999 / (2 * n), rel=0.02)


def test_classes_of_reals_are_their_labels_or_the_frequent_predictions():
    shares = np.array([0.5, 0.4, 0.02, 0.08])
    assert classes_among(shares) == [0, 1, 3], "a tenth of an equal share is .025"
    assert classes_among(shares, np.array([2, 0, 2, -1])) == [0, 2]
    assert classes_among(np.zeros(3)) == [0, 1, 2]


def test_a_class_is_present_from_three_tenths_of_its_share_among_reals():
    real_shares = np.array([0.5, 0.3, 0.2, 0.0])
    assert classes_present(np.array([0.15, 0.08, 0.9, 0.0]), real_shares, [0, 1, 2, 3]) == 2
    assert classes_present(np.array([0.15, 0.08, 0.9, 0.0]), real_shares, [1]) == 0


def test_shares_of_confident_and_of_correct_predictions():
    assert confident_share([0.8, 0.79, 1.0, 0.1]) == 0.5
    assert label_agreement(torch.tensor([1, 2, 3]), torch.tensor([1, 0, 3])) == pytest.approx(2 / 3)
