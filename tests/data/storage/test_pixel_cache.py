"""The cache of decoded pictures."""

import os
import re
import threading

import numpy as np
import pytest
import torch

from ganforge.data.load import load
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.storage.pixel_cache import PIXELS
from picture_sets import BAD, CLASSES, EXPECTED, FLAT, PARTS, as_folder, contents, png, refusal

pytestmark = pytest.mark.usefixtures("cache")


def test_the_second_load_decodes_nothing(tmp_path, cache, monkeypatch):
    from ganforge.data.sources import image_folder

    path, reports = as_folder(tmp_path, CLASSES), []
    first = load(path, reading=lambda *report: reports.append(report))
    assert reports == [("looking through set", 20, 20), ("reading set", 20, 20)]
    monkeypatch.setattr(image_folder, "decode", pytest.fail)
    second = load(path)
    assert second.origin == first.origin
    assert second.fingerprint == first.fingerprint
    assert contents(second) == EXPECTED
    assert len(list(cache.glob("pictures/*-*/header.json"))) == 1


def test_a_changed_source_is_read_again_and_the_old_pixels_are_deleted(tmp_path, cache):
    path = as_folder(tmp_path, FLAT)
    load(path)
    (path / "00.png").write_bytes(png(255))
    os.utime(path / "00.png", ns=(1, 1))
    assert (255, None) in contents(load(path))
    load(path, rules=ReadingRules(resize=16))
    assert len(list(cache.glob("pictures/*-*/header.json"))) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / PIXELS).write_bytes((folder / PIXELS).read_bytes()[:-1]),
        lambda folder: (folder / PIXELS).unlink(),
        lambda folder: (folder / "header.json").write_bytes((folder / "header.json").read_bytes()[:-9]),
        lambda folder: (folder / "header.json").write_text("{}"),
        lambda folder: (folder / "header.json").write_text(re.sub("20", "-20", (folder / "header.json").read_text())),
        lambda folder: (folder / "header.json").unlink(),
    ],
)
def test_a_damaged_cache_is_rebuilt(tmp_path, cache, damage):
    path = as_folder(tmp_path, CLASSES)
    before = load(path).fingerprint
    (folder,) = cache.glob("pictures/[!.]*")
    damage(folder)
    assert load(path).fingerprint == before
    assert (folder / "header.json").is_file()


def test_a_refused_source_leaves_nothing_in_the_cache(tmp_path, cache):
    refusal(as_folder(tmp_path, FLAT | {"bad.png": BAD["cut short"]}))
    names = {path.name for path in cache.rglob("*") if path.suffix != ".lock"}
    assert names == {"CACHEDIR.TAG", "pictures"}


def test_a_full_disk_is_one_line(tmp_path, cache, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    path = as_folder(tmp_path, FLAT)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        assert "the disk is full" in refusal(path)
    assert not list(cache.rglob("*.bin"))
    assert len(load(path).train) == 16


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "file"))
    message = refusal(as_folder(tmp_path, FLAT))
    assert "GANFORGE_CACHE" in message and str(tmp_path / "file") in message


def test_two_processes_build_the_cache_once(tmp_path, monkeypatch):
    from ganforge.data.sources import image_folder

    path, decoded, results = as_folder(tmp_path, FLAT), [], []
    real = image_folder.decode
    monkeypatch.setattr(image_folder, "decode", lambda *a, **k: decoded.append(1) or real(*a, **k))
    threads = [threading.Thread(target=lambda: results.append(load(path).fingerprint)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decoded) == 20 and len(set(results)) == 1 and len(results) == 2


def test_the_cached_parts_equal_a_split_in_memory(tmp_path):
    """A set in the cache and the same set split in memory have the same images in the same order."""
    stored = load(as_folder(tmp_path, CLASSES))
    levels = np.array([level for name in ("cat", "dog") for level, of in EXPECTED if of == name], np.uint8)
    images = np.broadcast_to(levels[:, None, None, None], (20, 1, 8, 8)).copy()
    in_memory = load((images, np.arange(20) // 10))
    for one, other in zip(
        (stored.train, stored.validation, stored.test),
        (in_memory.train, in_memory.validation, in_memory.test),
        strict=True,
    ):
        assert torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)


def test_all_adds_validation_without_copying(tmp_path):
    for files, count in ((CLASSES, 18), (PARTS | {"val/cat/x.png": png(211)}, 21)):
        path = as_folder(tmp_path / str(count), files)
        everything = load(path, images="all")
        assert len(everything.train) == count
        assert everything.train.span is not None
        levels = torch.cat([load(path).train.images, load(path).validation.images]) if count == 18 else None
        assert levels is None or torch.equal(everything.train.images, levels)
