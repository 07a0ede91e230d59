import copy

import pytest
import torch

from ganforge.training.step import adversarial_step
from small_step import SWITCHES, WIDE, same, small_setup, weights


@pytest.mark.parametrize("name", ["vanilla", "minimax", "two-phase", "cgan-tutorial", "udacity", "udacity-deep"])
def test_a_step_updates_both_players_and_the_counters(bars, name):
    state, *rest = small_setup(bars, name)
    before = weights(state.generator), weights(state.discriminator)
    stats = adversarial_step(state, *rest)
    assert state.step == 1 and state.images_seen == 8
    assert not same(before[0], weights(state.generator))
    assert not same(before[1], weights(state.discriminator))
    assert all(torch.isfinite(value) for value in stats.values())


@pytest.mark.parametrize("norm", ["false", "true"])
@pytest.mark.parametrize("shared", ["false", "true"])
def test_frozen_means_frozen(bars, norm, shared):
    """While one player learns, nothing of the other changes: no weight, no statistic, no optimiser state."""
    changes = [f"generator.batch_norm={norm}", f"discriminator.batch_norm={norm}", f"game.shared_noise={shared}"]
    changes += ["generator.hidden=[12, 12]", "discriminator.hidden=[10, 10]"]
    for frozen, trained in (("discriminator", "generator"), ("generator", "discriminator")):
        state, recipe, streams, noise = small_setup(bars, "vanilla", changes)
        for _ in range(3):
            adversarial_step(state, recipe, streams, noise)
        player = state.players()[frozen]
        player.optimizer.step = lambda: None
        before, other = weights(player), weights(state.players()[trained])
        adversarial_step(state, recipe, streams, noise)
        assert same(before, weights(player))
        assert not same(other, weights(state.players()[trained]))


def test_the_generators_turn_leaves_no_gradient_on_the_discriminator(bars):
    state, recipe, streams, noise = small_setup(bars)
    gradients = []
    step = state.generator.optimizer.step
    d_step = state.discriminator.optimizer.step
    state.discriminator.optimizer.step = lambda: (
        d_step(),
        gradients.append([p.grad.clone() for p in state.discriminator.parameters]),
    )
    state.generator.optimizer.step = lambda: (
        step(),
        gradients.append([p.grad.clone() for p in state.discriminator.parameters]),
    )
    adversarial_step(state, recipe, streams, noise)
    assert same(gradients[0], gradients[1])


def test_with_shared_noise_both_players_use_the_same_fakes_and_otherwise_different_ones(bars):
    def latents(shared):
        state, recipe, streams, noise = small_setup(bars, changes=[f"game.shared_noise={shared}"])
        inputs = []
        forward = state.generator.module.forward
        state.generator.module.forward = lambda z, c=None: (inputs.append(z.clone()), forward(z, c))[1]
        adversarial_step(state, recipe, streams, noise)
        return inputs

    assert len(latents("true")) == 1  # one forward serves both players
    first, second = latents("false")
    assert not torch.equal(first, second)


def test_shared_noise_with_two_generator_steps_generates_again_from_the_same_latents(bars):
    state, recipe, streams, noise = small_setup(bars, changes=["game.generator_steps=2"])
    latents = []
    forward = state.generator.module.forward
    state.generator.module.forward = lambda z, c=None: (latents.append(z.clone()), forward(z, c))[1]
    adversarial_step(state, recipe, streams, noise)
    assert len(latents) == 2 and torch.equal(latents[0], latents[1])


def test_in_the_simultaneous_order_both_players_use_gradients_at_the_old_weights(bars):
    changes = [
        "game.order=simultaneous",
        "run.precision=fp64",
        "generator.batch_norm=true",
        "generator.hidden=[12, 12]",
    ]
    state, recipe, streams, noise = small_setup(bars, changes=changes, dtype=torch.float64)
    reference = copy.deepcopy(state)
    adversarial_step(state, recipe, streams, noise)
    generator, discriminator = reference.generator.module, reference.discriminator.module
    fake = generator(noise.latent(8, "discriminator", 0, 0))
    real_logits, fake_logits = discriminator(streams["real"][0].images).logits, discriminator(fake).logits
    softplus = torch.nn.functional.softplus
    losses = (softplus(-real_logits) + softplus(fake_logits)).mean(), softplus(-fake_logits).mean()
    players = reference.discriminator, reference.generator
    gradients = [
        torch.autograd.grad(loss, p.parameters, retain_graph=True) for loss, p in zip(losses, players, strict=True)
    ]
    for player, of_player in zip(players, gradients, strict=True):
        for parameter, gradient in zip(player.parameters, of_player, strict=True):
            parameter.grad = gradient
        player.optimizer.step()
    for name, player in state.players().items():
        for one, other in zip(weights(player), weights(reference.players()[name]), strict=True):
            assert torch.allclose(one, other, rtol=1e-12, atol=1e-15)


def test_several_discriminator_steps_use_different_images_and_noise(bars):
    state, recipe, streams, noise = small_setup(bars, changes=["game.discriminator_steps=3"])
    inputs = []
    forward = state.discriminator.module.forward
    state.discriminator.module.forward = lambda x, c=None: (inputs.append(x.detach().clone()), forward(x, c))[1]
    adversarial_step(state, recipe, streams, noise)
    assert len(inputs) == 4 and state.images_seen == 24  # three times reals and fakes in one pass, then fakes
    reals, fakes = [x[:8] for x in inputs[:3]], [x[8:] for x in inputs[:3]]
    for i in range(2):
        assert not torch.equal(reals[i], reals[i + 1])
        assert not torch.equal(fakes[i], fakes[i + 1])
    assert torch.equal(fakes[2], inputs[3])  # the generator's loss uses the last fakes


@pytest.mark.parametrize("order", ["alternating", "simultaneous"])
def test_separate_learning_rates_reach_the_weights_of_their_player(bars, order):
    """Adam's first update changes every weight by the learning rate, also after the rate has fallen."""
    changes = ["generator_lr=0.5", "discriminator_lr=0.25", f"game.order={order}", "schedule.lr_decay_start=8.0"]
    state, *rest = small_setup(bars, changes=changes)
    for factor in (1, 1, 0.5):  # 0, 8 and 16 images seen
        for player in state.players().values():
            player.optimizer.load({})  # makes the next update a first one
        before = {name: [p.detach().clone() for p in player.parameters] for name, player in state.players().items()}
        adversarial_step(state, *rest)
        for name, rate in (("generator", 0.5), ("discriminator", 0.25)):
            changes_of_weights = [
                (p - old).abs().max() for p, old in zip(state.players()[name].parameters, before[name], strict=True)
            ]
            assert max(changes_of_weights).item() == pytest.approx(factor * rate, rel=1e-3), name


@pytest.mark.parametrize(
    ("changes", "steps", "expected"),
    [
        (["averaging.half_life=80.0"], 10, 0.5),  # ten steps of 8 images
        (["averaging.half_life=160.0", "game.discriminator_steps=2"], 10, 0.5),
        (["averaging.half_life=1e9", "averaging.ramp=1.0"], 1, 0.5),  # a half-life of the 8 images seen
        (["averaging.half_life=1e9", "averaging.ramp=1.0"], 2, 1 - 0.5**1.5),  # and of 16
    ],
)
def test_ema_halves_its_distance_every_half_life(bars, changes, steps, expected):
    state, *rest = small_setup(bars, changes=changes)
    state.generator.optimizer.step = lambda: None
    with torch.no_grad():
        for parameter in state.generator.parameters:
            parameter.fill_(1.0)
        for parameter in state.generator.ema.parameters():
            parameter.fill_(0.0)
    for _ in range(steps):
        adversarial_step(state, *rest)
    assert all(torch.allclose(p, torch.tensor(expected), atol=1e-5) for p in state.generator.ema.parameters())


def test_averages_start_at_the_weights_initialised_from_the_first_batch(bars):
    changes = [
        *SWITCHES["weight norm and noise"],
        "terms.historical_averaging.weight=1",
        "averaging.discriminator=true",
    ]
    state, *_ = small_setup(bars, changes=[*changes, "averaging.half_life=100.0"])
    for name, player in state.players().items():
        assert same(player.parameters, state.averages[name]) and same(player.parameters, player.ema.parameters())


def test_the_data_dependent_init_depends_on_the_seed_of_the_run_alone(bars):
    """Also with a noise layer: torch's global generator has no effect."""
    initial = []
    for global_seed in (1, 2):
        with torch.random.fork_rng([]):
            torch.manual_seed(global_seed)
            state, *_ = small_setup(bars, changes=["discriminator.weight_norm=true", "discriminator.input_noise=0.5"])
        initial.append(weights(state.discriminator))
    assert same(*initial)


def test_a_preview_uses_the_averaged_weights(bars):
    state, recipe, streams, noise = small_setup(bars, changes=["averaging.half_life=100.0", "generator_lr=1e-2"])
    adversarial_step(state, recipe, streams, noise)
    latent = noise.latent(4, "test")
    assert torch.equal(state.generator.preview(latent), state.generator.ema(latent))
    assert not torch.equal(state.generator.preview(latent), state.generator.module(latent))


def test_real_images_have_their_own_labels_and_fakes_the_same_labels(bars):
    state, recipe, streams, noise = small_setup(bars, "cgan-tutorial")
    calls = []
    forward = state.discriminator.module.forward
    state.discriminator.module.forward = lambda x, c=None: (calls.append((x.detach().clone(), c)), forward(x, c))[1]
    adversarial_step(state, recipe, streams, noise)
    (both, conditions), (_, generator_labels) = calls
    real, labels, fake_labels = both[:8], conditions[:8], conditions[8:]
    assert torch.equal(labels, fake_labels)
    assert torch.equal(labels, generator_labels)
    by_pixels = (real.mean(2).view(8, 4, 2).mean(2)).argmax(1)  # the position of the bar is the class
    assert torch.equal(by_pixels, labels)


def test_statistics_have_their_defined_values(bars):
    state, recipe, streams, noise = small_setup(bars, changes=WIDE)
    before = copy.deepcopy(state)
    stats = adversarial_step(state, recipe, streams, noise)
    real = streams["real"][0].images
    fake = before.generator.module(noise.latent(8, "discriminator", 0, 0))
    d = torch.sigmoid(before.discriminator.module(real).logits), torch.sigmoid(before.discriminator.module(fake).logits)
    assert stats["d_real"].item() == pytest.approx(d[0].mean().item(), rel=1e-5)
    assert stats["value"].item() == pytest.approx((d[0].log().mean() + (1 - d[1]).log().mean()).item(), rel=1e-5)
    assert stats["value"].item() == pytest.approx(-stats["discriminator_loss"].item(), rel=1e-5)
    assert stats["d_fake"].item() == pytest.approx(d[1].mean().item(), rel=1e-5)
    for name, images, probability in (("real", real, d[0]), ("fake", fake, d[1])):
        assert stats[f"{name}_spread"].item() == pytest.approx(images.var(0).sum().item(), rel=1e-5)
        assert stats[f"{name}_logit"].item() == pytest.approx(probability.logit().mean().item(), rel=1e-4)
        assert stats[f"{name}_logit_std"].item() == pytest.approx(probability.logit().std().item(), rel=1e-3)
    for name, player in state.players().items():
        norm = sum(p.grad.square().sum() for p in player.parameters).sqrt()
        assert stats[f"{name}_gradient"].item() == pytest.approx(norm.item(), rel=1e-5)


def test_real_and_fake_images_never_share_batch_statistics(bars):
    """One pass for both is an optimisation; with batch norm there are two passes."""
    for norm, passes in (("false", 2), ("true", 3)):
        state, recipe, streams, noise = small_setup(
            bars, changes=[f"discriminator.batch_norm={norm}", "discriminator.hidden=[10, 10]"]
        )
        sizes = []
        forward = state.discriminator.module.forward
        state.discriminator.module.forward = lambda x, c=None, f=forward, s=sizes: (s.append(len(x)), f(x, c))[1]
        adversarial_step(state, recipe, streams, noise)
        assert len(sizes) == passes


def test_spread_is_the_summed_variance(bars):
    from ganforge.training.stats import spread

    images = torch.rand(10, 3, 4, 4)
    assert spread(images).item() == pytest.approx(images.var(0).sum().item(), rel=1e-5)
    assert spread(images[:1].expand(10, -1, -1, -1)).item() == pytest.approx(0, abs=1e-4)


def test_the_discriminator_can_be_averaged_too(bars):
    state, *rest = small_setup(bars, changes=["averaging.discriminator=true", "averaging.half_life=8.0"])
    first = weights(state.discriminator)
    adversarial_step(state, *rest)
    halfway = [(a + b) / 2 for a, b in zip(first, weights(state.discriminator), strict=True)]
    for one, other in zip(halfway, state.discriminator.ema.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)
