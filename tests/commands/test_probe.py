import json
import sys

import numpy as np
import pytest

import weak_digits
from ganforge.applications import strength_measures

OWN = """
import torch
def rows_are_ones(pixels):
    bright = (pixels > 0.999).all(3).any(2).flatten()
    return torch.where(bright, 1, module(pixels).argmax(1))
from weak_digits import module, slanted_fours
linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
def learner(images, labels, *, steps, seed, start=None):
    return slanted_fours
"""


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """The shipped generator with drawn digits in place of MNIST, and readers that need no training."""
    (tmp_path / "own_digits.py").write_text(OWN)
    monkeypatch.setattr(sys, "path", list(sys.path))
    generator = weak_digits.generator()  # made before the patch, because it loads the shipped one itself
    monkeypatch.setattr("ganforge.generation.generator.load_generator", lambda *_: generator)
    monkeypatch.setattr("ganforge.applications.strengthen_task.load_generator", lambda *_: generator)
    monkeypatch.setattr("ganforge.experiment.preflight.load", lambda *_: weak_digits.splits())
    monkeypatch.setattr("ganforge.applications.strengthen_task.load", lambda *_: weak_digits.splits())
    monkeypatch.setattr("ganforge.evaluation.readers.readers_of", lambda *_: weak_digits.readers())
    monkeypatch.setattr("ganforge.applications.strengthen_task.readers_of", lambda *_: weak_digits.readers())
    monkeypatch.setattr(strength_measures, "FRESH_DRAWS", 50)
    monkeypatch.setattr(strength_measures, "CORRUPTED_PICTURES", 20)
    monkeypatch.setattr(strength_measures, "OTHER_DIGITS", ())
    yield
    sys.modules.pop("own_digits", None)


def test_what_is_found_is_strengthened(run_command, tmp_path):
    code, out, err = run_command("probe", "own_digits:slanted_fours", "--budget", 400, "--out", "p", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["groups"][0]["class"] == "4" and told["groups"][0]["read_as"] == "9"
    assert "4 read as 9: slanted right" in err and "common hole" in err

    code, out, err = run_command("strengthen", "own_digits:slanted_fours", "--with", "p", "--out", "closed", "--json")
    assert code == 0 and not json.loads(out)["trained"], err
    with np.load(tmp_path / "closed" / "train.npz") as arrays:
        assert len(arrays["images"]) == told["found"] and set(arrays["labels"]) == {4}

    common = ("strengthen", "own_digits:linear", "--with", "p/found.npz", "--steps", 3, "--seeds", 1)
    code, out, err = run_command(*common, "--out", "s", "--json")
    assert code == 0, err
    assert set(json.loads(out)["errors"]) > {"before", "found", "moved", "random fakes"}
    assert {file.name for file in (tmp_path / "s").iterdir()} == {"strengthen.json", "classifier.safetensors"}

    code, out, err = run_command(*common, "--learner", "own_digits:learner", "--out", "l")
    assert code == 0 and "no gain beyond noise" in out, err


def test_a_corruption_is_named_in_words(run_command):
    code, out, err = run_command("probe", "own_digits:rows_are_ones", "--budget", 2000, "--out", "p")
    assert code == 0, err
    line = next(line for line in out.splitlines() if line.startswith("corruption: bright row"))
    assert "copies that a reader still reads" in line and "1" not in line.rpartition("classes: ")[2]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("probe", "model.pt"), "torch.onnx.export"),
        (("probe", "own_digits:missing"), "has no missing"),
        (("probe", "http://example.com/"), "this machine alone"),
        (("probe", "own_digits:linear", "--budget", 10), "--budget 10"),
        (("probe", "own_digits:linear", "--input-range", "0..9"), "--input-range"),
        (("probe", "own_digits:linear", "--out", "own_digits.py"), "own_digits.py"),
        (("strengthen", "own_digits:linear", "--with", "nowhere"), "is missing"),
        (("strengthen", "own_digits:linear", "--with", "own_digits.py"), "no file of 'ganforge probe'"),
    ],
)
def test_invalid_input_is_one_line(run_command, arguments, why):
    code, out, err = run_command(*arguments)
    assert (code, out) == (2, "") and why in err and len(err.splitlines()) == 1


def test_a_probe_of_other_data_is_refused(run_command):
    images = weak_digits.digits(4, 1)
    arrays = {name: np.zeros(4, np.int64) for name in ("labels", "group", "predicted")}
    np.savez(
        "other.npz", images=images.images.numpy(), **arrays, seed=0, fingerprint="x", class_names=weak_digits.NAMES
    )
    code, _, err = run_command("strengthen", "own_digits:linear", "--with", "other.npz")
    assert code == 2 and "the probe was of other data" in err
