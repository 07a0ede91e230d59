import math

import torch

from ganforge.data.augmented_batches import AugmentedBatches, affine, affine_matrices, cut_out
from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet


def shaped(angle=0.0, slant=0.0, size=(1.0, 1.0)):
    return affine_matrices(torch.tensor([angle]), torch.tensor([slant]), torch.tensor([size]))


def at(right=0.0, down=0.0):
    return torch.tensor([[right, down]])


def test_the_identity_changes_nothing():
    images = torch.rand(1, 2, 9, 7)
    torch.testing.assert_close(affine(images, shaped(), at()), images)


def test_a_shift_by_two_pixels_right_and_one_down():
    images = torch.rand(1, 1, 8, 10)
    moved = affine(images, shaped(), at(2 / 10, 1 / 8))
    torch.testing.assert_close(moved[..., 1:, 2:], images[..., :-1, :-2])
    torch.testing.assert_close(moved[..., 1:, 0], images[..., :-1, 0])  # border pixels are repeated


def test_a_clockwise_quarter_rotation_of_a_square():
    images = torch.rand(1, 1, 6, 6)
    moved = affine(images, shaped(math.pi / 2), at())
    torch.testing.assert_close(moved, images.rot90(-1, (2, 3)), atol=1e-5, rtol=0)


def bar(rows, columns):
    image = torch.zeros(1, 1, 21, 41)
    image[0, 0, rows, columns] = 1
    return image


def test_rotation_preserves_shapes_in_rectangular_images():
    moved = affine(bar(10, slice(15, 26)), shaped(math.pi / 2), at())
    torch.testing.assert_close(moved, bar(slice(5, 16), 20), atol=1e-4, rtol=0)


def test_translation_follows_rotation():
    moved = affine(bar(10, slice(15, 26)), shaped(math.pi / 2), at(3 / 41, -2 / 21))
    torch.testing.assert_close(moved, bar(slice(3, 14), 23), atol=1e-4, rtol=0)


def test_a_shear_of_one_moves_each_row_one_pixel_to_the_right():
    moved = affine(bar(slice(5, 16), 20), shaped(slant=1.0), at())
    torch.testing.assert_close(moved, bar(range(5, 16), range(25, 14, -1)), atol=1e-4, rtol=0)


def test_scaling_doubles_width_and_keeps_height():
    images = torch.zeros(1, 1, 8, 8)
    images[0, 0, 3:5, 3:5] = 1
    moved = affine(images, shaped(size=(2.0, 1.0)), at())
    assert moved[0, 0, 3:5, 3:5].min() == 1
    torch.testing.assert_close(moved[0, 0].sum(1), torch.tensor([0, 0, 0, 4, 4, 0, 0, 0.0]))


def test_cutout_covers_a_square_with_the_median_level():
    images = torch.full((2, 1, 8, 10), -1.0)
    images[:, :, 2:6, :4] = 1
    covered = cut_out(
        images, torch.tensor([[0.45, 0.5], [0.02, 0.25]]), 0.5
    )  # 5 wide, 4 high; half of the second is outside
    expected = images.clone()
    expected[0, :, 2:6, 2:7] = -1
    expected[1, :, 0:4, 0:3] = -1
    assert torch.equal(covered, expected)


def test_streams_have_independent_transforms_and_cutout_does_not_change_them():
    data = ImageSet(torch.randint(256, (40, 1, 16, 16), dtype=torch.uint8), torch.arange(40) % 4, ("a", "b", "c", "d"))
    real = Batches(data, 10, "-1..1", seed=3, labels=True, device=torch.device("cpu"))
    far = {"degrees": 20, "shear": 0.2, "shift": 0.1, "zoom": 0.1}
    plain, other, cut = (
        AugmentedBatches(real, 3, **far),
        AugmentedBatches(real, 3, "labelled", **far),
        AugmentedBatches(real, 3, cutout=0.25, **far),
    )
    assert not torch.equal(plain[1].images, other[1].images)
    changed = (plain[1].images != cut[1].images).flatten(1).float().mean(1)
    assert 0 < changed.mean() <= 0.25**2 and changed.max() <= (5 / 16) ** 2


def test_a_batch_depends_on_seed_and_index_only():
    data = ImageSet(torch.randint(256, (40, 1, 8, 8), dtype=torch.uint8), torch.arange(40) % 4, ("a", "b", "c", "d"))
    real = Batches(data, 10, "-1..1", seed=3, labels=True, device=torch.device("cpu"))
    stream = AugmentedBatches(real, 3, degrees=20, shear=0.2, shift=0.1, zoom=0.1)
    first, labels = stream[2]
    assert torch.equal(labels, real[2].condition)
    assert torch.equal(first, AugmentedBatches(real, 3, degrees=20, shear=0.2, shift=0.1, zoom=0.1)[2].images)
    assert not torch.equal(first, AugmentedBatches(real, 4, degrees=20, shear=0.2, shift=0.1, zoom=0.1)[2].images)
    assert torch.equal(
        AugmentedBatches(real, 3, degrees=0, shear=0, shift=0, zoom=0)[2].images.round(decimals=4),
        real[2].images.round(decimals=4),
    )
    assert first.min() >= -1
