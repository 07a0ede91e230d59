import pytest
import torch

from ganforge.data.images import ImageSet, scale, unscale
from ganforge.errors import UserError


@pytest.mark.parametrize("pixel_range", ["0..1", "-1..1"])
def test_every_grey_level_survives_scaling_and_back(pixel_range):
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(unscale(scale(levels, pixel_range), pixel_range), levels)


def test_scale_hits_both_ends_of_the_range():
    ends = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2)
    assert scale(ends, "-1..1").flatten().tolist() == [-1.0, 1.0]
    assert scale(ends, "0..1").flatten().tolist() == [0.0, 1.0]


def test_unscale_clips_instead_of_wrapping_round():
    assert unscale(torch.tensor([-3.0, 3.0]), "-1..1").tolist() == [0, 255]


def image_set(n=4, labels=None, names=("a", "b")):
    labels = torch.tensor(labels if labels is not None else [0, 1] * (n // 2))
    return ImageSet(torch.arange(n * 4, dtype=torch.uint8).view(n, 1, 2, 2), labels, names, "test set")


def test_fingerprint_sees_every_pixel_and_label():
    base = image_set()
    other_pixel = ImageSet(
        base.images.clone().index_put_(
            (torch.tensor(3), torch.tensor(0), torch.tensor(1), torch.tensor(1)), torch.tensor(9, dtype=torch.uint8)
        ),
        base.labels,
        base.class_names,
    )
    assert base.fingerprint == image_set().fingerprint
    assert len({base.fingerprint, other_pixel.fingerprint, image_set(labels=[0, 0, 0, 1]).fingerprint}) == 3


@pytest.mark.parametrize(
    ("labels", "names", "word"),
    [([0, 1, 2, 0], ("a", "b"), "0 to 2"), ([-2, 0, 0, 0], ("a",), "-2"), ([0, 1, 0], ("a", "b"), "4 images")],
)
def test_invalid_labels_are_refused(labels, names, word):
    with pytest.raises(UserError, match=word):
        image_set(labels=labels, names=names)


def test_labelled_means_that_every_image_has_a_label():
    assert image_set().labelled
    assert not image_set(labels=[0, 1, -1, 0]).labelled
    assert not image_set(labels=[-1] * 4, names=()).labelled
