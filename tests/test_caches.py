"""Caches that several processes fill at the same moment: none fails, and none reads half of what another wrote."""

import pytest

from processes import left_in, together

FILL = """
import os, sys
import numpy as np
import torch
from pathlib import Path
from ganforge.data.cache import Header, Key, cached

torch.set_num_threads(1)
if sys.argv[1] == "no locks":
    import errno
    from ganforge.data import cache
    class NoLock:
        def __init__(self, path): pass
        def acquire(self): raise OSError(errno.ENOLCK, "No locks available")
        def release(self): pass
    cache.FileLock = NoLock

def filler(value):
    def fill(file):
        for _ in range(20):
            file.write(bytes([value]) * 15_000)
        return Header(counts={"train": 100}, shape=(3, 10, 100), class_names=tuple('abcdefghijkl'), note=str(value)), np.full(100, value)
    return fill

wait()
for k in range(12):
    source = f"source {k}" if sys.argv[1] == "no locks" else "the same source"
    parts, note = cached(Key.of([source], [f"state {k}"]), "set", filler(k))
    assert note == str(k) and (parts.train.images == k).all() and (parts.train.labels == k).all(), (k, note)
    parts.train.fingerprint
"""


@pytest.mark.parametrize("locks", ["locks", "no locks"])
def test_sets_of_pictures(tmp_path, locks):
    """Whoever is at a later state of a source removes what was made of earlier ones, and takes turns to do so."""
    together(FILL, locks)
    pictures = tmp_path / "cache" / "pictures"
    assert not left_in(pictures)


SMALL_CACHES = """
import os
from pathlib import Path
import torch
from ganforge.evaluation.view import Eye, kept_features
from ganforge.data.images import ImageSet
from ganforge.files import cache_folder, place_for
from ganforge.judge.network import JudgeNetwork
from ganforge.judge.storage import Card, read_judge, save_judge
from ganforge.training.trial import recall, remember

torch.set_num_threads(1)
mine = os.getpid()
network = JudgeNetwork(2, (1, 8, 8), ((4,),))
for weight in network.parameters():
    torch.nn.init.constant_(weight, mine)
card = Card(str(mine), ("a", "b"), "data", 1, 0, 0.5, 0.5, "conv 4, dense 128", (1, 8, 8))
judge = place_for(cache_folder() / "judges" / "judge.safetensors")
images = ImageSet(torch.zeros(50, 1, 8, 8, dtype=torch.uint8), torch.full((50,), -1), (), "images")
eye = Eye(extractor=lambda block: block.flatten(1).float())
eye.judge = eye
eye.look = lambda images, report=None: type("View", (), {"features": images.flatten(1).float()})
memory = cache_folder() / "precision" / "answer.json"
save_judge(judge, network, card)

wait()
for k in range(15):
    remember(memory, [mine] * 3_000)
    answer = recall(memory)
    assert answer == answer[:1] * 3_000
    save_judge(judge, network, card)
    found, of, _ = read_judge(judge)
    assert all(bool((weight == int(of.version)).all()) for weight in found.parameters()), of.version
    assert kept_features(eye, images).shape == (50, 64)
    if k % 5 == 0:
        for file in (cache_folder() / "features").iterdir():
            file.unlink(missing_ok=True)
"""


def test_answers_judges_and_features(tmp_path):
    together(SMALL_CACHES)
    assert not left_in(tmp_path / "cache")
