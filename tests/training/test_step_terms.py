"""Penalties and further terms of the losses, and layers with noise."""

import pytest
import torch

from ganforge.recipes.reading import load_recipe
from ganforge.training.noise import NoiseSource
from ganforge.training.state import new_state
from ganforge.training.step import adversarial_step
from small_step import CPU, SWITCHES, same, small_setup, weights


def test_a_penalty_makes_the_discriminator_flatter(bars):
    """With a large penalty the logits of real and fake images end nearer to each other than without."""
    gaps = {}
    for name, changes in (("without", []), ("with", ["penalties.approximate_r1.weight=10"])):
        state, *rest = small_setup(bars, "vanilla", ["discriminator_lr=1e-2", *changes])
        for _ in range(40):
            stats = adversarial_step(state, *rest)
        gaps[name] = float(stats["real_logit"] - stats["fake_logit"])
    assert gaps["with"] < 0.5 * gaps["without"]


def test_a_lazy_penalty_is_computed_in_every_kth_step_with_k_times_the_weight(bars, monkeypatch):
    from ganforge.objectives.penalties import ApproximateR1

    noises = []
    monkeypatch.setattr(
        ApproximateR1,
        "__call__",
        lambda self, context: noises.append(context.noise("approximate_r1")) or torch.ones(8),
    )
    state, recipe, streams, noise = small_setup(bars, "vanilla", ["penalties.approximate_r1.every=3"])
    losses = []
    import ganforge.training.step as step

    update = step.update
    monkeypatch.setattr(step, "update", lambda p, loss, *a, **k: (losses.append(loss.item()), update(p, loss, *a, **k)))
    stats = [adversarial_step(state, recipe, streams, noise) for _ in range(7)]
    assert len(noises) == 3  # in steps 0, 3 and 6
    assert not torch.equal(noises[0], noises[1])
    added = [d - float(s["discriminator_loss"]) for d, s in zip(losses[::2], stats, strict=True)]
    assert added == pytest.approx([0.3, 0, 0, 0.3, 0, 0, 0.3], abs=1e-6)


def test_feature_matching_alone_reduces_the_distance_of_the_mean_features(bars):
    """The generator approaches the mean features of a frozen discriminator."""
    state, recipe, streams, noise = small_setup(
        bars, "vanilla", ["terms.feature_matching.weight=1", "game.adversarial_weight=0", "generator_lr=1e-2"]
    )
    state.discriminator.optimizer.step = lambda: None

    def distance():
        with torch.no_grad():
            z = noise.latent(200, "test")
            fake = state.discriminator(state.generator(z)).features.mean(0)
            real = state.discriminator(streams["real"][0][0]).features.mean(0)
        return float((real - fake).square().sum())

    before = distance()
    for _ in range(60):
        adversarial_step(state, recipe, streams, noise)
    assert distance() < 0.5 * before


@pytest.mark.parametrize("recipe", ["dcgan", "forge-1-unconditional", "semi-supervised"])
def test_features_are_in_single_precision_also_with_bf16_layers(bars, recipe):

    recipe = load_recipe(recipe, ["run.precision=bf16"])
    player = new_state(recipe, bars.shape, len(bars.class_names), 0, CPU).discriminator
    assert player(torch.rand(2, *bars.shape)).features.dtype == torch.float32


def test_historical_averages_are_the_means_of_the_weights_before_each_step(bars):
    """Compared with the formula over five steps; the initial weights count as the first."""
    state, *rest = small_setup(bars, changes=["terms.historical_averaging.weight=0.1"])
    histories = {name: [[p.detach().clone() for p in player.parameters]] for name, player in state.players().items()}
    for _ in range(5):
        adversarial_step(state, *rest)
        for name, player in state.players().items():
            histories[name].append([p.detach().clone() for p in player.parameters])
    for name, history in histories.items():
        for average, *tensors in zip(state.averages[name], *history, strict=True):
            torch.testing.assert_close(average, torch.stack(tensors).mean(0))


def test_historical_averaging_keeps_the_weights_near_their_start(bars):
    distances = {}
    for weight in ("1e-9", "1e3"):
        state, *rest = small_setup(
            bars, changes=[f"terms.historical_averaging.weight={weight}", "discriminator_lr=1e-3"]
        )
        before = weights(state.discriminator)
        for _ in range(30):
            adversarial_step(state, *rest)
        distances[weight] = sum(
            (a - b).square().sum() for a, b in zip(before, weights(state.discriminator), strict=True)
        )
    assert distances["1e3"] < 0.3 * distances["1e-9"]


def test_the_generators_turn_with_an_auxiliary_classifier_uses_fakes_alone(bars):
    """Real images do not pass again where no term needs them."""
    state, *rest = small_setup(bars, changes=SWITCHES["auxiliary classifier"])
    sizes, forward = [], state.discriminator.module.forward
    state.discriminator.module.forward = lambda x, c=None: (sizes.append(len(x)), forward(x, c))[1]
    adversarial_step(state, *rest)
    assert sizes == [16, 8]


def test_noise_layers_depend_on_seed_and_step_alone(bars):
    ends = []
    for _ in range(2):
        state, *rest = small_setup(bars, changes=SWITCHES["weight norm and noise"])
        torch.randn(7)  # advances torch's global generator
        adversarial_step(state, *rest)
        ends.append(weights(state.discriminator))
    assert same(*ends)


def test_every_turn_reseeds_the_noise_layers_of_the_discriminator(bars):
    """Every noise layer gets a different seed in every update of both players and in every step."""
    noise_layers = ["discriminator.hidden_noise=0.5", "discriminator.input_noise=0.5", "game.discriminator_steps=2"]
    state, *rest = small_setup(bars, changes=[*noise_layers, "game.generator_steps=2"])
    layers = [layer for layer in state.discriminator.module.modules() if hasattr(layer, "deviation")]
    assert len(layers) == 2
    seeds = []
    for layer in layers:
        forward = layer.forward
        layer.forward = lambda x, layer=layer, forward=forward: (seeds.append(layer.random.initial_seed()), forward(x))[
            1
        ]
    for _ in range(2):
        adversarial_step(state, *rest)
    assert len(set(seeds)) == len(seeds) == 2 * 2 * (2 + 2)


def test_codes_are_one_hot_and_uniform_and_noise_is_normal():
    recipe = load_recipe("infogan", ["latent.std=2.0"])
    z = NoiseSource(recipe, 0, CPU).latent(4000, "test")
    noise, category, uniform = z.split([62, 10, 2], 1)
    assert set(category.unique().tolist()) == {0.0, 1.0} and (category.sum(1) == 1).all()
    assert category.mean(0).min() > 0.08
    assert uniform.min() < -0.99 and uniform.max() > 0.99 and abs(uniform.mean()) < 0.05
    assert noise.std().item() == pytest.approx(2, rel=0.02)
    assert torch.equal(NoiseSource(recipe, 0, CPU).latent(4000, "test"), z)
