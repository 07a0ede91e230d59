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
def test_clouds_drawn_together_spread_by_the_square(by):
    assert spread(shrunk(by)) == pytest.approx([by**2] * 3)


def test_moving_a_class_does_not_change_its_spread_but_the_total_one():
    moved = REAL + 100 * CLASSES[:, None]
    assert spread(moved) == pytest.approx([1, 1, 1])
    assert total_spread(REAL, moved) > 50


def test_a_class_of_one_picture_falls_to_zero_alone():
    fake = np.where(CLASSES[:, None] == 1, REAL[20], REAL)
    assert spread(fake) == pytest.approx([1, 0, 1])


def test_a_class_with_too_few_fakes_has_no_spread_and_no_part_in_the_mean():
    fake_classes = np.where(CLASSES == 1, -1, CLASSES)
    fake_classes[20:29] = 1
    ratios = spread(shrunk(2.0), fake_classes)
    assert np.isnan(ratios).tolist() == [False, True, False]
    assert mean_spread(ratios) == pytest.approx(4)
    assert np.isnan(mean_spread([np.nan, np.nan]))


def test_every_class_weighs_the_same_in_the_mean():
    fake = np.concatenate([shrunk(0.0)[:20].repeat(50, axis=0), shrunk(1.0)[20:]])
    fake_classes = np.concatenate([np.zeros(1000, int), CLASSES[20:]])
    assert mean_spread(spread(fake, fake_classes)) == pytest.approx(2 / 3)


def test_one_picture_has_no_total_spread():
    assert total_spread(REAL, np.ones((50, 5))) == 0
    assert total_spread(REAL, 3 * REAL) == pytest.approx(9)
    assert np.isnan(total_spread(np.ones((50, 5)), REAL))


def test_classes_and_features_must_be_equally_many():
    with pytest.raises(ValueError, match="need as many classes, not 59 and 60"):
        within_class_spread(REAL, CLASSES[:-1], REAL, CLASSES, 3)
