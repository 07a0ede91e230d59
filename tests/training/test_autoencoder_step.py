import copy
import math

import pytest
import torch

from ganforge.data.batches import Batches
from ganforge.errors import UserError
from ganforge.generation.encoder import publish_encoder
from ganforge.networks.blocks import Init
from ganforge.networks.dcgan import DcganEncoderSettings
from ganforge.networks.encoder_head import Encoding
from ganforge.networks.mlp import MlpEncoderSettings
from ganforge.networks.registry import build_encoder
from ganforge.networks.subpixel import SubpixelEncoderSettings
from ganforge.objectives.reconstruction import bernoulli, kl_to_standard_normal
from ganforge.randomness import random_generator
from ganforge.recipes.reading import load_recipe
from ganforge.training.autoencoder_step import reconstruction_step
from ganforge.training.noise import NoiseSource
from ganforge.training.state import new_state, prepare
from ganforge.training.step import adversarial_step
from ganforge.training.step_function import step_function

CPU = torch.device("cpu")
SMALL = ["latent.dim=5", "encoder.filters=4", "generator.filters=4", "batch_size=8", "run.precision=fp32", "run.kimg=1"]
MLP = [
    *("latent.dim=5", "batch_size=8", "run.precision=fp32", "schedule.lr_decay_start=0.0"),
    'encoder={family="mlp", hidden=[12], input_noise=0.3}',
    'generator={family="mlp", hidden=[10], output="sigmoid"}',
]


def small_setup(data, name="vae", changes=SMALL, seed=0):
    recipe = load_recipe(name, changes)
    state = new_state(recipe, data.shape, len(data.class_names), seed, CPU)
    streams = {"real": Batches(data, 8, recipe.pixel_range, seed=seed, labels=False, device=CPU)}
    noise = NoiseSource(recipe, seed, CPU)
    prepare(state, recipe, streams, noise)
    return state, recipe, streams, noise


ENCODERS = {
    "mlp": MlpEncoderSettings(hidden=(32, 16)),
    "mlp with batch norm": MlpEncoderSettings(hidden=(32, 16), batch_norm=True),
    "mlp with rows": MlpEncoderSettings(hidden=(32, 16), weight_norm=True),
    "dcgan": DcganEncoderSettings(family="dcgan", filters=4),
    "subpixel": SubpixelEncoderSettings(family="subpixel", filters=4),
}


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 29, 23)], ids=str)
@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize("family", ENCODERS)
def test_encoders_give_latents_and_gradients_reach_every_parameter(family, spread, shape):
    encoder = build_encoder(ENCODERS[family], 6, shape, spread)
    Init().draw(encoder, random_generator("test", family))
    code = encoder(torch.rand(16, *shape))
    assert code.mean.shape == (16, 6)
    assert (code.log_variance is None) == (not spread)
    code.latent(torch.randn(16, 6)).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_a_code_is_sampled_around_its_mean():
    mean, noise = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, 3.0]])
    assert Encoding(mean).latent(noise) is mean
    latent = Encoding(mean, torch.tensor([[0.0, math.log(4)]])).latent(noise)
    assert latent.tolist() == [[1.5, 4.0]]


@pytest.mark.parametrize("family", ["mlp", "dcgan", "subpixel"])
def test_a_generator_returns_its_values_before_the_squashing(family):
    changes = {"mlp": MLP, "dcgan": [*SMALL, 'generator={family="dcgan", filters=4, output="sigmoid"}']}
    recipe = load_recipe("vae", changes.get(family, SMALL))
    net = new_state(recipe, (1, 8, 8), 0, 0, CPU).generator
    z = torch.randn(4, 5)
    squash = torch.tanh if recipe.generator.output == "tanh" else torch.sigmoid
    assert torch.equal(net(z), squash(net(z, squashed=False)))


@pytest.mark.parametrize("name", ["autoencoder", "vae"])
@pytest.mark.parametrize("changes", [SMALL, MLP], ids=["subpixel", "mlp"])
def test_a_step_updates_all_weights_of_both_players_and_the_counters(bars, name, changes):
    state, *rest = small_setup(bars, name, changes)
    before = {key: value.clone() for key, value in state.tensors().items()}
    stats = reconstruction_step(state, *rest)
    assert (state.step, state.images_seen) == (1, 8)
    assert set(state.players()) == {"generator", "encoder"}
    for player, of in state.players().items():
        for key, parameter in of.module.named_parameters():
            assert parameter.grad.abs().sum() > 0, key
            assert not torch.equal(parameter, before[f"{player}.module.{key}"]), key
    assert all(torch.isfinite(value) for value in stats.values())
    assert ("kl" in stats) == (name == "vae")


@pytest.mark.parametrize("changes", [SMALL, MLP], ids=["tanh", "sigmoid"])
def test_the_losses_are_those_of_the_paper(bars, changes):
    state, recipe, streams, noise = small_setup(bars, "vae", [*changes, "reconstruction.kl_weight=0.25"])
    for step in range(2):
        images = streams["real"][step].images
        encoder, decoder = copy.deepcopy(state.encoder), copy.deepcopy(state.generator)
        stats = reconstruction_step(state, recipe, streams, noise)
    encoder.reseed(noise.seed("encoder", 1))
    code = encoder(images)
    z = code.mean + (code.log_variance / 2).exp() * noise.noise_like(code.mean, "code", 1)
    decoded = decoder(z)  # squashed, as the formula is written
    low, high = (-1, 1) if recipe.pixel_range == "-1..1" else (0, 1)
    x, y = ((pixels - low) / (high - low) for pixels in (images, decoded))
    reconstruction_loss = torch.nn.functional.binary_cross_entropy(y, x, reduction="none").flatten(1).sum(1).mean()
    kl = kl_to_standard_normal(code.mean, code.log_variance).mean()
    assert stats["generator_loss"].item() == pytest.approx(reconstruction_loss.item(), rel=1e-4)
    assert stats["kl"].item() == pytest.approx(kl.item(), rel=1e-4)
    assert stats["encoder_loss"].item() == pytest.approx((reconstruction_loss + 0.25 * kl).item(), rel=1e-4)


def test_both_players_use_the_current_learning_rate(bars):
    """Adam's first update changes every weight by the learning rate."""
    state, *rest = small_setup(bars, "vae", [*MLP[:3], *MLP[4:], "generator_lr=0.01", "schedule.lr_decay_start=8.0"])
    for factor in (1, 1, 0.5):  # 0, 8 and 16 images seen
        before = {name: [p.detach().clone() for p in player.parameters] for name, player in state.players().items()}
        for player in state.players().values():
            player.optimizer.load({})  # makes the next update a first one
        reconstruction_step(state, *rest)
        for name, player in state.players().items():
            change = max((p - old).abs().max().item() for p, old in zip(player.parameters, before[name], strict=True))
            assert change == pytest.approx(factor * 0.01, rel=1e-2), name


def test_the_encoder_is_published_with_averaged_weights_if_there_are_any(bars):
    for half_life, weights in (("50.0", "ema"), ("0.0", "raw")):
        state, recipe, streams, noise = small_setup(
            bars, "vae", [*MLP, f"averaging.half_life={half_life}", "generator_lr=0.01"]
        )
        reconstruction_step(state, recipe, streams, noise)
        encoder = publish_encoder(state, recipe, streams["real"], {})
        assert encoder.note["weights"] == weights
        raw, averaged = state.encoder.module, state.encoder.ema if weights == "ema" else state.encoder.module
        for name, published in encoder.module.named_parameters():
            assert torch.equal(published, averaged.get_parameter(name)), name
            assert torch.equal(published, raw.get_parameter(name)) == (weights == "raw"), name


def test_the_kl_divergence_changes_the_gradient_of_the_encoder_alone(bars):
    """The generator's gradient is the same for every weight, because the KL term does not depend on the generator."""
    gradients = {}
    for weight in (0.5, 2.0):
        state, *rest = small_setup(bars, "vae", [*SMALL, f"reconstruction.kl_weight={weight}"])
        reconstruction_step(state, *rest)
        gradients[weight] = {n: [p.grad.clone() for p in player.parameters] for n, player in state.players().items()}
    same = [torch.equal(a, b) for a, b in zip(*(gradients[w]["generator"] for w in gradients), strict=True)]
    assert all(same)
    other = [torch.equal(a, b) for a, b in zip(*(gradients[w]["encoder"] for w in gradients), strict=True)]
    assert not any(other)


def test_training_brings_reconstructions_near_their_images(bars):
    changes = [*MLP, "generator_lr=1e-2"]
    state, recipe, streams, noise = small_setup(bars, "autoencoder", changes)
    images = (bars.images / 255.0)[:50]
    baseline = bernoulli(images, images.mean(0, keepdim=True).clamp(1e-3, 1 - 1e-3).logit().expand_as(images)).mean()
    for _ in range(400):
        reconstruction_step(state, recipe, streams, noise)
    state.encoder.module.eval()
    logits = state.generator(state.encoder(images).mean, squashed=False)
    minimum = bernoulli(images, images.clamp(1e-6, 1 - 1e-6).logit()).mean()
    assert bernoulli(images, logits).mean() - minimum < 0.35 * (baseline - minimum)


def test_the_recipe_determines_the_step_function():
    assert step_function(load_recipe("vanilla")) is adversarial_step
    assert step_function(load_recipe("vae")) is reconstruction_step


GAN_TABLES = ('discriminator={family="mlp"}', 'objective={name="hinge"}')


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([GAN_TABLES[0]], "allows neither"),
        ([GAN_TABLES[1]], "allows neither"),
        (["game.packing=2"], "packing belongs to adversarial training"),
        (["discriminator_lr=1e-3"], "discriminator_lr belongs to adversarial training"),
        (["terms.historical_averaging.weight=1"], "terms belongs to adversarial training"),
        (["penalties.r1.weight=1"], "penalties belongs to adversarial training"),
        (["conditional=true"], "uses no labels"),
        (["latent.std=2.0"], "latents from N(0, 1)"),
        (["latent.distribution=uniform"], "latents from N(0, 1)"),
        (["generator={family='mlp', output='linear'}"], 'output = "linear" gives no grey levels'),
        (["generator.virtual_batch_norm=8"], "virtual_batch_norm"),
        (["reconstruction.loss=hinge"], "must be 'bernoulli' or 'squared'"),
        (["reconstruction.kl=1.0"], "reconstruction.kl: no such field; known names: kl_weight, loss"),
        (["encoder.filter=3"], "encoder.filter: no such field; did you mean filters"),
        (["encoder.minibatch_std=true"], "encoder.minibatch_std: no such field"),
        (["encoder.family=strided"], "'strided' is none of 'mlp', 'dcgan', 'subpixel'"),
    ],
)
def test_invalid_combinations_are_refused_with_the_reason(changes, words):
    with pytest.raises(UserError) as caught:
        load_recipe("vae", changes)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (['encoder={family="mlp"}'], "needs a reconstruction loss"),
        (["reconstruction={}"], "needs an [encoder]"),
    ],
)
def test_a_gan_takes_no_encoder(changes, words):
    with pytest.raises(UserError, match=words.replace("[", r"\[")):
        load_recipe("vanilla", changes)
