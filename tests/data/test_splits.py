"""Sets without given parts: every class has the same share in each part, whatever the order of the file."""

import numpy as np
import pytest
import torch

import ganforge.data.splits as splits
from conftest import small_images
from ganforge.data.images import ImageSet
from ganforge.data.load import load
from ganforge.data.normalize_arrays import RawSplits
from ganforge.data.reading_rules import ReadingRules
from ganforge.errors import UserError


def labelled(labels):
    labels = torch.as_tensor(labels)
    images = torch.arange(len(labels) * 64).reshape(-1, 1, 8, 8).remainder(251).byte()
    return ImageSet(images, labels, tuple(map(str, range(int(labels.max()) + 1))), "set")


def counts(images, classes):
    return torch.bincount(images.labels, minlength=classes).tolist()


ORDERS = {
    "ascending": np.repeat(np.arange(10), 120),
    "descending": np.repeat(np.arange(10)[::-1], 120),
    "round": np.arange(1200) % 10,
    "one class last": np.concatenate([np.arange(1080) % 9, np.full(120, 9)]),
    "shuffled": np.random.default_rng(0).permutation(np.arange(1200) % 10),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("has_test", [True, False])
def test_every_order_of_classes_gives_stratified_parts(order, has_test):
    test = labelled(np.arange(20) % 10) if has_test else None
    cut = splits.split_dataset(RawSplits(labelled(ORDERS[order]), test=test), "", "train")
    assert counts(cut.validation, 10) == [10 if has_test else 12] * 10
    assert counts(cut.train, 10) == [110 if has_test else 96] * 10
    assert counts(cut.test, 10) == [2 if has_test else 12] * 10
    pixels = torch.cat(
        [part.images[:, 0, 0, :2] for part in (cut.train, cut.validation) + (() if has_test else (cut.test,))]
    )
    assert len(pixels) == 1200
    assert cut.validation.labels.diff().ne(0).sum() > 20  # shuffled, because the first few represent the whole part


def test_rare_classes_keep_a_training_image_and_parts_their_sizes():
    labels = torch.cat(
        [torch.zeros(91), torch.ones(5), torch.full((2,), 2.0), torch.full((1,), 3.0), torch.full((1,), 4.0)]
    )
    cut = splits.split_dataset(RawSplits(labelled(labels.long())), "", "train")
    assert [len(part) for part in (cut.train, cut.validation, cut.test)] == [80, 10, 10]
    assert min(counts(cut.train, 5)) >= 1


def test_no_class_loses_an_image_to_rounding_in_both_parts():
    cut = splits.split_dataset(RawSplits(labelled(torch.arange(54) % 9)), "", "train")
    assert sorted(counts(cut.train, 9)) == [4, 5, 5, 5, 5, 5, 5, 5, 5]


def test_unknown_labels_count_as_a_class_and_unlabelled_sets_split_as_in_version_1():
    some = ImageSet(small_images(40).images, torch.tensor([0] * 20 + [-1] * 20), ("0",), "set")
    cut = splits.split_dataset(RawSplits(some), "", "train")
    assert (cut.validation.labels == -1).sum() == 2 and len(cut.validation) == 4
    none = ImageSet(small_images(40).images, torch.full((40,), -1), (), "set")
    now, before = (splits.split_dataset(RawSplits(none), "", "train", ReadingRules(version=v)) for v in (2, 1))
    assert now.fingerprint == before.fingerprint


def test_published_sets_keep_their_order():
    whole = labelled(torch.arange(240) % 10)
    cut = splits.split_dataset(RawSplits(whole, test=labelled(torch.arange(20) % 10)), "", "train", published=True)
    assert torch.equal(cut.train.images, whole.images[:220]) and torch.equal(cut.validation.images, whole.images[220:])


def test_validation_images_in_training_come_last():
    parts = RawSplits(labelled(torch.arange(100) % 4))
    train, everything = (splits.split_dataset(parts, "", images) for images in ("train", "all"))
    assert torch.equal(everything.train.images, torch.cat([train.train.images, train.validation.images]))


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [0, 1, 2, 3, 3]])
def test_classes_with_one_image_cannot_be_split(labels):
    with pytest.raises(UserError, match="too few images of each class"):
        splits.split_dataset(RawSplits(labelled(labels)), "", "train")


def test_pictures_and_arrays_are_split_alike(tmp_path):
    """Sets in the cache are split before they are written, by the same rule."""
    from PIL import Image

    for number in range(60):
        folder = tmp_path / "pictures" / ("a" if number < 45 else "b")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(folder / f"{number:02}.png")
    images = np.broadcast_to(np.arange(60, dtype=np.uint8)[:, None, None], (60, 8, 8))
    np.savez(tmp_path / "arrays.npz", images=images, labels=np.where(np.arange(60) < 45, "a", "b"))
    assert load(tmp_path / "pictures").fingerprint == load(tmp_path / "arrays.npz").fingerprint
