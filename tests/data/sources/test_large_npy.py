import numpy as np
import pytest
import torch

from ganforge.data.load import load
from ganforge.data.sources import large_npy
from ganforge.errors import UserError


@pytest.fixture(autouse=True)
def small_memory(tmp_path, monkeypatch):
    """Use a separate cache, and treat 2 kB as large."""
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(large_npy, "LARGE", 2_000)


def pixels(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("shape", [(50, 8, 9), (50, 8, 9, 3), (50, 3, 8, 9), (50, 8, 9, 1), (50, 1, 8, 9)])
def test_a_large_npy_gives_the_same_set_as_a_small_one_and_stays_in_a_file(tmp_path, monkeypatch, shape):
    np.save(tmp_path / "set.npy", pixels(*shape))
    reports = []
    stored = load(tmp_path / "set.npy", reading=lambda *report: reports.append(report))
    assert [reports[0][0], *reports[-1]] == ["copying set.npy", "copying set.npy", 50, 50]
    again = load(tmp_path / "set.npy")
    assert stored.train.span and again.train.span
    monkeypatch.setattr(large_npy, "LARGE", 2**30)
    in_memory = load(tmp_path / "set.npy")
    assert in_memory.train.span is None
    for one, other in (
        (stored.train, in_memory.train),
        (again.validation, in_memory.validation),
        (stored.test, in_memory.test),
    ):
        assert torch.equal(one.images, other.images)
        assert (one.fingerprint, one.name) == (other.fingerprint, other.name)


@pytest.mark.parametrize("array", [pixels(50, 8, 9) / 255, np.asfortranarray(pixels(50, 8, 9)), pixels(50, 8, 9) > 9])
def test_other_types_are_read_into_memory(tmp_path, array):
    np.save(tmp_path / "set.npy", array)
    assert load(tmp_path / "set.npy").train.span is None


@pytest.mark.parametrize(
    ("content", "word"),
    [(bytes(3_000), "cannot be parsed"), (b"\x93NUMPY\x01\x00v\x00" + bytes(3_000), "cannot be parsed")],
)
def test_an_invalid_large_file_is_refused(tmp_path, content, word):
    (tmp_path / "set.npy").write_bytes(content)
    with pytest.raises(UserError, match=word):
        load(tmp_path / "set.npy")


@pytest.mark.parametrize(("shape", "word"), [((50, 7, 8), "8×7 px"), ((50, 8, 8, 4), "4 channels"), ((3_000,), "3000")])
def test_a_large_array_without_images_is_refused(tmp_path, shape, word):
    np.save(tmp_path / "set.npy", pixels(*shape))
    with pytest.raises(UserError, match=word):
        load(tmp_path / "set.npy")
    np.save(tmp_path / "set.npy", pixels(50, 8, 9))
    (tmp_path / "set.npy").write_bytes((tmp_path / "set.npy").read_bytes()[:-1])
    with pytest.raises(UserError, match="claims"):
        load(tmp_path / "set.npy")


def folder(tmp_path, **arrays):
    (tmp_path / "set").mkdir()
    for name, array in arrays.items():
        np.save(tmp_path / "set" / f"{name}.npy", array)
    return tmp_path / "set"


def both(path, monkeypatch):
    """Return the set as read from the file and as read into memory."""
    stored = load(path)
    assert stored.train.span
    monkeypatch.setattr(large_npy, "LARGE", 2**30)
    in_memory = load(path)
    assert in_memory.train.span is None
    return stored, in_memory


@pytest.mark.parametrize(
    "labels",
    [np.arange(50) % 4, np.arange(50) % 4 + 1, np.eye(4)[np.arange(50) % 4], np.array(list("cadb"))[np.arange(50) % 4]],
)
def test_labels_next_to_a_large_npy_stay_with_their_images(tmp_path, monkeypatch, labels):
    stored, in_memory = both(folder(tmp_path, images=pixels(50, 8, 9), labels=labels), monkeypatch)
    assert stored.train.class_names == in_memory.train.class_names
    assert stored.notes == in_memory.notes
    for part in ("train", "validation", "test"):
        one, other = getattr(stored, part), getattr(in_memory, part)
        assert torch.equal(one.labels.bincount(), other.labels.bincount())
    assert pairs(stored) == pairs(in_memory)


def pairs(splits):
    return sorted(
        (image.numpy().tobytes(), int(label))
        for part in (splits.train, splits.validation, splits.test)
        for image, label in zip(part.images, part.labels, strict=True)
    )


def test_parts_of_a_large_set_stay_separate(tmp_path, monkeypatch):
    arrays = {"x_train": pixels(50, 8, 9), "y_train": np.arange(50) % 3, "x_test": pixels(12, 8, 9) // 2}
    stored, in_memory = both(folder(tmp_path, **arrays), monkeypatch)
    assert torch.equal(stored.test.images.sum(), in_memory.test.images.sum())
    assert (len(stored.test), stored.test.labelled, len(stored.validation)) == (12, False, len(in_memory.validation))
    assert pairs(stored) == pairs(in_memory)


def test_large_parts_of_different_shapes_are_refused(tmp_path):
    with pytest.raises(UserError, match="different shapes"):
        load(folder(tmp_path, x_train=pixels(50, 8, 9), x_test=pixels(12, 9, 9)))


def test_a_large_array_with_the_images_along_its_last_axis_is_read(tmp_path):
    path = tmp_path / "set.npy"
    np.save(path, pixels(8, 9, 3, 50))
    assert load(path).train.shape == (3, 8, 9)
