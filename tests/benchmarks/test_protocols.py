import pytest
import torch

from ganforge.benchmarks.protocols import PROTOCOLS, Plan
from ganforge.networks.normalisation import BatchNorm
from ganforge.recipes.reading import load_recipe
from ganforge.training.state import new_state


def players(recipe, shape):
    return new_state(load_recipe(recipe), shape, 0, 0, torch.device("cpu"))


@pytest.mark.parametrize(
    ("recipe", "shape", "generator", "discriminator"),
    [
        ("dcgan-tiny-quarter", (3, 28, 28), 287_875, 585),
        ("dcgan-tiny-half", (3, 28, 28), 287_875, 1_889),
        ("gan-2d", (2, 1, 1), 484_802, 405_201),
    ],
)
def test_the_nets_have_as_many_parameters_as_the_papers(recipe, shape, generator, discriminator):
    state = players(recipe, shape)
    assert [sum(p.numel() for p in x.parameters) for x in (state.generator, state.discriminator)] == [
        generator,
        discriminator,
    ]


def planes(module, x):
    seen = []
    for layer in module.modules():
        if isinstance(layer, BatchNorm | torch.nn.Conv2d):
            layer.register_forward_hook(lambda layer, inputs, output: seen.append(tuple(output.shape[1:])))
    module(x)
    return list(dict.fromkeys(seen))


def test_the_tiny_nets_have_the_planes_of_their_description():
    state = players("dcgan-tiny-quarter", (3, 28, 28))
    drawn = planes(state.generator.module, torch.randn(2, 256))
    assert drawn == [(64, 4, 4), (32, 7, 7), (16, 14, 14), (8, 28, 28), (3, 28, 28)]
    assert planes(state.discriminator.module, torch.randn(2, 3, 28, 28)) == [(2, 14, 14), (4, 7, 7), (8, 4, 4)]
    norms = [x for x in state.discriminator.module.modules() if isinstance(x, BatchNorm)]
    assert len(norms) == 3  # on the layer that sees the pixels too


def test_the_stacked_dcgan_has_the_planes_of_its_description():
    state = players("dcgan-stacked", (3, 28, 28))
    drawn = planes(state.generator.module, torch.rand(2, 100))
    assert drawn == [(512, 2, 2), (256, 4, 4), (128, 7, 7), (64, 14, 14)]
    assert state.generator.module(torch.rand(2, 100)).shape == (2, 3, 28, 28)
    seen = planes(state.discriminator.module, torch.randn(2, 3, 28, 28))
    assert seen == [(64, 14, 14), (128, 7, 7), (256, 4, 4), (512, 2, 2)]


def test_no_bias_before_batch_norm_in_the_plane():
    shapes = [name for name, _ in players("gan-2d", (2, 1, 1)).generator.module.named_parameters() if "bias" in name]
    assert shapes == [f"layers.{k}.bias" for k in (1, 4, 7, 10, 12)]  # four of batch norm, one of the last layer


def test_the_recipes_follow_the_protocols():
    plane, stacked, tiny = load_recipe("gan-2d"), load_recipe("dcgan-stacked"), load_recipe("dcgan-tiny-quarter")
    assert (plane.game.order, plane.batch_size, plane.generator_lr, plane.adam.beta1) == (
        "simultaneous",
        100,
        1e-4,
        0.8,
    )
    assert (plane.latent.dim, plane.latent.distribution, plane.discriminator.pieces) == (2, "normal", 5)
    assert (stacked.batch_size, stacked.game.generator_steps, stacked.game.shared_noise) == (64, 2, True)
    assert (stacked.latent.distribution, stacked.latent.dim, stacked.pixel_range) == ("uniform", 100, "0..1")
    assert (stacked.generator_lr, stacked.discriminator_lr, stacked.adam.beta1) == (2e-4, 2e-4, 0.5)
    assert (tiny.discriminator_lr, tiny.generator_lr, tiny.adam.beta1, tiny.adam.beta2) == (2e-4, 1e-4, 0.5, 0.99)
    assert (tiny.batch_size, tiny.latent.dim, tiny.discriminator.slope, tiny.pixel_range) == (128, 256, 0.3, "-1..1")
    for protocol in PROTOCOLS.values():
        recipe = load_recipe(protocol.recipe)
        assert recipe.run.kimg * 1000 == protocol.steps * recipe.batch_size


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_recognises_its_networks(name):
    protocol = PROTOCOLS[name]

    def is_open(recipe, *changes):
        return Plan(protocol, load_recipe(recipe, changes), 1, False, "out").is_open

    for recipe in protocol.published:
        assert not is_open(recipe)
        assert protocol.rows(load_recipe(recipe)) is protocol.published[recipe]
    assert not is_open(protocol.recipe, "generator_lr=1e-3", "objective.name=least-squares")
    assert is_open(protocol.recipe, "latent.dim=3")
    assert is_open("dcgan")
    assert protocol.rows(load_recipe("dcgan")) is protocol.published[protocol.recipe]
