"""Arguments of the public functions: numbers of any type, paths, recipes, runs; anything else is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import ganforge
from conftest import small_images
from ganforge.experiment.options import TrainOptions
from ganforge.recipes.reading import built_in
from ganforge.recipes.recipe import Recipe

CHANGES = ["batch_size=8", "generator.hidden=[16]", "discriminator.hidden=[16]"]
BARS = small_images()
DATA = BARS.images.numpy(), BARS.labels.numpy()


def trained(**arguments):
    return ganforge.train("vanilla", **{"data": DATA, "steps": 2, "changes": CHANGES} | arguments)


def refusal(function, *args, **arguments):
    with pytest.raises(ganforge.UserError) as caught:
        function(*args, **arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def written():
    return sorted(path.name for path in Path().iterdir() if path.name != "cache")


def test_numbers_of_any_type_make_the_same_run():
    plain = trained(seed=3, steps=4, out="plain")
    other = trained(seed=np.int64(3), steps=torch.tensor(4), out=Path("other"), skip_bad=np.False_)
    for file in ("generator.safetensors", "recipe.toml"):
        assert (plain.folder / file).read_bytes() == (other.folder / file).read_bytes()
    notes = [json.loads((run.folder / "run.json").read_text()) for run in (plain, other)]
    for note in notes:
        note.pop("seconds")
    assert notes[0] == notes[1]
    assert trained(epochs=np.float32(0.1), steps=None).step == 2
    options = TrainOptions.chosen(steps=np.int64(2), evaluate_every=np.int64(2), out="x", skip_bad=np.True_)
    assert (type(options.evaluate_every), type(options.length.steps), options.out) == (int, int, Path("x"))
    assert options.rules.skip_bad is True


def test_an_argument_that_train_does_not_have_is_an_error_of_the_caller():
    for train in (ganforge.train, ganforge.train_seeds):
        with pytest.raises(TypeError, match="stepz"):
            train("vanilla", data=DATA, stepz=2)


@pytest.mark.parametrize(
    "arguments",
    [
        *({"seed": value} for value in (True, 1.5, "3", None, [3])),
        *({"steps": value} for value in (True, 1.5, "3", 0, np.int64(-1), float("nan"))),
        *({"steps": None, "epochs": value} for value in (True, "3", 0.0)),
        *({"steps": None, "minutes": value} for value in ("3", float("inf"))),
        *({"evaluate_every": value} for value in (True, 1.5, "3", 0)),
        *({"out": value} for value in (3, b"out", ["out"])),
        *({"start_from": value} for value in (3, "nowhere")),
        *({"resize": value} for value in (True, 32.0, np.int64(32))),
        *({"device": value} for value in ("gpu", None, torch.device("meta"))),
        *(
            {"changes": value}
            for value in (["nonsense=3"], "nonsense=3", [3], None, {"batch_size": 8}, ["batch_size=x"])
        ),
        *({"data": value} for value in (None, 3, {"a": 1, "b": 2}, (DATA[0], DATA[1][:5]), "nowhere.npz")),
    ],
)
def test_wrong_arguments_are_refused_before_any_folder_is_made(arguments):
    refusal(trained, **arguments)
    assert written() == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"seeds": 1.5},
        {"seeds": True},
        {"seeds": 0},
        {"seed": "3"},
        {"at_once": "2"},
        {"out": 3},
        {"start_from": "other"},
    ],
)
def test_wrong_arguments_of_several_seeds_are_refused_before_any_folder_is_made(arguments):
    if "start_from" in arguments:
        trained(out="other", changes=["batch_size=8"])
    before = written()
    refusal(ganforge.train_seeds, "vanilla", **{"data": DATA, "steps": 2, "changes": CHANGES} | arguments)
    assert written() == before


def test_several_seeds_take_numbers_of_any_type():
    runs = ganforge.train_seeds(
        "vanilla", np.int64(2), seed=np.int32(5), at_once=np.int8(1), data=DATA, steps=2, changes=CHANGES, out=Path("s")
    )
    assert [run.folder for run in runs] == [Path("s/seed-5"), Path("s/seed-6")]


# Recipes


def test_a_recipe_may_be_a_name_a_file_or_an_object():
    Path("mine.toml").write_text(built_in()["vanilla"])
    recipes = (
        "vanilla",
        "mine.toml",
        Path("mine.toml"),
        ganforge.load_recipe("vanilla"),
        ganforge.load_recipe(Path("mine.toml")),
    )
    runs = [ganforge.train(recipe, data=DATA, steps=2, changes=CHANGES) for recipe in recipes]
    assert len({(run.folder / "generator.safetensors").read_bytes() for run in runs}) == 1


def test_changes_of_a_recipe_object_are_applied_or_refused():
    recipe = ganforge.load_recipe("vanilla")
    assert ganforge.load_recipe(recipe) == recipe
    assert ganforge.load_recipe(recipe, ["batch_size=8"]) == ganforge.load_recipe("vanilla", ["batch_size=8"])
    assert ganforge.load_recipe(recipe, "batch_size=8").batch_size == 8
    assert recipe.batch_size == 100
    assert "nonsense: no such field" in refusal(ganforge.train, recipe, data=DATA, changes=["nonsense=3"])
    assert "batch_size" in refusal(ganforge.train, recipe, data=DATA, changes=["batch_size=1"])
    for name in built_in():
        assert ganforge.load_recipe(ganforge.load_recipe(name)) == ganforge.load_recipe(name)


def test_a_recipe_changed_without_checks_is_checked():
    spoilt = ganforge.load_recipe("vanilla").model_copy(update={"batch_size": 1})
    assert isinstance(spoilt, Recipe)
    assert "batch_size" in refusal(ganforge.train, spoilt, data=DATA)
    assert written() == []


@pytest.mark.parametrize("recipe", [3, None, {"name": "vanilla"}, b"vanilla", ["vanilla"]])
def test_anything_but_a_recipe_is_refused(recipe):
    assert "Recipe" in refusal(ganforge.train, recipe, data=DATA)
    assert "Recipe" in refusal(ganforge.load_recipe, recipe)


# Runs


def test_a_run_can_replace_its_folder():
    images = small_images(1200)
    data = images.images.numpy(), images.labels.numpy()
    run = trained(data=data)
    assert torch.equal(ganforge.load(run).sample(3), ganforge.load(str(run.folder)).sample(3))
    assert ganforge.load_recipe(run.folder / "recipe.toml").name == "vanilla"
    assert trained(start_from=run).step == 2
    assert ganforge.resume(run, data=data, steps=np.int64(3)).step == 3
    features = lambda images: images.flatten(1).float()[:, :9]  # noqa: E731
    evaluation = ganforge.evaluate(run, data=data, extractor=features, n=np.int64(100), seed=np.int64(1))
    assert evaluation.what == str(run.folder)
    assert evaluation.step == 3
    assert (run.folder / "metrics.jsonl").exists()


@pytest.mark.parametrize("wrong", [3, None, b"run", ["run"]])
def test_anything_but_a_run_is_refused(wrong):
    refusal(ganforge.load, wrong)
    refusal(ganforge.resume, wrong)


@pytest.mark.parametrize(
    "arguments", [{"n": "20"}, {"n": 20.5}, {"seed": True}, {"judge": 3}, {"nearest": 3}, {"data": 3}]
)
def test_wrong_arguments_of_evaluate_are_refused(arguments):
    refusal(ganforge.evaluate, "mnist", **arguments)
    assert written() == []


# Drawing


def test_sample_and_morph_take_numbers_of_any_type():
    generator = ganforge.load("mnist", device=torch.device("cpu"))
    expected = generator.sample(4, labels=[2, 0], seed=1)
    for labels in (np.array([2, 0]), torch.tensor([2, 0]), (np.uint8(2), np.int64(0))):
        assert torch.equal(generator.sample(np.int64(4), labels=labels, seed=np.int32(1)), expected)
    frames = generator.morph(seeds=[1, 2], frames=3)
    assert torch.equal(generator.morph(seeds=np.array([1, 2]), frames=np.int64(3)), frames)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *(("sample", {"n": value}) for value in ("4", 1.5, True)),
        *(("sample", {"n": 4, "seed": value}) for value in ("1", None, 0.5)),
        *(("sample", {"labels": value}) for value in (3, "12", [1.5], [True], np.array([[1]]))),
        *(("morph", {"seeds": value}) for value in (3, ["1", "2"], [0.5, 1])),
        ("morph", {"labels": [1, 2], "frames": 2.5}),
        *(("write", {"text": value}) for value in (2026, None)),
        *(("write", {"text": "2026", "calm": value}) for value in ("1", True)),
    ],
)
def test_wrong_arguments_of_sample_morph_and_write_are_refused(name, arguments):
    refusal(getattr(ganforge.load("mnist"), name), **arguments)


@pytest.mark.parametrize("device", ["gpu", "meta", None, 3])
def test_a_missing_device_is_refused(device):
    assert "device" in refusal(ganforge.load, "mnist", device=device)
