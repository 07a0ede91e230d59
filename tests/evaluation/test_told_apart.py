import pytest
import torch

from conftest import small_images
from ganforge.evaluation.told_apart import LeNet, pictures_to_learn, told_apart


def test_blurred_pictures_are_told_apart_and_real_ones_are_not():
    images = small_images(2000, side=16).images
    blurred = torch.nn.functional.avg_pool2d(images.float(), 4).repeat_interleave(4, 2).repeat_interleave(4, 3)
    learned = []
    share, interval = told_apart(images, blurred.to(torch.uint8), learned.append)
    assert share > 0.9 and interval.low < share <= interval.high
    assert sum(learned) == pictures_to_learn(2000) == 3 * 1600
    share, interval = told_apart(images, small_images(2500, side=16, seed=1).images)
    assert 0.3 < share < 0.7 and interval.low < share < interval.high


def test_a_full_protocol_learns_from_4000_of_both():
    assert pictures_to_learn(10_000) == pictures_to_learn(50_000) == 3 * 8000


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 8, 12), (1, 4, 4)])
def test_the_classifier_takes_pictures_of_any_size(shape):
    assert LeNet(shape, 2)(torch.rand(3, *shape)).shape == (3, 2)
