import json

import numpy as np
import pytest

from conftest import UNWRITABLE
from ganforge.applications import augment_sets as sets

LEARNER = """
import torch
def learn(images, labels, *, steps, seed, start=None):
    means = torch.stack([images[labels == k].float().mean(0) for k in range(4)]).flatten(1) / 255
    return lambda pixels: -torch.cdist(pixels.flatten(1), means)
def wrong(images, labels, *, steps, seed, start=None):
    return lambda pixels: pixels
"""


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch, tmp_path):
    monkeypatch.setattr(sets, "ENOUGH", 48)
    (tmp_path / "mylearner.py").write_text(LEARNER)


def test_augment_trains_a_generator_and_writes_the_set_that_helped(run_command, bars_file, tmp_path):
    augment = ("augment", bars_file, "--labels", 16, "--steps", 1, "--learner", "mylearner:learn")
    code, out, err = run_command(*augment, "--minutes", 1e-4, "--out", "more.npz", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert result["chosen"] == "nothing" and not result["helps"] and result["n"] == 16
    assert result["labels"] == {"learn": 16, "choose": 20, "report": 20} and len(result["filters"]) == 4
    assert "test images are also training images" not in err  # one labelled picture stands in for them
    with np.load("more.npz") as file:
        assert len(file["images"]) == len(file["labels"]) == len(file["source"]) == 16
    assert json.loads((tmp_path / result["model"] / "run.json").read_text())["no_judge"]
    code, out, err = run_command(*augment, "--model", result["model"])
    assert code == 0, err
    assert "nothing helps beyond noise" in out and "16 to learn from, 20 to choose, 20 to report" in out
    assert "filter of GAN pictures" in out and "16 pictures -> augmented.npz" in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--labels", 1000), "--labels 1,000: only 160 training images"),
        (("--labels", 3), "--labels 3: bars has 4 classes"),
        (("--validation-labels", 500), "--validation-labels 500"),
        (("--minutes", 0), "--minutes 0: must be above 0"),
        (("--seeds", 2), "--seeds 2: must be 3 or more"),
        (("--out", "more.png"), "must end in .npz"),
        (("--out", UNWRITABLE + "/more.npz"), "cannot be"),
        (("--learner", "mylearner"), "give module:function"),
        (("--learner", "mylearner:absent"), "mylearner has no absent"),
        (("--model", "mnist"), "give a run's folder"),
    ],
)
def test_bad_options_take_one_line_and_write_nothing(run_command, bars_file, tmp_path, options, words):
    before = {path.name for path in tmp_path.iterdir()}
    code, _, err = run_command("augment", bars_file, *options)
    assert code == 2 and words in err and len(err.strip().splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == before


def test_data_without_labels_are_refused(run_command, tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (60, 8, 8)).astype(np.uint8)
    np.savez("plain.npz", images=pictures)
    code, _, err = run_command("augment", "plain.npz")
    assert code == 2 and "label" in err.strip().splitlines()[-1] and not (tmp_path / "runs").exists()


def test_a_learner_that_returns_something_else_ends_in_one_line(run_command, bars_file, tmp_path):
    code, _, err = run_command(
        *("augment", bars_file, "--labels", 16, "--steps", 1, "--minutes", 1e-4, "--learner", "mylearner:wrong")
    )
    assert code == 2 and "returned shape [16, 1, 8, 8] for 16 pictures" in err.splitlines()[-1]
    assert not (tmp_path / "augmented.npz").exists() and not (tmp_path / "runs").exists()
