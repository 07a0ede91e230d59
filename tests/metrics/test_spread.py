import numpy as np
import pytest

from ganforge.metrics.spread import mean_spread, total_spread, within_class_spread

CLASSES = np.repeat([0, 1, 2], 20)
REAL = np.random.default_rng(1).normal(size=(60, 5)) + 10 * CLASSES[:, None]


def shrunk(by):
    means = REAL.reshape(3, 20, 5).mean(1).repeat(20, axis=0)
    return means + (REAL - means) * by


def spread(fake, fake_classes=CLASSES):
    return within_class_spread(REAL, CLASSES, fake, fake_classes, 3)


@pytest.mark.parametrize("by", [0.0, 0.5, 1.0, 2.0])
def test_shrinking_by_a_factor_changes_the_spread_by_its_square(by):
    assert spread(shrunk(by)) == pytest.approx([by**2] * 3)


def test_shifting_a_class_changes_only_the_total_spread():
    moved = REAL + 100 * CLASSES[:, None]
    assert spread(moved) == pytest.approx([1, 1, 1])
    assert total_spread(REAL, moved) > 50


def test_a_class_of_one_repeated_image_has_zero_spread():
    fake = np.where(CLASSES[:, None] == 1, REAL[20], REAL)
    assert spread(fake) == pytest.approx([1, 0, 1])


def test_a_class_with_too_few_fakes_has_no_spread_and_is_not_in_the_mean():
    fake_classes = np.where(CLASSES == 1, -1, CLASSES)
    fake_classes[20:29] = 1
    ratios = spread(shrunk(2.0), fake_classes)
    assert np.isnan(ratios).tolist() == [False, True, False]
    assert mean_spread(ratios) == pytest.approx(4)
    assert np.isnan(mean_spread([np.nan, np.nan]))


def test_classes_have_equal_weight_in_the_mean():
    fake = np.concatenate([shrunk(0.0)[:20].repeat(50, axis=0), shrunk(1.0)[20:]])
    fake_classes = np.concatenate([np.zeros(1000, int), CLASSES[20:]])
    assert mean_spread(spread(fake, fake_classes)) == pytest.approx(2 / 3)


def test_one_repeated_image_has_no_total_spread():
    assert total_spread(REAL, np.ones((50, 5))) == 0
    assert total_spread(REAL, 3 * REAL) == pytest.approx(9)
    assert np.isnan(total_spread(np.ones((50, 5)), REAL))


def test_every_feature_row_needs_a_class():
    with pytest.raises(ValueError, match="need as many classes, not 59 and 60"):
        within_class_spread(REAL, CLASSES[:-1], REAL, CLASSES, 3)
