"""Every member of an ensemble plays as it would alone."""

import pytest
import torch

from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet
from ganforge.recipes.reading import load_recipe
from ganforge.training.draws import Draws
from ganforge.training.ensemble import CrewDraws, ensemble, together, why_not
from ganforge.training.loop import train
from ganforge.training.state import DTYPES, new_state, prepare
from ganforge.training.step import adversarial

SMALL = {
    "vanilla": ["generator.hidden=[32]", "discriminator.hidden=[32]"],
    "vanilla with averages": ["generator.hidden=[32]", "discriminator.hidden=[32]", "ema_half_life=500"],
    "gan-2d": ["generator.hidden=[32,32]", "discriminator.hidden=[16,16]"],
    "forge-2d": ["generator.hidden=[32,32]", "discriminator.hidden=[16,16]", "penalties.r1.weight=0.1"],
    "cgan": ["generator.hidden=[32]", "discriminator.hidden=[32]"],
    "udacity": [],
    "two-phase": [],
}
SEEDS = (3, 4, 7)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def images():
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (300, 1, 8, 8), dtype=torch.uint8, generator=random)
    return ImageSet(pixels, torch.arange(300) % 10, tuple("0123456789"))


def begin(name, images, precision="fp64"):
    recipe = load_recipe(
        name.split(" with")[0], [*SMALL[name], f"precision={precision}", "device=cpu", "batch_size=20"]
    )
    states, draws, streams = [], [], []
    for seed in SEEDS:
        dtype = DTYPES[precision]
        stream = Batches(images, 20, recipe.pixel_range, seed=seed, labels=recipe.conditional, device=CPU, dtype=dtype)
        draws.append(Draws(recipe, seed, CPU, dtype))
        streams.append({"real": stream})
        states.append(new_state(recipe, images.shape, 10, seed, CPU))
        prepare(states[-1], recipe, streams[-1], draws[-1])
    return recipe, states, streams, draws


def alone(name, images, steps, precision):
    recipe, states, streams, draws = begin(name, images, precision)
    seen = []
    for state, stream, draw in zip(states, streams, draws, strict=True):
        seen.append([])
        hooks = [lambda _, x: seen[-1].append(x)]
        train(state, adversarial, recipe, stream, draw, stop=lambda s: s.step >= steps, hooks=hooks)
    return states, seen


def as_one(name, images, steps, precision, first=0):
    recipe, states, streams, draws = begin(name, images, precision)
    if first:
        for state, stream, draw in zip(states, streams, draws, strict=True):
            train(state, adversarial, recipe, stream, draw, stop=lambda s: s.step >= first)
    crew, seen = ensemble(states, recipe), []
    train(
        crew,
        adversarial,
        recipe,
        together(streams),
        CrewDraws(draws),
        stop=lambda s: s.step >= steps,
        hooks=[lambda _, x: seen.append(x)],
    )
    return states, seen


# Adam without momentum moves every weight by its rate whichever way the last bit points: forge-2d in double only
CASES = [
    (name, *how) for name in SMALL for how in (("fp64", 1e-9), ("fp32", 1e-4)) if (name, how[0]) != ("forge-2d", "fp32")
]


@pytest.mark.parametrize(("name", "precision", "near"), CASES)
def test_each_member_has_the_weights_averages_and_slots_of_its_single_run(name, precision, near, images):
    singles, _ = alone(name, images, 20, precision)
    members, _ = as_one(name, images, 20, precision)
    moved = 0.0
    for single, member in zip(singles, members, strict=True):
        there = member.tensors()
        assert there.keys() == single.tensors().keys()
        for key, value in single.tensors().items():
            torch.testing.assert_close(there[key], value, atol=near, rtol=near, msg=lambda m, key=key: f"{key}: {m}")
        moved += float((singles[0].generator.parameters[0] - single.generator.parameters[0]).detach().abs().sum())
    assert moved > 1  # the seeds differ


@pytest.mark.parametrize("name", ["vanilla", "two-phase"])
def test_each_member_is_told_what_its_single_run_is_told(name, images):
    _, singles = alone(name, images, 3, "fp64")
    _, crew = as_one(name, images, 3, "fp64")
    for k, single in enumerate(singles):
        for step in range(3):
            own = {key: value[k] for key, value in crew[step].items()}
            assert own.keys() == single[step].keys()
            for key, value in single[step].items():
                torch.testing.assert_close(own[key], value, msg=lambda m, key=key: f"{key}: {m}")


def test_runs_that_were_begun_alone_go_on_together(images):
    singles, _ = alone("vanilla with averages", images, 12, "fp64")
    members, _ = as_one("vanilla with averages", images, 12, "fp64", first=5)
    for single, member in zip(singles, members, strict=True):
        for key, value in single.tensors().items():
            torch.testing.assert_close(member.tensors()[key], value)


def test_a_member_goes_on_alone_from_what_it_saved_in_the_ensemble(images):
    singles, _ = alone("vanilla", images, 9, "fp64")
    members, _ = as_one("vanilla", images, 6, "fp64")
    recipe, states, streams, draws = begin("vanilla", images)
    saved = {key: value.clone() for key, value in members[1].tensors().items()}
    states[1].load(saved, 6, 120)
    train(states[1], adversarial, recipe, streams[1], draws[1], stop=lambda s: s.step >= 9)
    for key, value in singles[1].tensors().items():
        torch.testing.assert_close(states[1].tensors()[key], value)


@pytest.mark.parametrize(
    ("name", "word"),
    [("pacgan", "packing"), ("unrolled", "unrolling"), ("sngan", "spectral"), ("dcgan", "convolutions"), ("infogan", "terms"), ("vae", "encoder"),
     ("wgan-gp", "gradient penalty"), ("semi-supervised", "noise inside")],
)  # fmt: skip
def test_what_it_cannot_play_is_named(name, word):
    assert word in why_not(load_recipe(name))


def test_what_each_member_has_of_its_own_besides_weights_is_refused():
    recipe = load_recipe("vanilla", ["discriminator.weight_norm=true"])
    assert "first batch" in why_not(recipe)
    stored = {
        key
        for key, _ in new_state(load_recipe("udacity-deep"), (1, 8, 8), 0, 0, CPU).discriminator.module.named_buffers()
    }
    assert {key.rsplit(".", 1)[1] for key in stored} <= {
        "mean",
        "var",
    }  # those of batch norm, which training never reads


def test_it_can_play_the_recipes_for_points_and_the_plain_ones():
    assert not any(why_not(load_recipe(name.split(" with")[0])) for name in SMALL)
