"""Memory-mapped image sets: every part is a view of one map, and no operation copies the whole map."""

import dataclasses
import os

import numpy as np
import pytest
import torch

from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet
from ganforge.data.splits import split_dataset
from ganforge.data.storage.memmap import MemmapImages
from ganforge.data.storage.pixel_cache import Header, Key, cached
from ganforge.data.summary import summarise
from ganforge.errors import RunFailed

SHAPE, CPU = (3, 8, 8), torch.device("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "cache"))


def example_set(count=20_000, images="train", **counts):
    """Return a memory-mapped set and the same pixels in memory."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, *SHAPE), np.uint8)
    labels = np.arange(count) % 3
    header = Header(counts={"train": count} | counts, shape=SHAPE, class_names=("a", "b", "c"), note="made up")

    def fill(file):
        file.write(pixels.data)
        return header, labels

    parts, note = cached(Key("made", "up"), "noise", fill)
    return split_dataset(parts, note, images), torch.from_numpy(pixels)


def address_range(images):
    """Return the address range of the pixels of a set."""
    start = images.images.data_ptr()
    return start, start + images.images.numel()


@pytest.fixture
def bytes_between_releases(monkeypatch):
    """The largest number of bytes read between two calls of `release_pages`."""
    most, bytes_read = [0], [0]

    class Counting(MemmapImages):
        def release_pages(self):
            super().release_pages()
            bytes_read[0] = 0

    real = torch.split

    def split(images, count):
        for chunk in real(images, count):
            bytes_read[0] += chunk.numel()
            most[0] = max(most[0], bytes_read[0])
            yield chunk

    from ganforge.data.storage import pixel_cache

    monkeypatch.setattr(pixel_cache, "MemmapImages", Counting)
    monkeypatch.setattr(torch, "split", split)
    return most


def test_every_part_is_a_view_of_one_map():
    splits, pixels = example_set()
    parts = splits.train, splits.validation, splits.test
    file = splits.train.span.file
    start, stop = address_range(ImageSet(file.images, torch.zeros(len(file.images), dtype=torch.int64), ("a",)))
    assert [address_range(part)[0] - start for part in parts] == [0, 16_000 * 192, 18_000 * 192]
    assert address_range(parts[-1])[1] == stop
    assert torch.equal(torch.cat([part.images for part in parts]), pixels)
    everything = example_set(images="all")[0].train
    assert (everything.span.start, everything.span.stop) == (0, 18_000)
    assert address_range(splits.train.select(slice(5, 9)))[0] == start + 5 * 192


def test_batches_from_the_file_are_those_from_memory_and_copy_nothing(monkeypatch):
    train = example_set()[0].train
    in_memory_set = ImageSet(train.images.clone(), train.labels, train.class_names)
    in_file, in_memory = (
        Batches(images, 64, "-1..1", seed=3, labels=True, device=CPU) for images in (train, in_memory_set)
    )
    assert in_file._data is train  # nothing was moved or copied
    for step in (0, 1, 249, 250, 1000):
        assert torch.equal(in_file[step].images, in_memory[step].images)
        assert torch.equal(in_file[step].condition, in_memory[step].condition)


def test_summary_and_fingerprint_read_one_chunk_at_a_time(bytes_between_releases):
    splits = example_set()[0]
    in_memory_set = dataclasses.replace(
        splits, train=ImageSet(splits.train.images.clone(), splits.train.labels, splits.train.class_names, "noise")
    )
    assert splits.fingerprint == in_memory_set.fingerprint
    assert dataclasses.asdict(summarise(splits)) == dataclasses.asdict(summarise(in_memory_set))
    splits.train.span.file.release_pages()
    bytes_between_releases[0] = 0
    summarise(splits)
    assert 0 < bytes_between_releases[0] <= 4096 * 192


def test_a_fingerprint_is_computed_once(monkeypatch):
    first = example_set()[0]
    assert first.fingerprint
    monkeypatch.setattr(ImageSet, "chunks", pytest.fail)
    assert example_set()[0].fingerprint == first.fingerprint


def test_a_damaged_fingerprint_is_computed_again():
    train = example_set()[0].train
    before = train.fingerprint
    for content in ("", "0" * 63, "é"):
        train.span._fingerprint_path.write_text(content, encoding="utf-8")
        assert example_set()[0].train.fingerprint == before


def test_adjacent_slices_are_joined_in_the_file_and_others_in_memory():
    splits, pixels = example_set()
    joined = splits.validation.concat(splits.test)
    assert (joined.span.start, joined.span.stop) == (16_000, 20_000)
    assert torch.equal(joined.images, pixels[16_000:])
    apart = splits.test.concat(splits.train)
    assert apart.span is None
    assert torch.equal(apart.images, torch.cat([pixels[18_000:], pixels[:16_000]]))
    assert apart.labels.tolist() == splits.test.labels.tolist() + splits.train.labels.tolist()


def test_selected_images_and_every_second_image_are_right(monkeypatch):
    train, pixels = example_set()[0].validation, example_set()[1][16_000:18_000]
    chosen = torch.tensor([5, 1999, 0, 5])
    assert torch.equal(train.select(chosen).images, pixels[chosen])
    assert torch.equal(train.select(slice(None, None, 2)).gather(chosen % 1000), pixels[::2][chosen % 1000])
    monkeypatch.delattr(os, "preadv")  # as on Windows
    assert torch.equal(train.gather(chosen), pixels[chosen])


def test_a_file_cut_short_while_in_use_raises_run_failed():
    train = example_set()[0].train
    os.truncate(train.span.file.path, 5_000 * 192 + 7)
    with pytest.raises(RunFailed, match="cut short"):
        train.gather(torch.tensor([5_000]))


def test_the_file_is_closed_with_the_last_set():
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(5):
        example_set(100)
    assert before == 0 or len(os.listdir("/proc/self/fd")) <= before + 1


def test_released_pages_are_read_again():
    train, pixels = example_set()[0].train, example_set()[1]
    assert torch.equal(train.images[:100], pixels[:100])
    train.span.file.release_pages()
    assert torch.equal(train.images[:100], pixels[:100])
    assert MemmapImages(train.span.file.path, (10, *SHAPE), offset=192).images[0].equal(pixels[1])
