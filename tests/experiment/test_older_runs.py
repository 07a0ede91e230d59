"""Runs that an earlier ganforge began on a user's own data continue with their own rules of reading.

``tests/legacy`` holds three runs of ganforge 0.1.0 as of November 2026, six steps each, and the generators that the same
program had after twelve. Under today's rules each set would be read otherwise: classes 0 to 12 in numeric order, grey
pictures that were saved in colour as grey, labels in descending order cut evenly, ``training`` and ``testing`` as parts.
"""

import json
import platform
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganforge
from ganforge.data.load import load
from ganforge.data.reading_rules import ReadingRules
from ganforge.errors import UserError
from ganforge.recipes.reading import parse
from ganforge.runs.checkpoint import read_tensors

LEGACY = Path(__file__).parent.parent / "legacy"
MACHINE = ("AVX512", "2.13.0+cpu", "x86_64")
"""The machine that trained the runs: on another one the last bits of a product may differ."""


def write_pictures(folder: Path) -> None:
    """The data of the first two runs, drawn by one generator in this order."""
    random = np.random.default_rng(11)
    for number in range(13):
        for index in range(6):
            image = random.integers(0, 60, (8, 8)).astype(np.uint8)
            image[number % 8] += 150
            image[:, number // 2] += 40
            path = folder / "pictures" / str(number) / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).convert("RGB").save(path)
    images, labels = random.integers(0, 200, (120, 8, 8)).astype(np.uint8), np.repeat(np.arange(4)[::-1], 30)
    parts = {"x_train": images[:100], "y_train": labels[:100], "x_test": images[100:], "y_test": labels[100:]}
    np.savez(folder / "arrays.npz", **parts, valid_images=images[:10])


def write_parts(folder: Path) -> None:
    random = np.random.default_rng(12)
    for number in range(60):
        image = random.integers(0, 255, (8, 8)).astype(np.uint8)
        path = folder / "parts" / ("testing" if number % 5 == 4 else "training") / str(number % 3) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


@pytest.mark.parametrize(
    ("name", "file", "classes"),
    [
        ("pictures", "pictures", ("0", "1", "10", "11", "12", *"23456789")),
        ("arrays", "arrays.npz", tuple("0123")),
        ("parts", "parts", ("testing", "training")),
    ],
)
def test_an_older_run_reads_its_data_as_before_and_resumes_to_the_same_bytes(tmp_path, name, file, classes):
    write_pictures(tmp_path)
    write_parts(tmp_path)
    run = shutil.copytree(LEGACY / name, tmp_path / "run")
    ganforge.resume(run, steps=12, data=tmp_path / file)
    made, note = read_tensors(run / "generator.safetensors")
    before, expected = read_tensors(LEGACY / f"{name}-at-step-12.safetensors")
    assert tuple(note["class_names"]) == classes
    assert parse(note.pop("recipe"), "here") == parse(expected.pop("recipe"), "before") and note == expected
    for tensor in before:
        torch.testing.assert_close(made[tensor], before[tensor], rtol=1e-5, atol=1e-6)
    if (torch.backends.cpu.get_cpu_capability(), torch.__version__, platform.machine()) == MACHINE:
        assert all(made[tensor].numpy().tobytes() == before[tensor].numpy().tobytes() for tensor in before)
    data = json.loads((run / "run.json").read_text())["data"]
    assert data["source"] == str(tmp_path / file) and "rules" not in data


def test_an_older_run_shows_its_recipe_with_current_names(tmp_path):
    recipe = ganforge.load_recipe(LEGACY / "parts" / "recipe.toml")
    assert recipe.averaging.half_life == 50_000 and recipe.penalties.approximate_r1.sigma == 0.1
    assert ganforge.load(str(LEGACY / "parts")).recipe == recipe
    assert ganforge.load("mnist").recipe.averaging.ramp == 0.05  # the generator that ships with the package
    (tmp_path / "new.toml").write_text(recipe.to_toml())
    assert "[averaging]\nhalf_life = 50000.0" in recipe.to_toml()
    assert ganforge.load_recipe(tmp_path / "new.toml") == recipe


def test_a_run_starts_from_an_older_one_or_names_the_difference(tmp_path):
    write_pictures(tmp_path)
    recipe, options = LEGACY / "arrays" / "recipe.toml", {"data": tmp_path / "arrays.npz", "steps": 1}
    with pytest.raises(UserError, match=r"generator.hidden is \[8\] there and \[9\] here"):
        ganforge.train(recipe, start_from=LEGACY / "arrays", changes=["generator.hidden=[9]"], out="other", **options)
    ganforge.train(recipe, start_from=LEGACY / "arrays", out="run", **options)


def test_another_summary_is_not_another_recipe(tmp_path):
    write_pictures(tmp_path)
    small = ("latent.dim=4", "generator.hidden=[4]", "discriminator.hidden=[4]", "batch_size=4", "run.precision='fp32'")
    options = {"data": tmp_path / "pictures", "steps": 2, "changes": small}
    ganforge.train_seeds("vanilla", out=tmp_path / "runs", seeds=1, **options)
    file = tmp_path / "runs" / "seed-0" / "recipe.toml"
    summary = ganforge.load_recipe("vanilla").summary
    file.write_text(file.read_text().replace(summary, "worded otherwise"))
    ganforge.train_seeds("vanilla", out=tmp_path / "runs", seeds=2, **options)
    assert "worded otherwise" in file.read_text()
    with pytest.raises(UserError, match="another recipe"):
        ganforge.train_seeds(
            "vanilla", out=tmp_path / "runs", seeds=2, **(options | {"changes": (*small, "game.unroll=1")})
        )


def test_current_rules_read_the_same_data_differently(tmp_path):
    write_pictures(tmp_path)
    write_parts(tmp_path)
    pictures, parts = load(tmp_path / "pictures"), load(tmp_path / "parts")
    assert pictures.train.class_names == tuple(map(str, range(13))) and pictures.train.shape == (1, 8, 8)
    assert parts.train.class_names == ("0", "1", "2") and len(parts.test) == 12
    assert len(load(tmp_path / "arrays.npz").validation) == 10  # valid_images, which older versions ignored


def test_changed_data_are_refused_in_any_folder(tmp_path):
    write_pictures(tmp_path)
    run = shutil.copytree(LEGACY / "pictures", tmp_path / "run")
    with pytest.raises(UserError, match="pictures"):
        ganforge.resume(run, steps=12)  # their folder is gone
    Image.new("RGB", (8, 8), "white").save(tmp_path / "pictures" / "0" / "0.png")
    with pytest.raises(UserError, match="have changed"):
        ganforge.resume(run, steps=12, data=tmp_path / "pictures")
    assert json.loads((run / "run.json").read_text())["data"]["source"] == "/data/pictures"


def test_a_run_keeps_its_rules_of_reading(tmp_path):
    write_pictures(tmp_path)
    rules = ReadingRules(levels=(0, 200), colour=True, resize="10")
    assert ReadingRules.of_run(json.loads(json.dumps(rules.for_run()))) == rules
    small = ("latent.dim=4", "generator.hidden=[4]", "discriminator.hidden=[4]", "batch_size=4", "run.precision='fp32'")
    options = {"data": tmp_path / "pictures", "levels": (0, 200), "colour": True, "resize": "10", "changes": small}
    ganforge.train("vanilla", out=tmp_path / "straight", steps=8, **options)
    ganforge.train("vanilla", out=tmp_path / "run", steps=4, **options)
    (tmp_path / "pictures").rename(tmp_path / "moved")
    ganforge.resume(tmp_path / "run", steps=8, data=tmp_path / "moved")
    weights = [(tmp_path / name / "generator.safetensors").read_bytes() for name in ("straight", "run")]
    assert weights[0] == weights[1]
    assert read_tensors(tmp_path / "run" / "generator.safetensors")[1]["shape"] == [3, 10, 10]
    ganforge.resume(tmp_path / "run", steps=9)  # the new place is kept
