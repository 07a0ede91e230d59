import pytest
import torch

from ganforge.data.images import ImageSet
from ganforge.data.label_subset import labelled_subset, repeat_to
from ganforge.errors import UserError

IMAGES = torch.arange(60, dtype=torch.uint8).view(60, 1, 1, 1).expand(60, 1, 2, 2).contiguous()
FULL = ImageSet(IMAGES, torch.arange(60) % 3, ("a", "b", "c"), "some")


def test_classes_are_balanced_and_the_draw_selects_the_images():
    few = labelled_subset(FULL, 12, draw=0)
    assert few.labels.bincount().tolist() == [4, 4, 4]
    assert torch.equal(few.images[:, 0, 0, 0].long() % 3, few.labels)  # a label stays with its image
    assert torch.equal(labelled_subset(FULL, 12, draw=0).images, few.images)
    assert not torch.equal(labelled_subset(FULL, 12, draw=1).images, few.images)
    assert len(few.images.flatten(1).unique(dim=0)) == 12


def test_zero_selects_all_labelled_images():
    some = ImageSet(IMAGES, torch.where(torch.arange(60) < 10, FULL.labels, -1), FULL.class_names)
    assert len(labelled_subset(some)) == 10
    assert len(labelled_subset(FULL)) == 60


@pytest.mark.parametrize(
    ("images", "count", "words"),
    [
        (FULL, 10, "multiple of 3"),
        (FULL, 90, "class a of some has only 20 images"),
        (ImageSet(IMAGES, torch.full((60,), -1)), 0, "no labels"),
    ],
)
def test_impossible_subsets_are_refused(images, count, words):
    with pytest.raises(UserError, match=words):
        labelled_subset(images, count)


def test_few_images_are_repeated_to_the_requested_count():
    few = labelled_subset(FULL, 6)
    many = repeat_to(few, 10)
    assert len(many) == 12 and torch.equal(many.images[6:], few.images)
    assert repeat_to(few, 6) is few
