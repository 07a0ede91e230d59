import os

# One thread, because networks this small spend more time on synchronisation than on work.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GANFORGE_OFFLINE", "1")

from pathlib import Path

import numpy as np
import pytest
import torch

from ganforge.data.images import ImageSet

HAS_MNIST = "GANFORGE_DATA" in os.environ
needs_mnist = pytest.mark.skipif(not HAS_MNIST, reason="set GANFORGE_DATA to a folder with MNIST")
UNWRITABLE = str(Path(__file__) / "x")
"""A path that can be created on no system, not even by root, because its parent is a file."""


def pytest_make_parametrize_id(val, argname):
    """Give byte parameters no id: archives contain the time, so that every process would collect other test names."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    """Keep tests from writing into the checkout or the user's cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def quick_examinations(monkeypatch):
    """Let the examination at a run's end look at 300 pictures, with a reader that learned for 60 steps.

    Tests of the reader itself set its 300 steps again.
    """
    monkeypatch.setattr("ganforge.experiment.signals_hook.MOST_PICTURES", 300)
    monkeypatch.setattr("ganforge.evaluation.small_reader.STEPS", 60)


def small_images(n=200, side=8, classes=4, seed=0) -> ImageSet:
    """Noisy bars whose position is the class: a labelled data set that is quick to learn."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    images = random.integers(0, 60, (n, 1, side, side)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[0, :, label * side // classes : (label + 1) * side // classes] += 180
    names = tuple(str(c) for c in range(classes))
    return ImageSet(torch.from_numpy(images), torch.from_numpy(labels), names, "bars")


@pytest.fixture
def quick_verdict(monkeypatch):
    """Let a verdict measure 1,000 generated images in place of 10,000, for tests that need no more."""
    monkeypatch.setattr("ganforge.experiment.verdict.FAKES", 1000)


@pytest.fixture
def no_verdict(monkeypatch):
    """End runs without a verdict, for tests of other things: a judge reads every test image."""
    monkeypatch.setattr("ganforge.experiment.run.judge_run", lambda *_: None)


@pytest.fixture
def bars() -> ImageSet:
    return small_images()


@pytest.fixture
def bars_file(tmp_path) -> Path:
    """The same bars as a user's .npz file."""
    data = small_images()
    path = tmp_path / "bars.npz"
    np.savez(path, images=data.images[:, 0].numpy(), labels=data.labels.numpy())
    return path
