"""A user's own pictures through the command line."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from ganforge.commands.progress import TerminalWatcher

TINY = ["--set", "latent.dim=6", "--set", "batch_size=8"]


@pytest.fixture
def pictures(tmp_path):
    """Class folders of 60 pictures of two sizes, one of them bad."""
    random = np.random.default_rng(0)
    for n in range(60):
        folder = tmp_path / "pictures" / ("cats" if n % 2 else "dogs")
        folder.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(random.integers(0, 256, (12, 12 + n % 3), np.uint8))
        image.save(folder / f"{n}.png")
    (folder / "bad.png").write_text("no picture")
    return tmp_path / "pictures"


READING = "--resize", "8", "--skip-bad"


def test_a_run_on_pictures_trains_and_resumes(run_command, pictures, tmp_path, monkeypatch):
    train = ("train", "vanilla", "--data", "pictures", *READING, *TINY)
    code, out, err = run_command(*train, "--steps", 6, "--out", "run")
    assert code == 0, err
    assert "60 pictures in 2 classes, short side scaled to 8 px" in out and "1 unreadable file skipped" in out
    saved = json.loads((tmp_path / "run" / "run.json").read_text())["data"]
    rules = {"rules": 3, "resize": "8", "skip_bad": True, "levels": None, "colour": False}
    assert saved == {"source": str(pictures), "name": "pictures", **rules}
    assert run_command(*train, "--steps", 12, "--out", "straight")[0] == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    code, _, err = run_command("resume", "../run", "--steps", 12)
    assert code == 0, err
    weights = [(tmp_path / run / "generator.safetensors").read_bytes() for run in ("run", "straight")]
    assert weights[0] == weights[1]
    Image.new("L", (12, 12), 9).save(pictures / "cats" / "new.png")
    code, _, err = run_command("resume", "../run", "--steps", 18)
    assert code == 2 and "have changed" in err and err.count("\n") == 1


def test_data_show_takes_the_same_flags(run_command, pictures):
    code, out, _ = run_command("data", "show", "pictures", "--resize", "8-pad", "--skip-bad", "--json")
    assert code == 0
    summary = json.loads(out)
    assert summary["counts"] == {"train": 48, "validation": 6, "test": 6}
    assert [row["name"] for row in summary["classes"]] == ["cats", "dogs"]
    assert (summary["height"], summary["channels"]) == (8, 1)


def test_sizes_are_width_by_height(run_command, tmp_path):
    np.save(tmp_path / "upright.npy", np.zeros((20, 12, 9), np.uint8))
    assert "; 9×12 px, grey" in run_command("data", "show", "upright.npy")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--data", "pictures"), "cats/bad.png (picture 31 of 61) cannot be read"),
        (
            ("--data", "pictures", "--skip-bad"),
            "3 sizes (13×12: 20, 14×12: 20, 12×12: 20); crop them all to 12×12 with --resize 12",
        ),
        (("--data", "pictures", "--resize", "500"), "8 to 64 px"),
        (("--data", "pictures", "--resize", "big"), "--resize big"),
        (("--data", "pictures/cats/1.png"), "is a single picture; give the folder or zip"),
        (("--data", "digits", "--resize", "8"), "not applicable to digits, which is always read as published"),
        (("--data", "bars.npz", "--skip-bad"), "works on a folder or archive of pictures"),
        (("--data", "cut.zip"), "is damaged or not a zip"),
        (("--data", "up.zip"), "leads outside the archive"),
    ],
)
def test_bad_pictures_are_one_line_and_exit_two(run_command, pictures, bars_file, tmp_path, arguments, words):
    with zipfile.ZipFile(tmp_path / "up.zip", "w") as archive:
        archive.writestr("../a.png", b"")
    (tmp_path / "cut.zip").write_bytes((tmp_path / "up.zip").read_bytes()[:-9])
    code, out, err = run_command("train", "vanilla", *arguments, *TINY)
    assert code == 2
    assert err.count("\n") == 1 and words in err and "Traceback" not in out + err
    assert not (tmp_path / "runs").exists()


def test_reading_shows_its_progress_on_a_terminal(monkeypatch, capsys):
    watcher = TerminalWatcher()
    watcher.reading("reading set", 5, 20)  # in a file or a pipe: nothing
    monkeypatch.setattr(watcher, "_console", Console(force_terminal=True, width=80))
    watcher.reading("reading set", 5, 20)
    watcher.reading("reading set", 20, 20)
    watcher.end()
    out, err = capsys.readouterr()
    assert "20/20" in out and "reading set" in out and "0:00:00" in out
    assert err == ""
