import math

import numpy as np
import pytest

from ganforge.metrics.loudness import loudness


def test_loudness_by_hand():
    measured = loudness(np.array([[0.1, -0.1, 0.1, -0.1], [1.0, -1.0, 1.0, -1.0], [0, 0, 0, 0]]))
    assert measured.quietest == pytest.approx(-20)
    assert measured.loudest == pytest.approx(0)
    assert measured.peak == 1
    assert measured.clipped == pytest.approx(4 / 12)
    assert measured.silent == pytest.approx(1 / 3)


def test_silence_has_no_loudness_and_bad_sounds_are_refused():
    assert math.isnan(loudness(np.zeros((2, 4))).loudest)
    for bad in (np.zeros(4), np.zeros((0, 4)), np.array([[np.nan, 1.0]])):
        with pytest.raises(ValueError, match="finite sounds"):
            loudness(bad)
