import math

import torch

from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet
from ganforge.data.moved import Moved, move


def nothing(count):
    return torch.zeros(count), torch.zeros(count, 2), torch.ones(count)


def test_a_move_of_nothing_changes_nothing():
    images = torch.rand(3, 2, 9, 7)
    torch.testing.assert_close(move(images, *nothing(3)), images)


def test_a_shift_by_two_pixels_right_and_one_down():
    images = torch.rand(1, 1, 8, 10)
    moved = move(images, torch.zeros(1), torch.tensor([[2 / 10, 1 / 8]]), torch.ones(1))
    torch.testing.assert_close(moved[..., 1:, 2:], images[..., :-1, :-2])
    torch.testing.assert_close(moved[..., 1:, 0], images[..., :-1, 0])  # it goes on as at the edge


def test_a_quarter_turn_clockwise_of_a_square():
    images = torch.rand(1, 1, 6, 6)
    moved = move(images, torch.tensor([math.pi / 2]), torch.zeros(1, 2), torch.ones(1))
    torch.testing.assert_close(moved, images.rot90(-1, (2, 3)), atol=1e-5, rtol=0)


def test_a_turn_keeps_shapes_in_images_that_are_no_squares():
    images = torch.zeros(1, 1, 21, 41)
    images[0, 0, 10, 15:26] = 1  # a bar of eleven pixels, lying
    moved = move(images, torch.tensor([math.pi / 2]), torch.zeros(1, 2), torch.ones(1))
    expected = torch.zeros_like(images)
    expected[0, 0, 5:16, 20] = 1
    torch.testing.assert_close(moved, expected, atol=1e-4, rtol=0)


def test_twice_the_size():
    images = torch.zeros(1, 1, 8, 8)
    images[0, 0, 3:5, 3:5] = 1
    moved = move(images, torch.zeros(1), torch.zeros(1, 2), torch.tensor([2.0]))
    assert moved[0, 0, 3:5, 3:5].min() == 1
    assert abs(float(moved.sum()) - 16) < 1e-4


def test_the_same_images_moved_by_the_same_lots_for_the_same_seed_and_number():
    data = ImageSet(torch.randint(256, (40, 1, 8, 8), dtype=torch.uint8), torch.arange(40) % 4, ("a", "b", "c", "d"))
    real = Batches(data, 10, "-1..1", seed=3, labels=True, device=torch.device("cpu"))
    stream = Moved(real, 3, degrees=20, shift=0.1, zoom=0.1)
    first, labels = stream[2]
    assert torch.equal(labels, real[2].labels)
    assert torch.equal(first, Moved(real, 3, degrees=20, shift=0.1, zoom=0.1)[2].images)
    assert not torch.equal(first, Moved(real, 4, degrees=20, shift=0.1, zoom=0.1)[2].images)
    assert torch.equal(
        Moved(real, 3, degrees=0, shift=0, zoom=0)[2].images.round(decimals=4), real[2].images.round(decimals=4)
    )
    assert first.min() >= -1
