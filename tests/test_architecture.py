"""docs/architecture.md: its paths exist, and its instructions for additions suffice, because each is followed here.

The instructions for a loss are followed in tests/experiment/test_new_objective.py, those for a finding in
tests/diagnosis/test_findings.py.
"""

import json
import re
import zipfile
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import typer

import ganforge
from conftest import small_images
from ganforge.commands import main
from ganforge.data.load import load
from ganforge.data.sources import readers, table_files
from ganforge.data.sources.table_files import Reading
from ganforge.generation.generator import Generator
from ganforge.networks import registry
from ganforge.networks.blocks import Init
from ganforge.networks.heads import HeadSettings
from ganforge.networks.normalisation import ReferenceSettings
from ganforge.recipes.reading import built_in, load_recipe

CHECKOUT = Path(__file__).parents[1]
TEXT = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")


def paths(text):
    """The paths in backticks and in the diagrams: words with a slash or an ending of code, and no placeholder."""
    words = re.findall(r"(?<![\w/.-])[\w./-]+(?:/|\.(?:py|toml|md))(?![\w/])", text)
    return sorted({word for word in words if "NAME" not in word and word not in ("recipe.toml",)})


def exists(name):
    roots = (CHECKOUT, CHECKOUT / "docs", CHECKOUT / "src" / "ganforge", *(CHECKOUT / "src" / "ganforge").iterdir())
    return any((root / name).exists() for root in roots)


def test_every_path_of_the_page_exists():
    named = paths(TEXT)
    assert {"data/load.py", "commands/", "training/step.py", "tests/networks/test_networks.py"} <= set(named)
    assert [name for name in named if not exists(name)] == []


def test_every_room_is_on_the_page():
    rooms = [path.name for path in (CHECKOUT / "src" / "ganforge").iterdir() if any(path.glob("*.py"))]
    assert [room for room in rooms if f" {room}/ " not in TEXT] == []


# A network: its settings and networks, and their rows in networks/registry.py


class LinearSettings(HeadSettings):
    """A discriminator that is one linear map of the pixels."""

    family: Literal["linear"]
    label: Literal["none"] = "none"
    init: Init = Init()


class LinearGeneratorSettings(ReferenceSettings):
    """A generator that is one linear map of the latent."""

    family: Literal["linear"]
    output: Literal["tanh"] = "tanh"
    gain: float = 1.0
    init: Init = Init()


class Linear(torch.nn.Module):
    def __init__(self, settings, shape, classes, head_factory):
        super().__init__()
        self.heads = head_factory(int(np.prod(shape)), classes)

    def forward(self, images, condition=None):
        return self.heads(images.flatten(1), condition)


class LinearGenerator(torch.nn.Module):
    def __init__(self, settings, latent_dim, shape, classes):
        super().__init__()
        self.shape, self.gain = shape, settings.gain
        self.layer = torch.nn.Linear(latent_dim, int(np.prod(shape)))

    def forward(self, latent, condition=None, *, squashed=True):
        images = (self.gain * self.layer(latent)).view(-1, *self.shape)
        return torch.tanh(images) if squashed else images


def test_a_new_network_trains_resumes_and_draws(bars_file, tmp_path, monkeypatch):
    monkeypatch.setitem(registry.GENERATORS, LinearGeneratorSettings, LinearGenerator)
    monkeypatch.setitem(registry.DISCRIMINATORS, LinearSettings, Linear)
    head = built_in()["vanilla"].split("[generator]")[0].replace('name = "vanilla"', 'name = "mine"')
    recipe = tmp_path / "mine.toml"
    recipe.write_text(f'{head}[generator]\nfamily = "linear"\ngain = 0.5\n[discriminator]\nfamily = "linear"\n')
    assert load_recipe(str(recipe)).to_dict()["generator"]["gain"] == 0.5
    run = ganforge.train(str(recipe), data=bars_file, steps=2, changes=["batch_size=8"])
    assert ganforge.resume(run.folder, steps=3).step == 3
    generator = ganforge.load(run.folder)
    assert isinstance(generator.module, LinearGenerator)
    assert generator.sample(3).shape == (3, 1, 8, 8)


# A data format: a reader, its endings, and its two functions


def read_raw(sources, where, rules):
    with sources[0].opened() as stream:
        return Reading({"train": (np.frombuffer(stream.read(), np.uint8).reshape(-1, 8, 8), None)})


def test_a_new_data_format_is_read_as_a_file_a_folder_and_a_zip(tmp_path, monkeypatch):
    monkeypatch.setitem(table_files.ENDINGS, ".raw8", "raw")
    monkeypatch.setitem(readers.SETS, "raw", read_raw)
    monkeypatch.setitem(readers.HOLDING, "raw", lambda source: source.size > 0)
    images = small_images().images
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "mine.raw8").write_bytes(images.numpy().tobytes())
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.write(folder / "mine.raw8", "mine.raw8")
    for place in (folder / "mine.raw8", folder, tmp_path / "mine.zip"):
        splits = load(str(place))
        assert len(splits.train) + len(splits.validation) + len(splits.test) == len(images)
        assert splits.train.shape == (1, 8, 8)


# An application: a function of a generator, and a command registered in commands/main.py


def brightness(generator: Generator, count: int) -> float:
    """Mean pixel of some images."""
    return float(generator.sample(count).float().mean())


def brightness_command(run: str, as_json: bool = typer.Option(False, "--json")) -> None:
    """Print the mean pixel. Example: ganforge brightness RUN."""
    from ganforge.commands.console import print_json

    print_json({"mean": brightness(ganforge.load(run), 4)})


def test_a_new_application_is_a_command(bars_file, capsys, monkeypatch):
    monkeypatch.setattr(main.app, "registered_commands", [*main.app.registered_commands])
    main.app.command("brightness")(brightness_command)
    run = ganforge.train("vanilla", data=bars_file, steps=1, changes=["batch_size=8"])
    assert main._run(["brightness", str(run.folder), "--json"]) == 0
    assert 0 < json.loads(capsys.readouterr().out)["mean"] < 255
    assert main._run(["brightness", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
