"""Files that ganforge wrote into a folder of pictures are never read as data; other pictures with equal names are."""

import os

import numpy as np
import pytest
from PIL import Image

import ganforge
from ganforge.data.load import load

SMALL = ("latent.dim=4", "generator.hidden=[4]", "discriminator.hidden=[4]", "batch_size=4", "run.precision='fp32'")


def write(folder, low=0, high=256, count=24, ending="png"):
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(low)
    for n in range(count):
        file = folder / f"{n:02}.{ending}"
        Image.fromarray(random.integers(low, high, (8, 8), dtype=np.uint8)).save(file)
        os.utime(file, (315532800, 315532800))
    return folder


@pytest.mark.parametrize("classes", [False, True])
def test_a_run_inside_its_data_folder_resumes(tmp_path, monkeypatch, run_command, classes):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("a", "b") if classes else (".",):
        write(data / name)
    monkeypatch.chdir(data)
    monkeypatch.setenv("GANFORGE_CACHE", str(data / "cache"))
    before = load(".").fingerprint
    run = ganforge.train("vanilla", data=".", steps=2, changes=SMALL)
    assert run.folder.is_relative_to("runs")
    assert ganforge.resume(run.folder, steps=4).step == 4
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "another"))  # the first one is known by its tag
    assert load(".").fingerprint == before
    code, out, err = run_command("data", "show", ".")
    assert code == 0, err
    assert not list(data.glob("*contact-sheet*")) and "contact sheet: " in out
    (data / "old-contact-sheet.png").write_bytes((data / ("a/00.png" if classes else "00.png")).read_bytes())
    assert load(".").fingerprint == before
    ganforge.train_seeds("vanilla", 2, data=".", steps=2, changes=SMALL, out="several", at_once=1)
    assert load(".").fingerprint == before
    assert ganforge.train("vanilla", data=".", steps=2, changes=SMALL).step == 2


def test_a_run_killed_at_its_start_is_not_read_as_data(tmp_path):
    data = write(tmp_path / "data")
    before = load(data).fingerprint
    (data / "runs" / "vanilla-data-1" / "checkpoints").mkdir(parents=True)
    (data / "runs" / "vanilla-data-1" / "recipe.toml").write_text("")
    assert load(data).fingerprint == before


def test_a_contact_sheet_is_not_read_as_data(tmp_path, run_command):
    data = write(tmp_path / "data")
    code, _, err = run_command("data", "show", data, "--out", data / "sheet.png")
    assert code == 2 and "lies in" in err and err.count("\n") == 1
    assert not (data / "sheet.png").exists()
    assert run_command("data", "show", data, "--out", tmp_path / "sheet.png")[0] == 0


@pytest.mark.parametrize("packed", [False, True])
def test_changed_content_of_equal_name_size_and_time_is_detected(tmp_path, packed):
    import zipfile

    def at_the_path(folder):
        if not packed:
            if (tmp_path / "set").exists():
                (tmp_path / "set").rename(tmp_path / "away")
            folder.rename(tmp_path / "set")
            return tmp_path / "set"
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
            for file in sorted(folder.iterdir()):
                archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes())
        os.utime(tmp_path / "set.zip", (315532800, 315532800))
        return tmp_path / "set.zip"

    dark, light = write(tmp_path / "dark", 0, 60, ending="bmp"), write(tmp_path / "light", 190, 256, ending="bmp")
    assert load(at_the_path(dark)).train.images.max() < 60
    assert load(at_the_path(light)).train.images.min() >= 190
