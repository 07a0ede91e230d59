import pytest
import torch

from conftest import small_images
from ganforge.benchmarks.judge_for_data import judge_for_data
from ganforge.data.images import ImageSet, Splits
from ganforge.errors import UserError
from ganforge.experiment.experiment import ProgressListener


class Listener(ProgressListener):
    def __init__(self):
        self.lines, self.steps = [], []

    def say(self, text):
        self.lines.append(text)

    def benchmarking(self, done, total, status, unit="steps"):
        self.steps.append((done, total))


def colour_set(n, seed, name):
    grey = small_images(n, seed=seed)
    return ImageSet(grey.images.expand(-1, 3, -1, -1).contiguous(), grey.labels, grey.class_names, name)


def test_a_judge_is_trained_once_and_kept():
    splits = Splits(colour_set(256, 0, "bars"), colour_set(60, 1, "bars validation"), colour_set(60, 2, "bars test"))
    listener = Listener()
    judge = judge_for_data(splits, listener, epochs=8)
    assert (
        "a judge is trained first: 8 epochs" in listener.lines[0] and "ganforge judge train bars" in listener.lines[0]
    )
    assert listener.steps[-1] == (16, 16)
    assert judge_for_data(splits, listener, epochs=8).hash == judge.hash
    assert len(listener.lines) == 2, "the second call trains nothing"


def test_pictures_without_labels_get_no_judge():
    splits = Splits(*(ImageSet(colour_set(30, 0, "x").images, torch.full((30,), -1)) for _ in range(3)))
    with pytest.raises(UserError, match="every image needs a label"):
        judge_for_data(splits, Listener())
