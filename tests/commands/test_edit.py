import json

import numpy as np
import pytest
import torch
from PIL import Image

import ganforge
from ganforge.applications.edit import attributes
from ganforge.data.traits import measured_attributes
from ganforge.generation import invert as room


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    """Search briefly: the tests are about what an edit does with the result."""
    monkeypatch.setattr(room, "BANK", 300)
    monkeypatch.setattr("ganforge.applications.edit.MEASURED", 600)
    monkeypatch.setattr(
        "ganforge.applications.edit.invert", lambda *given, **options: room.invert(*given, **options | {"steps": 5})
    )


@pytest.fixture
def seven(tmp_path):
    return save(tmp_path / "seven.png", ganforge.load("mnist").sample(labels=[7], seed=3)[0, 0].numpy())


def save(path, array, mode=None):
    Image.fromarray(array, mode).save(path)
    return path


def sheet(path):
    with np.load(path) as arrays:
        return arrays["images"][..., 0]


def test_a_picture_is_answered_by_the_nearest_ones(run_command, seven):
    code, out, err = run_command("edit", "mnist", "--picture", seven, "--draws", 3, "--out", "x.npz", "--json")
    assert code == 0, err
    assert json.loads(out)["n"] == 4 and json.loads(out)["psnr"] > 10
    assert np.array_equal(sheet("x.npz")[0], np.asarray(Image.open(seven)))


def test_a_completion_keeps_the_known_pixels(run_command, seven, tmp_path):
    mask = np.zeros((28, 28), np.uint8)
    mask[:, 14:] = 255
    code, _, err = run_command(
        "edit", "mnist", "--picture", seven, "--mask", save(tmp_path / "m.png", mask), "--out", "x.npz"
    )
    assert code == 0, err
    pictures, original = sheet("x.npz"), np.asarray(Image.open(seven))
    assert len(pictures) == 5
    assert (pictures[1:, :, :14] == original[:, :14]).all()


def test_a_drawing_is_answered_where_it_is_drawn(run_command, tmp_path):
    drawing = np.zeros((28, 28, 4), np.uint8)
    drawing[4:24, 13:16] = 255
    code, _, err = run_command(
        "edit", "mnist", "--strokes", save(tmp_path / "s.png", drawing), "--draws", 2, "--out", "x.npz"
    )
    assert code == 0, err
    assert len(sheet("x.npz")) == 3


def test_class_attribute_and_mix_change_step_by_step(run_command, seven, tmp_path):
    other = save(tmp_path / "one.png", ganforge.load("mnist").sample(labels=[1], seed=3)[0, 0].numpy())
    for change in (
        ("--picture", seven, "--toward", "9"),
        ("--picture", seven, "--attribute", "slant=2"),
        ("--mix", seven, other),
    ):
        code, _, err = run_command("edit", "mnist", *change, "--out", "x.npz")
        assert code == 0, err
        frames = sheet("x.npz").astype(float)
        steps = np.abs(np.diff(frames, axis=0)).mean((1, 2))
        assert len(frames) == 8 and 0 < steps.max() < np.abs(frames[-1] - frames[0]).mean()


def test_attributes_change_what_they_name():
    generator = ganforge.load("mnist")
    directions = attributes(generator)
    assert {"ink", "slant", "direction-1"} <= set(directions)
    latent, labels = generator.latent(200, seed=4), torch.arange(200) % 10
    for name in ("ink", "slant"):
        low, high = (
            measured_attributes(generator.draw(latent + amount * directions[name].to(latent), labels))[name].mean()
            for amount in (-1, 1)
        )
        assert high > low


def test_slant_and_size_are_measured():
    upright = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    upright[0, 0, 4:24, 13:15] = 255
    leaning = torch.zeros_like(upright)
    for row in range(4, 24):
        leaning[0, 0, row, 20 - row // 2 : 22 - row // 2] = 255
    measured = measured_attributes(torch.cat([upright, leaning]))
    assert measured["slant"][0] == pytest.approx(0) and measured["slant"][1] == pytest.approx(0.5, abs=0.05)
    assert measured["height"][0] > 3 * measured["width"][0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give one of --picture FILE"),
        (("--mask", "black.png"), "--mask: needs --picture FILE"),
        (("--picture", "seven.png", "--mix", "seven.png", "seven.png"), "give one of --picture FILE"),
        (("--toward", "9", "--strokes", "seven.png"), "--toward: give one of them, with --picture FILE"),
        (("--picture", "seven.png", "--toward", "x"), "--toward x: label 'x' is not a class; there are 0, 1"),
        (("--picture", "seven.png", "--mask", "black.png"), "black.png: is black everywhere; make free pixels white"),
        (("--picture", "seven.png", "--mask", "white.png"), "white.png: is white everywhere"),
        (("--picture", "seven.png", "--mask", "empty.png"), "empty.png: is transparent everywhere"),
        (("--picture", "seven.png", "--mask", "other.png"), "other.png: is 8×8 pixels, and forge-1 draws 28×28"),
        (("--picture", "moving.gif"), "moving.gif: is an animation of 2 frames"),
        (("--picture", "coloured.png"), "coloured.png: is in colour, and forge-1 draws grey pictures"),
        (("--mix", "seven.png"), "requires 2 arguments"),
        (("--mix", "seven.png", "none.png", "--out", "new/x.png"), "none.png: cannot be read"),
        (("--picture", "seven.png", "--draws", 10**9), "must be at most 64"),
        (("--picture", "seven.png", "--attribute", "slnt=1"), "did you mean slant"),
        (("--picture", "seven.png", "--attribute", "slant"), "write NAME=AMOUNT"),
        (("--picture", "seven.png", "--attribute", "slant=99"), "from -10 to 10"),
        (("--picture", "big.png"), "is 40×30 pixels, and forge-1 draws 28×28"),
        (("--picture", "none.png"), "cannot be read"),
        (("--picture", "seven.png", "--draws", 0), "--draws 0"),
        (("--picture", "seven.png", "--out", "x.gif"), "write .png"),
        (("--strokes", "empty.png"), "wholly transparent"),
        (
            ("--picture", "seven.png", "--out", "seven.png"),
            "seven.png is one of the given files, and would be replaced",
        ),
        (("--mix", "seven.png", "seven.png", "--out", "seven.png"), "seven.png is one of the given files"),
    ],
)
def test_bad_input_is_refused_in_one_line(run_command, seven, tmp_path, arguments, message):
    save(tmp_path / "big.png", np.zeros((30, 40), np.uint8))
    save(tmp_path / "empty.png", np.zeros((28, 28, 4), np.uint8))
    save(tmp_path / "black.png", np.zeros((28, 28), np.uint8))
    save(tmp_path / "white.png", np.full((28, 28), 255, np.uint8))
    save(tmp_path / "other.png", np.eye(8, dtype=np.uint8) * 255)
    save(tmp_path / "coloured.png", np.full((28, 28, 3), (200, 0, 0), np.uint8))
    frames = [Image.fromarray(np.full((28, 28), level, np.uint8)) for level in (0, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    code, _, err = run_command("edit", "mnist", *arguments)
    assert code == 2, err
    assert message in err and err.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_transparent_pixels_of_a_mask_are_free(run_command, seven, tmp_path):
    mask = np.full((28, 28, 4), 255, np.uint8)
    mask[:, 14:, 3] = 0
    code, _, err = run_command(
        "edit", "mnist", "--picture", seven, "--mask", save(tmp_path / "m.png", mask), "--draws", 1, "--out", "x.npz"
    )
    assert code == 0, err
    assert (sheet("x.npz")[1, :, :14] == np.asarray(Image.open(seven))[:, :14]).all()


@pytest.mark.parametrize("arguments", [("--attribute",), ("--attribute", "list"), ("--attribute", "--json")])
def test_attribute_without_a_value_lists_the_names(run_command, arguments):
    code, out, err = run_command("edit", "mnist", *arguments)
    assert code == 0, err
    assert "slant" in out and "direction-1" in out
    assert "--json" in arguments or "slant=-3..3  leaning" in out


def test_the_list_of_attributes_needs_no_drawing(run_command, monkeypatch):
    monkeypatch.setattr("ganforge.applications.edit.attributes", None)
    assert run_command("edit", "mnist", "--attribute")[0] == 0
