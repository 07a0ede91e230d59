"""The findings on a recipe before step 1, and their limits, which the built-in recipes give."""

import pytest
import torch

from ganforge.data.images import ImageSet, Splits
from ganforge.diagnosis.finding import NAMES
from ganforge.diagnosis.recipe_checks import (
    MEMORIES,
    OF_GENERATOR,
    RATES,
    WEIGHTS_PER_VALUE,
    check_recipe,
    kind_of_network,
)
from ganforge.randomness import random_generator
from ganforge.recipes.reading import built_in, load_recipe
from ganforge.training.state import build_networks
from ganforge.training.tuning.machine_memory import least_memory, machine_memory

WEAK = {"dcgan-tiny-half", "dcgan-tiny-quarter"}
PICTURES = [
    recipe for name in built_in() if name not in WEAK and (recipe := load_recipe(name)).generator.output != "linear"
]
SHAPES = {"forge-signal": (1, 1, 128), "forge-signal-unconditional": (1, 1, 128), "next-frame": (20, 64, 64),
          "colour": (3, 32, 32), "own-pairs": (2, 28, 28)}  # fmt: skip


def made(shape=(1, 28, 28), count=1_200, classes=10):
    images = torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=random_generator("made"))
    if min(shape[1:]) > 2:
        images[..., 0, :] = images[..., -1, :] = images[..., 0] = images[..., -1] = 0
    train = ImageSet(images, torch.arange(count) % classes, tuple(map(str, range(classes))), "made")
    return Splits(train, train, train)


def names(recipe, *changes, data=None, memory=None):
    found = check_recipe(load_recipe(recipe, changes), data or made(), memory)
    assert all(finding.name in NAMES and finding.text and finding.remedies for finding in found)
    return [finding.name for finding in found]


@pytest.mark.parametrize("recipe", PICTURES, ids=lambda recipe: recipe.name)
def test_no_built_in_recipe_is_warned_of(recipe):
    splits = made(SHAPES.get(recipe.name, (1, 28, 28)), 1_200, 2)
    found = check_recipe(recipe, splits, 2**33)
    assert [finding.name for finding in found if not recipe.data.clusters] == []


SICK = {
    "generator_lr": ("vanilla", ["generator_lr=0.006"], "recipe"),
    "discriminator_lr": ("dcgan", ["discriminator_lr=2e-3"], "recipe"),
    "slow": ("forge-2", ["generator_lr=1e-6"], "recipe"),
    "beta1": ("vanilla", ["adam.beta1=0.99"], "recipe"),
    "beta2": ("vanilla", ["adam.beta2=0.5"], "recipe"),
    "latent": ("vanilla", ["latent.dim=1"], "recipe"),
    "narrow discriminator": ("vanilla", ["discriminator.hidden=[4]"], "discriminator-weak"),
    "few filters": ("forge-2", ["discriminator.filters=2"], "discriminator-weak"),
}


@pytest.mark.parametrize("fault", SICK)
def test_each_fault_is_found(fault):
    recipe, changes, name = SICK[fault]
    assert names(recipe, *changes) == [name]


def test_several_settings_are_one_finding():
    found = check_recipe(load_recipe("vanilla", ["generator_lr=0.05", "adam.beta1=0.99"]), made())
    assert [finding.name for finding in found] == ["recipe"]
    assert "generator_lr" in found[0].text and "adam.beta1" in found[0].text
    assert found[0].remedy == "--set generator_lr=0.002 --set adam.beta1=0.9"
    assert [remedy.changes for remedy in found[0].remedies] == [("generator_lr=0.002",), ("adam.beta1=0.9",)]


def test_few_images_are_found_where_a_discriminator_learns_them():
    assert names("vanilla", data=made(count=300)) == ["few-data"]
    assert names("forge-2", data=made(count=1_200, classes=40)) == ["few-data"]
    assert names("autoencoder", data=made(count=300)) == []
    assert names("forge-2-unconditional", data=made(count=1_200)) == ["few-data"], "50 clusters"


def test_batch_norm_on_the_pixels_is_found_where_the_border_is_constant():
    tiny = "dcgan-tiny-half"
    assert names(tiny, "discriminator.planes=[64,128,256]", data=made((3, 28, 28))) == ["recipe"]
    everywhere = made((3, 28, 28))
    noise = torch.randint(0, 256, everywhere.train.images.shape, dtype=torch.uint8)
    everywhere = Splits(*(ImageSet(noise, everywhere.train.labels, everywhere.train.class_names),) * 3)
    assert names(tiny, "discriminator.planes=[64,128,256]", data=everywhere) == []
    assert names(tiny, data=made((3, 28, 28))) == ["recipe", "discriminator-weak"]


def test_more_memory_than_the_machine_has_is_found():
    assert names("vanilla", "generator.hidden=[65536,65536]", memory=2**34) == ["recipe"]
    assert names("vanilla", memory=2**34) == []
    assert (machine_memory("cpu") or 2**33) > 2**28
    assert least_memory(load_recipe("vanilla"), weights=1000, values=784) == 4 * (4 * 1000 + 3 * 100 * 784)


def test_the_limits_are_those_of_the_built_in_recipes():
    rates = {}
    for recipe in PICTURES:
        rates.setdefault(kind_of_network(recipe.generator), set()).add(recipe.generator_lr)
        if recipe.discriminator:
            rates.setdefault(kind_of_network(recipe.discriminator), set()).add(recipe.discriminator_lr)
    assert {family: (min(values), max(values)) for family, values in rates.items()} == RATES
    for field, limits in MEMORIES.items():
        memories = [round(1 / (1 - getattr(recipe.adam, field))) for recipe in PICTURES]
        assert (min(memories), max(memories)) == limits


def test_the_weights_of_discriminators_that_work_are_far_from_the_limits():
    for recipe in PICTURES:
        if recipe.discriminator:
            shape = SHAPES.get(recipe.name, (1, 28, 28))
            with torch.device("meta"):
                networks = build_networks(recipe, shape, 10)
            counts = {name: sum(p.numel() for p in net.parameters()) for name, net in networks.items()}
            per_value = counts["discriminator"] / torch.Size(shape).numel()
            assert per_value > 3 * WEIGHTS_PER_VALUE or counts["discriminator"] > 2 * OF_GENERATOR * counts["generator"]
