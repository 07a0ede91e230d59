import math

import numpy as np
import pytest
from scipy import stats

from ganforge.metrics.paired import paired_difference


def test_the_standard_error_counts_seeds_and_images():
    one, other = np.zeros((3, 4)), np.zeros((3, 4))
    one[0, 0] = one[1, 0] = one[2, 1] = 1
    result = paired_difference(one, other)
    of_seeds, of_images = [1 / 4, 1 / 4, 1 / 4], [2 / 3, 1 / 3, 0, 0]
    variance = np.var(of_seeds, ddof=1) / 3 + np.var(of_images, ddof=1) / 4
    assert result.difference == pytest.approx(1 / 4)
    assert result.standard_error == pytest.approx(math.sqrt(variance))
    # the seeds agree, so the degrees of freedom are those of the images
    assert result.p_value == pytest.approx(2 * stats.t.sf(0.25 / math.sqrt(variance), 3))
    assert result.high - 0.25 == pytest.approx(stats.t.ppf(0.975, 3) * math.sqrt(variance))


def test_a_shared_difficulty_of_images_cancels():
    hard = np.zeros((3, 100))
    hard[:, :40] = 1
    better = hard.copy()
    better[:, :10] = 0
    result = paired_difference(better, hard)
    assert result.difference == pytest.approx(-0.1) and result.high < 0
    assert paired_difference(hard, hard) == (0, 0, 0, 0, 1)


def test_the_interval_covers_the_truth_for_noise_of_seeds_and_of_images():
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        seeds, images = random.normal(0, 0.1, (3, 1)), random.normal(0, 1, (1, 50))
        result = paired_difference(seeds + images + random.normal(0, 0.5, (3, 50)), np.zeros((3, 50)))
        covered += result.low <= 0 <= result.high
    assert covered >= 180


def test_arrays_of_other_shapes_are_refused():
    for one, other in (((3, 4), (3, 5)), ((1, 4), (1, 4)), ((12,), (12,))):
        with pytest.raises(ValueError, match="equal shapes"):
            paired_difference(np.zeros(one), np.zeros(other))
