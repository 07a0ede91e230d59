import numpy as np
import pytest
import torch

from ganforge.metrics.modes import class_shares


def test_shares_count_only_what_is_confident_and_are_of_all_samples():
    classes, confidence = torch.tensor([0, 0, 2, 2]), torch.tensor([0.9, 0.8, 0.79, 0.99])
    assert class_shares(classes, confidence, 4).tolist() == [0.5, 0.0, 0.25, 0.0]


def test_threshold_zero_counts_everything():
    assert class_shares([0, 1, 1, 3], np.zeros(4), 4, threshold=0.0).sum() == 1


@pytest.mark.parametrize(
    ("classes", "confidence", "word"),
    [([], [], "not 0"), ([1, 2], [0.5], "as long"), ([0, 5], [1.0, 1.0], "0 to 5"), ([-1, 0], [1, 1], "-1 to 0")],
)
def test_samples_that_do_not_fit_are_refused(classes, confidence, word):
    with pytest.raises(ValueError, match=word):
        class_shares(classes, confidence, 5)
