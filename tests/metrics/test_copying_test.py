import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from ganforge.metrics import copying_test, effective_rank, twin_share
from ganforge.metrics.copying_test import one_sided_p

DRAW = np.random.default_rng(3)
TRAIN, HELD_OUT, OTHERS = (DRAW.normal(size=(n, 8)) for n in (500, 500, 250))


def near(rows, count, noise=0.05, seed=0):
    """``count`` rows near to random ones of ``rows``."""
    random = np.random.default_rng(seed)
    return rows[random.integers(len(rows), size=count)] + noise * random.normal(size=(count, rows.shape[1]))


def test_other_reals_are_no_copies():
    values = [copying_test(*np.random.default_rng(seed).normal(size=(3, 300, 8))).p_value for seed in range(200)]
    assert 0.4 < np.mean(values) < 0.6
    assert np.mean(np.array(values) < 0.05) < 0.1
    assert copying_test(TRAIN, HELD_OUT, OTHERS).nearer_to_training == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(("train", "held_out"), [(500, 500), (300, 30), (100, 10)])
def test_copies_are_found_with_few_held_out_images_too(train, held_out):
    test = copying_test(TRAIN[:train], HELD_OUT[:held_out], near(TRAIN[:train], 256))
    assert test.nearer_to_training > 0.9
    assert test.p_value < 1e-4


def test_a_third_of_copies_is_found():
    fakes = np.concatenate([near(TRAIN, 170), OTHERS])
    assert copying_test(TRAIN, HELD_OUT, fakes).p_value < 1e-3


def test_copies_of_held_out_images_have_a_p_value_near_one():
    test = copying_test(TRAIN, HELD_OUT, near(HELD_OUT, 256))
    assert test.p_value > 0.999
    assert test.nearer_to_training < 0.1


def test_equal_fakes_beside_one_training_image_are_no_proof():
    assert copying_test(TRAIN, HELD_OUT, near(TRAIN[:1], 256)).p_value > 0.1


def test_the_share_is_that_of_equal_numbers():
    train, held_out = np.array([[0.0], [10.0], [20.0], [30.0]]), np.array([[1.0], [11.0]])
    # three fakes beside training images, one beside a held-out image: (3.5 / 1.5) · (2 / 4)
    share = copying_test(train, held_out, [[0.1], [10.1], [20.1], [1.1]]).nearer_to_training
    assert share == pytest.approx((3.5 / 1.5 / 2) / (1 + 3.5 / 1.5 / 2))


def test_the_p_value_is_that_of_scipy():
    larger, smaller = DRAW.poisson(1.3, 80).astype(float), DRAW.poisson(1, 50).astype(float)
    expected = mannwhitneyu(larger, smaller, alternative="greater", use_continuity=False, method="asymptotic").pvalue
    assert one_sided_p(larger, smaller) == pytest.approx(expected)
    assert one_sided_p(np.ones(5), np.ones(4)) == 1


def test_twins_are_fakes_nearer_to_each_other_than_reals_ever_are():
    assert twin_share(TRAIN, HELD_OUT) < 0.04
    assert twin_share(TRAIN, np.repeat(HELD_OUT[:250], 2, 0)) == 1
    assert twin_share(TRAIN, np.concatenate([HELD_OUT[:400], HELD_OUT[:50]])) == pytest.approx(100 / 450, abs=0.04)
    with pytest.raises(ValueError, match="needs at least 2 samples"):
        twin_share(TRAIN, OTHERS[:1])


def test_the_effective_rank_counts_directions():
    line = np.outer(np.arange(20), [1.0, 2.0, 3.0])
    assert effective_rank(line) == pytest.approx(1)
    assert effective_rank(np.repeat(OTHERS[:1], 30, 0)) == 0
    square = np.concatenate([np.eye(6), -np.eye(6)])
    assert effective_rank(square) == pytest.approx(6)
    assert effective_rank(square * 1e-6 + 5) == pytest.approx(6, rel=1e-3)
    assert effective_rank(DRAW.normal(size=(5, 40))) == pytest.approx(4, abs=0.2)
