from dataclasses import replace

import pytest
import torch

from conftest import small_images
from ganforge.evaluation.small_reader import STEPS, small_reader


@pytest.fixture(autouse=True)
def all_steps(monkeypatch):
    """Train the reader as long as outside the tests."""
    monkeypatch.setattr("ganforge.evaluation.small_reader.STEPS", STEPS)


def test_a_small_reader_learns_the_labels_in_seconds(bars):
    reader = small_reader(bars)
    others = small_images(seed=1)
    seen = reader.look(others.images, others.labels)
    assert reader.source == "labels" and reader.class_names == bars.class_names
    assert (seen.classes == others.labels).float().mean() > 0.95
    assert seen.features.shape == (200, 64) and seen.spread_features.shape == (200, 144)


def test_the_same_images_give_the_same_reader_and_leave_the_random_state_alone(bars):
    before = torch.get_rng_state()
    first, again = small_reader(bars), small_reader(bars)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.look(bars.images).features, again.look(bars.images).features)


def test_images_without_two_classes_get_random_features(bars):
    for images in (replace(bars, labels=torch.full((200,), -1)), bars.select((bars.labels == 2).nonzero()[:, 0])):
        reader = small_reader(images)
        assert reader.source == "random" and reader.class_names == ()
        seen = reader.look(images.images)
        assert seen.classes is None and seen.features.std(0).sum() > 0


def test_pictures_of_any_shape_are_read():
    for shape in ((1, 1, 24), (3, 96, 64), (20, 9, 9)):
        assert small_reader(small_images(10)).look(torch.zeros(3, 1, *shape[1:], dtype=torch.uint8)).features.ndim == 2
