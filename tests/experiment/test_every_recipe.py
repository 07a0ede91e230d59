"""Properties of every recipe: stopping and resuming, hooks and seeds give the same bytes."""

import numpy as np
import pytest
import torch
from PIL import Image

import ganforge
from conftest import small_images
from ganforge.data.load import load
from ganforge.experiment.experiment import Experiment, ProgressListener
from ganforge.experiment.trainer import save_state
from ganforge.recipes.reading import built_in, load_recipe
from ganforge.runs.checkpoint import checkpoints
from ganforge.runs.folder import RunFolder
from ganforge.training import loop
from ganforge.training.step_function import step_function

CHANGES = ["batch_size=8", "run.checkpoint_seconds=0.2", "run.device=cpu"]


def changes_for(name):
    recipe = load_recipe(name)
    players = ["generator", *(name for name in ("discriminator", "encoder") if getattr(recipe, name))]
    small = [f"{player}.filters=4" for player in players if hasattr(recipe.generator, "filters")]
    for player in players:
        if hidden := getattr(getattr(recipe, player), "hidden", None):
            small.append(f"{player}.hidden={[12] * len(hidden)}")
    if recipe.generator.family == "unet":
        small = ["generator.filters=8", "discriminator.filters=4"]
    if recipe.pairs and recipe.pairs.kind == "downsample":  # 7 does not divide the side of the bars
        small.append("pairs.factor=4")
    if recipe.generator.family == "strided":
        small = ["generator.planes=[6, 4]", "discriminator.planes=[4, 6]"]
    small.append("latent.normal=6" if recipe.codes.width else "latent.dim=6")
    if recipe.generator.output == "linear":  # points are not pictures
        small.append("generator.output=sigmoid")
    if recipe.generator.virtual_batch_norm:
        small.append("generator.virtual_batch_norm=5")
    if recipe.pairs is not None and recipe.pairs.kind == "next-frame":
        small.append("pairs.given=4")  # the clips here have eight frames
    if recipe.data.labels:
        small.append("data.labels=8")
    if recipe.data.clusters:
        small.append("data.clusters=3")
    precision = ["run.precision=bf16"] if recipe.run.precision == "auto" else []
    return [*CHANGES, *small, *precision]


def data_for(name, bars_file, folder):
    """Return the bars; in colour, as clips or as pairs for the recipes that need these."""
    pairs = load_recipe(name).pairs
    if pairs is None or pairs.kind in ("downsample", "mask", "damage"):
        return bars_file
    bars = small_images()
    if pairs.kind == "grey":
        images = (bars.images * torch.tensor([1.0, 0.7, 0.4]).view(3, 1, 1)).to(torch.uint8).permute(0, 2, 3, 1)
        np.savez(folder / "colour.npz", images=images.numpy(), labels=bars.labels.numpy())
        return folder / "colour.npz"
    if pairs.kind == "next-frame":
        np.savez(folder / "clips.npz", clips=bars.images.view(-1, 8, 1, 8, 8).numpy())
        return folder / "clips.npz"
    for k, image in enumerate(bars.images[:60, 0].numpy()):
        for part, pixels in (("input", 255 - image), ("target", image)):
            (folder / "pairs" / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / "pairs" / part / f"{k}.png")
    return folder / "pairs"


def result(run):
    newest = checkpoints(RunFolder(run).checkpoints)[0]
    return newest.name, newest.read_bytes(), RunFolder(run).generator.read_bytes()


QUICK = ("vanilla", "acgan", "forge-1", "vae")
"""One recipe of each kind; slow runs test all recipes."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in built_in()]
)
def test_straight_resumed_and_bare_runs_have_the_same_bytes(name, bars_file, tmp_path, no_verdict):
    changes, bars_file = changes_for(name), data_for(name, bars_file, tmp_path)
    ganforge.train(name, data=bars_file, out="straight", steps=10, changes=changes)
    ganforge.train(name, data=bars_file, out="stopped", steps=4, changes=changes)
    ganforge.resume("stopped", steps=10)
    assert result("stopped") == result("straight")

    recipe = load_recipe(name, changes)
    experiment = Experiment(recipe, load(bars_file, images=recipe.data.images), RunFolder("bare"), 0)
    state = experiment.new_state()
    stop = lambda state: state.step >= 10  # noqa: E731
    loop.train(state, step_function(recipe), experiment.recipe, experiment.streams(), experiment.draws(), stop=stop)
    RunFolder("bare").create()
    save_state(experiment.folder.checkpoints, state)
    experiment.freeze_for_sampling(state).save(RunFolder("bare").generator)
    assert result("bare") == result("straight")

    ganforge.train(name, data=bars_file, out="other", steps=10, changes=changes, seed=1)
    assert result("other") != result("straight")


class Recorder(ProgressListener):
    def __init__(self):
        self.messages = []

    def say(self, text):
        self.messages.append(text)


@pytest.mark.parametrize(
    ("labels", "few", "name"),
    [(True, 161, "forge-2"), (False, 160, "forge-2-unconditional"), (False, 161, "forge-1-unconditional")],
)
def test_the_data_choose_the_default_recipe_and_a_message_names_it(bars, monkeypatch, labels, few, name):
    watcher = Recorder()
    monkeypatch.setattr("ganforge.experiment.preflight.FEW", few)
    data = (bars.images.numpy(), bars.labels.numpy()) if labels else bars.images.numpy()
    changes = changes_for(name)
    ganforge.train(data=data, out="run", steps=2, changes=changes, watcher=watcher)
    assert RunFolder("run").read_run()["recipe"] == name
    assert sum(f"recipe: {name}, because" in line for line in watcher.messages) == 1


def test_the_saved_recipe_has_the_chosen_precision(bars_file):
    watcher = Recorder()
    changes = [change for change in changes_for("dcgan") if not change.startswith("run.precision")]
    ganforge.train("dcgan", data=bars_file, out="run", steps=2, changes=changes, watcher=watcher)
    assert load_recipe("run/recipe.toml").run.precision in ("bf16", "fp32")
    assert any(line.startswith("precision: ") for line in watcher.messages)


@pytest.mark.parametrize(("count", "size"), [(40, 16), (5, 2)])  # of 32 and of 3 training images
def test_the_default_takes_smaller_batches_from_few_images(bars, count, size):
    watcher = Recorder()
    few = bars.images[:count].numpy()
    changes = [change for change in changes_for("forge-2") if not change.startswith("batch_size")]
    ganforge.train(data=few, out="run", steps=2, changes=changes, watcher=watcher)
    assert load_recipe("run/recipe.toml").batch_size == size
    assert any(f"batches of {size} instead of 64" in line for line in watcher.messages)
