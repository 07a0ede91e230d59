import numpy as np
import pytest
import torch
from scipy import stats

from ganforge.metrics.frechet import frechet_distance
from ganforge.metrics.intervals import Interval, interval_of_splits, proportion_interval, split_interval
from ganforge.metrics.kernel import kernel_distance
from ganforge.metrics.spread import mean_spread, within_class_spread


def draws(seed):
    return np.random.default_rng(seed)


def holds(interval, value):
    return interval.low <= value <= interval.high


def test_split_interval_follows_students_t_by_hand():
    parts = [1.0, 3.0, 2.0, 6.0]
    half = stats.t.ppf(0.975, 3) * np.std(parts, ddof=1) / 2
    assert interval_of_splits(10.0, parts) == pytest.approx(Interval(10 - half, 10 + half))
    assert interval_of_splits(10.0, [4.0, 4.0]) == Interval(10, 10)


def test_an_interval_stays_within_bounds_and_contains_the_estimate():
    parts = [0.9, 1.0, 0.96]
    free = interval_of_splits(0.98, parts)
    assert free.high > 1
    assert interval_of_splits(0.98, parts, (0.0, 1.0)) == (free.low, 1.0)
    assert interval_of_splits(0.01, parts, (0.0, 1.0)).low == 0.0
    assert interval_of_splits(1 + 1e-12, parts, (0.0, 1.0)).high == 1 + 1e-12


@pytest.mark.parametrize("shape", ["normal", "exponential"])
def test_the_interval_of_a_mean_covers_the_truth_in_95_percent(shape):
    random = draws(1)
    samples = [getattr(random, shape)(size=200) for _ in range(1000)]
    truth = {"normal": 0, "exponential": 1}[shape]
    # the share in 1,000 trials at .95 lies within .0207 of it in 99.7 % of cases
    assert np.mean([holds(split_interval(np.mean, x), truth) for x in samples]) == pytest.approx(0.95, abs=0.0207)


def test_the_interval_of_an_unbiased_distance_far_from_zero_covers_the_truth_in_95_percent():
    random, shift = draws(2), 2.0

    def distance(real, fake):
        return kernel_distance(real, fake, degree=1)

    intervals = [
        split_interval(distance, random.normal(size=(200, 2)), random.normal(size=(200, 2)) + shift) for _ in range(400)
    ]
    assert np.mean([holds(interval, shift**2) for interval in intervals]) == pytest.approx(0.95, abs=0.033)


def test_the_interval_is_too_wide_for_equal_distributions():
    random = draws(3)
    pairs = [random.normal(size=(2, 200, 2)) for _ in range(200)]
    intervals = [split_interval(kernel_distance, *pair) for pair in pairs]
    assert np.mean([holds(interval, 0) for interval in intervals]) >= 0.98
    half = np.mean([interval.high - interval.low for interval in intervals]) / 2
    assert half > 1.5 * 1.96 * np.std([kernel_distance(*pair) for pair in pairs])


def test_a_bootstrap_of_a_distance_misses_the_estimate_but_splits_contain_it():
    random = draws(4)
    for _ in range(5):
        real, fake = random.normal(size=(2, 60, 10))
        estimate = frechet_distance(real, fake)
        again = [
            frechet_distance(real[random.integers(0, 60, 60)], fake[random.integers(0, 60, 60)]) for _ in range(200)
        ]
        assert np.quantile(again, 0.025) > estimate, "the whole bootstrap interval lies above"
        assert holds(split_interval(frechet_distance, real, fake, splits=3), estimate)


def test_the_interval_contains_the_estimate_even_if_no_part_is_near_it():
    real, fake = draws(5).normal(size=(2, 100, 8))
    distances = []

    def distance(*clouds):
        distances.append(frechet_distance(*clouds))
        return distances[-1]

    interval = split_interval(distance, real, fake)
    *parts, estimate = distances
    assert min(parts) > 2 * estimate, "ten samples give a distance between any two sets"
    assert (interval.low + interval.high) / 2 == pytest.approx(estimate)


def test_the_parts_are_disjoint_complete_and_reproducible():
    groups = np.arange(103), np.arange(57)
    pairs = []

    def figure(one, other):
        pairs.append((one, other))
        return float(one.mean() + other.mean())

    first = split_interval(figure, *groups, splits=10, estimate=3.0)
    for position, rows in enumerate(groups):
        parts = [pair[position] for pair in pairs]
        assert sorted(np.concatenate(parts)) == rows.tolist()
        assert {len(part) for part in parts} == {len(rows) // 10, len(rows) // 10 + 1}
        assert parts[0].tolist() != rows[: len(parts[0])].tolist(), "ordered files must not give ordered parts"
    assert split_interval(figure, *groups, splits=10, estimate=3.0) == first
    assert (first.low + first.high) / 2 == pytest.approx(3)


def test_groups_are_split_independently_and_parallel_arrays_together():
    rows = np.arange(100)
    calls = []

    def figure(one, other):
        calls.append((one[0].tolist(), one[1].tolist(), other.tolist()))
        return float(len(calls))

    split_interval(figure, (rows, torch.from_numpy(rows)), rows, estimate=0.0)
    assert all(array == tensor for array, tensor, _ in calls)
    assert all(array != other for array, _, other in calls)


def test_a_metric_of_features_and_classes_takes_tuples():
    random = draws(6)
    real, fake = ((random.normal(size=(600, 3)) * by, random.integers(0, 3, 600)) for by in (1.0, 0.5))

    def spread(real, fake):
        return mean_spread(within_class_spread(*real, *fake, number_of_classes=3))

    assert holds(split_interval(spread, real, fake), 0.25)
    assert split_interval(spread, real, fake).high < 0.4


@pytest.mark.parametrize(
    ("groups", "splits", "word"),
    [
        ((np.arange(9),), 10, "10 splits of 9 rows"),
        ((np.arange(9),), 1, "1 splits of 9 rows"),
        (((np.arange(20), np.arange(19)),), 10, r"these have \[19, 20\] rows"),
        ((np.full(20, np.nan),), 10, "finite values: nan"),
        ((), 10, "at least two splits"),
    ],
)
def test_invalid_groups_are_rejected(groups, splits, word):
    with pytest.raises(ValueError, match=word):
        split_interval(lambda *parts: float(np.mean(parts)) if parts else 0.0, *groups, splits=splits)


def test_an_estimate_that_is_not_finite_has_no_interval():
    for estimate, parts in ((np.inf, [1.0, 2.0]), (1.0, [1.0, np.nan]), (1.0, [1.0])):
        with pytest.raises(ValueError, match="at least two splits and finite values"):
            interval_of_splits(estimate, parts)


def test_a_proportion_agrees_with_scipy():
    for hits, n in ((0, 10), (3, 10), (10, 10), (997, 1000), (1, 1)):
        expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
        interval = proportion_interval(hits, n)
        assert interval == pytest.approx((expected.low, expected.high))
        assert interval.low <= hits / n <= interval.high
        assert interval.low >= 0
        assert interval.high <= 1


def test_the_interval_of_a_proportion_near_one_covers_the_truth_in_95_percent():
    # exact, not sampled: over all outcomes of 200 trials at .97
    covers = [holds(proportion_interval(hits, 200), 0.97) for hits in range(201)]
    assert stats.binom.pmf(range(201), 200, 0.97) @ covers == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (3, 2), (-1, 5)])
def test_invalid_proportions_are_rejected(hits, n):
    with pytest.raises(ValueError, match=f"{hits} of {n} is no proportion"):
        proportion_interval(hits, n)
