"""Sets in a file: every part is a view of one mapping, and nothing makes a copy of it."""

import dataclasses
import os

import numpy as np
import pytest
import torch

from ganforge.data import memmap
from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet
from ganforge.data.memmap import MemmapImages
from ganforge.data.pixel_cache import Header, Key, cached
from ganforge.data.splits import split_dataset
from ganforge.data.summary import summarise
from ganforge.errors import RunFailed

SHAPE, CPU = (3, 8, 8), torch.device("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "cache"))


def made_up(count=20_000, images="train", **counts):
    """A set in a file, and the same pixels in memory."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, *SHAPE), np.uint8)
    labels = np.arange(count) % 3
    header = Header(counts={"train": count} | counts, shape=SHAPE, class_names=("a", "b", "c"), note="made up")

    def fill(file):
        file.write(pixels.data)
        return header, labels

    parts, note = cached(Key("made", "up"), "noise", fill)
    return split_dataset(parts, note, images), torch.from_numpy(pixels)


def where(images):
    """The range of addresses that a set's pixels lie in."""
    start = images.images.data_ptr()
    return start, start + images.images.numel()


@pytest.fixture
def looked_at(monkeypatch):
    """How many bytes lie between two moments at which pages are let go, at most."""
    most, seen = [0], [0]

    class Counting(MemmapImages):
        def let_go(self):
            super().release_pages()
            seen[0] = 0

    real = torch.split

    def split(images, count):
        for piece in real(images, count):
            seen[0] += piece.numel()
            most[0] = max(most[0], seen[0])
            yield piece

    from ganforge.data import pixel_cache

    monkeypatch.setattr(pixel_cache, "MemmapImages", Counting)
    monkeypatch.setattr(torch, "split", split)
    return most


def test_every_part_is_a_view_of_one_mapping():
    splits, pixels = made_up()
    parts = splits.train, splits.validation, splits.test
    file = splits.train.span.file
    start, stop = where(ImageSet(file.images, torch.zeros(len(file.images), dtype=torch.int64), ("a",)))
    assert [where(part)[0] - start for part in parts] == [0, 16_000 * 192, 18_000 * 192]
    assert where(parts[-1])[1] == stop
    assert torch.equal(torch.cat([part.images for part in parts]), pixels)
    everything = made_up(images="all")[0].train
    assert (everything.span.start, everything.span.stop) == (0, 18_000)
    assert where(splits.train.select(slice(5, 9)))[0] == start + 5 * 192


def test_batches_from_the_file_are_those_from_memory_and_touch_no_page(monkeypatch):
    train = made_up()[0].train
    held = ImageSet(train.images.clone(), train.labels, train.class_names)
    in_file, in_memory = (Batches(it, 64, "-1..1", seed=3, labels=True, device=CPU) for it in (train, held))
    assert in_file._data is train  # nothing was moved or copied
    for step in (0, 1, 249, 250, 1000):
        assert torch.equal(in_file[step].images, in_memory[step].images)
        assert torch.equal(in_file[step].labels, in_memory[step].labels)


def test_summary_and_fingerprint_look_at_a_piece_at_a_time(looked_at):
    splits = made_up()[0]
    held = dataclasses.replace(
        splits, train=ImageSet(splits.train.images.clone(), splits.train.labels, splits.train.class_names, "noise")
    )
    assert splits.fingerprint == held.fingerprint
    assert dataclasses.asdict(summarise(splits)) == dataclasses.asdict(summarise(held))
    splits.train.span.file.release_pages()
    looked_at[0] = 0
    summarise(splits)
    assert 0 < looked_at[0] <= 4096 * 192


def test_a_fingerprint_is_taken_once(monkeypatch):
    first = made_up()[0]
    assert first.fingerprint
    monkeypatch.setattr(ImageSet, "chunks", pytest.fail)
    assert made_up()[0].fingerprint == first.fingerprint


def test_a_damaged_fingerprint_is_taken_again():
    train = made_up()[0].train
    before = train.fingerprint
    for content in ("", "0" * 63, "é"):
        train.span._note.write_text(content, encoding="utf-8")
        assert made_up()[0].train.fingerprint == before


def test_neighbours_are_joined_in_the_file_and_strangers_in_memory():
    splits, pixels = made_up()
    joined = splits.validation.concat(splits.test)
    assert (joined.span.start, joined.span.stop) == (16_000, 20_000)
    assert torch.equal(joined.images, pixels[16_000:])
    apart = splits.test.concat(splits.train)
    assert apart.span is None
    assert torch.equal(apart.images, torch.cat([pixels[18_000:], pixels[:16_000]]))
    assert apart.labels.tolist() == splits.test.labels.tolist() + splits.train.labels.tolist()


def test_chosen_images_and_every_second_one_are_right(monkeypatch):
    train, pixels = made_up()[0].validation, made_up()[1][16_000:18_000]
    chosen = torch.tensor([5, 1999, 0, 5])
    assert torch.equal(train.select(chosen).images, pixels[chosen])
    assert torch.equal(train.select(slice(None, None, 2)).gather(chosen % 1000), pixels[::2][chosen % 1000])
    monkeypatch.delattr(os, "preadv")  # as on Windows
    assert torch.equal(train.gather(chosen), pixels[chosen])


def test_a_file_cut_short_while_in_use_is_a_failure_and_no_noise():
    train = made_up()[0].train
    os.truncate(train.span.file.path, 5_000 * 192 + 7)
    with pytest.raises(RunFailed, match="cut short"):
        train.gather(torch.tensor([5_000]))


def test_the_file_is_closed_with_the_last_set():
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(5):
        made_up(100)
    assert before == 0 or len(os.listdir("/proc/self/fd")) <= before + 1


def test_pages_can_be_let_go_and_come_back():
    train, pixels = made_up()[0].train, made_up()[1]
    assert torch.equal(train.images[:100], pixels[:100])
    train.span.file.release_pages()
    assert torch.equal(train.images[:100], pixels[:100])
    assert memmap.MemmapImages(train.span.file.path, (10, *SHAPE), offset=192).images[0].equal(pixels[1])
