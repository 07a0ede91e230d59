import pytest
import torch

from ganforge.judge.augmentation import Distortion, corrupt, distort, mirror_and_shift, no_class_images
from ganforge.randomness import random_generator

STILL = Distortion(0, 0, 0, 0, 0)
IMAGES = torch.rand(16, 1, 28, 28, generator=random_generator("test"))


def draws():
    return random_generator("test", "distortion")


def test_without_limits_images_are_unchanged():
    assert torch.allclose(distort(IMAGES, STILL, draws()), IMAGES, atol=1e-5)


def test_a_shift_moves_a_dot_within_the_limit():
    limits = Distortion(shift=3, rotate=0, scale=0, shear=0, elastic=0)
    dots = torch.zeros(200, 1, 28, 28)
    dots[:, 0, 14, 14] = 1
    moved = distort(dots, limits, draws()).squeeze(1)
    places = torch.arange(28.0)
    rows = (moved.sum(2) * places).sum(1) / moved.sum((1, 2))
    assert (rows - 14).abs().max() <= 3.001
    assert (rows - 14).abs().max() > 2.5
    assert rows.std() > 1


@pytest.mark.parametrize("name", ["shift", "rotate", "scale", "shear", "elastic"])
def test_every_limit_changes_the_images(name):
    alone = Distortion(**{**dict.fromkeys(("shift", "rotate", "scale", "shear", "elastic"), 0), name: 1.0})
    assert (distort(IMAGES, alone, draws()) - IMAGES).abs().max() > 0.05


def test_every_image_has_its_own_distortion_fixed_by_the_seed():
    copies = IMAGES[:1].repeat(4, 1, 1, 1)
    moved = distort(copies, Distortion(), draws())
    assert len({tuple(image.flatten().tolist()) for image in moved}) == 4
    assert torch.equal(moved, distort(copies, Distortion(), draws()))


def test_no_class_images_are_of_four_kinds_in_the_pixel_range():
    images = no_class_images(IMAGES, 32, draws())
    assert images.shape == (32, 1, 28, 28)
    assert images.min() >= 0
    assert images.max() <= 1
    ink_of_tiles, ink = images[24:].sum((1, 2, 3)), IMAGES.sum((1, 2, 3))
    assert all((ink - tiled).abs().min() < 1e-2 for tiled in ink_of_tiles)


def test_corrupt_changes_only_half_of_a_batch():
    worn = corrupt(IMAGES, draws())
    change = (worn - IMAGES).abs().mean((1, 2, 3))
    assert (change[:8] > 0).all()
    assert change.max() < 0.3
    assert torch.equal(worn[8:], IMAGES[8:])
    assert 0 <= worn.min() <= worn.max() <= 1


def test_half_of_the_images_are_mirrored_and_all_shifted_by_at_most_an_eighth():
    dots = torch.zeros(400, 3, 32, 24)
    dots[:, :, 10, 5] = 1
    moved = mirror_and_shift(dots, draws())
    assert moved.shape == dots.shape
    rows = moved[:, 0].amax(2).argmax(1)
    columns = moved[:, 0].amax(1).argmax(1)
    assert rows.unique().tolist() == list(range(6, 15))
    assert columns.unique().tolist() == [*range(2, 9), *range(15, 22)]
    assert 150 < (columns > 12).sum() < 250
    assert torch.equal(moved, mirror_and_shift(dots, draws()))


def test_no_class_images_keep_the_image_size():
    for height, width in ((8, 8), (30, 9), (33, 64)):
        images = no_class_images(torch.rand(8, 3, height, width, generator=draws()), 8, draws())
        assert images.shape == (8, 3, height, width)


def test_limits_in_pixels_grow_with_the_image():
    assert Distortion.fitting(28) == Distortion()
    assert Distortion.fitting(14).shift == 1 and Distortion.fitting(14).rotate == Distortion().rotate
