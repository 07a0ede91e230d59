"""Caches that several processes fill simultaneously: no process fails or reads a partial file."""

import errno
import os
import time

import numpy as np
import pytest
import torch

from ganforge.data.images import ImageSet
from ganforge.data.storage.pixel_cache import Header, Key, cached
from ganforge.evaluation.features import FeatureExtractor, Features, kept_features
from ganforge.files import cache_folder, ensure_writable, read_cached, write_cached
from ganforge.judge.files import Card, read_judge, save_judge
from ganforge.judge.network import JudgeNetwork
from processes import end_of, forked, forked_at_once, left_in, needs_fork


class NoLock:
    """A lock on a file system without locks."""

    def __init__(self, path):
        pass

    def acquire(self):
        raise OSError(errno.ENOLCK, "No locks available")

    def release(self):
        pass


def filler(value):
    def fill(file):
        for _ in range(20):
            file.write(bytes([value]) * 15_000)
        header = Header(counts={"train": 100}, shape=(3, 10, 100), class_names=tuple("abcdefghijkl"), note=str(value))
        return header, np.full(100, value)

    return fill


@needs_fork
@pytest.mark.parametrize("locks", [True, False])
def test_sets_of_pictures(tmp_path, monkeypatch, locks):
    """A process with a newer state of a source removes cached sets of older ones, one process at a time."""
    if not locks:
        monkeypatch.setattr("ganforge.data.storage.pixel_cache.FileLock", NoLock)

    def fill_and_read():
        for k in ((os.getpid() + place) % 12 for place in range(12)):
            source = "the same source" if locks else f"source {k}"
            parts, note = cached(Key.of([source], [f"state {k}"]), "set", filler(k))
            assert note == str(k)
            assert (parts.train.images == k).all() and (parts.train.labels == k).all()

    forked_at_once(fill_and_read)
    assert not left_in(tmp_path / "cache")


@needs_fork
def test_a_set_of_a_later_state_waits_until_the_earlier_one_is_opened(monkeypatch):
    """Otherwise it would remove the set that the first process is about to open."""
    rename, later = os.rename, []

    def rename_and_be_disturbed(staging, folder):
        rename(staging, folder)
        monkeypatch.setattr("ganforge.data.storage.pixel_cache.os.rename", rename)
        later.append(forked(lambda: cached(Key.of(["source"], ["later"]), "set", filler(2))))
        time.sleep(0.3)

    monkeypatch.setattr("ganforge.data.storage.pixel_cache.os.rename", rename_and_be_disturbed)
    assert cached(Key.of(["source"], ["earlier"]), "set", filler(1))[1] == "1"
    assert end_of(later[0]) == 0


def small_judge(number):
    network = JudgeNetwork(2, (1, 8, 8), ((4,),))
    for weight in network.parameters():
        torch.nn.init.constant_(weight, number)
    return network, Card(str(number), ("a", "b"), "data", 1, 0, 0.5, 0.5, "conv 4, dense 128", (1, 8, 8))


@needs_fork
def test_timings_and_judges(tmp_path):
    memory, judge = cache_folder() / "precision" / "answer.json", ensure_writable(cache_folder() / "judge.safetensors")

    def write_and_read():
        mine = os.getpid()
        network, card = small_judge(mine)
        for _ in range(20):
            write_cached(memory, [mine] * 3_000)
            answer = read_cached(memory)
            assert answer == answer[:1] * 3_000
            save_judge(judge, network, card)
            stored, stored_card, _ = read_judge(judge)
            assert all(bool((weight == int(stored_card.version)).all()) for weight in stored.parameters())

    forked_at_once(write_and_read)
    assert not left_in(tmp_path / "cache")


@needs_fork
def test_features(tmp_path, monkeypatch):
    """The file is removed now and then: a process that finds none tries again."""
    images = ImageSet(torch.zeros(50, 1, 8, 8, dtype=torch.uint8), torch.full((50,), -1), (), "images")
    eye = FeatureExtractor(extractor=lambda block: block.flatten(1).float())
    monkeypatch.setattr(eye, "judge", "whose features are kept")
    monkeypatch.setattr(eye, "look", lambda images, on_progress=None: Features(images.flatten(1).float()))

    def look_and_remove():
        for k in range(30):
            assert kept_features(eye, images).shape == (50, 64)
            if k % 3 == 0:
                for file in (cache_folder() / "features").iterdir():
                    file.unlink(missing_ok=True)

    forked_at_once(look_and_remove)
    assert not left_in(tmp_path / "cache")
