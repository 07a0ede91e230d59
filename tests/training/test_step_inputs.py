"""What the discriminator sees: packs, joint batches and instance noise."""

import copy

import pytest
import torch

from ganforge.recipes.reading import load_recipe
from ganforge.training.step import adversarial_step
from small_step import same, small_setup, weights


def test_packed_images_share_one_logit(bars):
    """One logit for two images, which are neighbours in the batch."""
    state, _, streams, _ = small_setup(bars, "vanilla", ["game.packing=2"])
    real, _ = streams["real"][0]
    logits = state.discriminator.logits(real)
    assert logits.shape == (4,)
    expected = state.discriminator.module(torch.cat([real[4:5], real[5:6]], 1)).logits
    torch.testing.assert_close(logits[2:3], expected)


def test_a_joint_batch_is_normalised_by_real_and_generated_images_in_both_turns(bars):
    """Equal to a slow reference: both batches concatenated, one pass of the module, gradients through its statistics."""
    joint = [
        "game.joint_batch=true",
        "discriminator.hidden=[10, 10]",
        "discriminator.batch_norm=true",
        "game.packing=2",
    ]
    state, recipe, streams, noise = small_setup(bars, "vanilla", joint, dtype=torch.float64)
    g, d = (copy.deepcopy(player.module).double() for player in (state.generator, state.discriminator))
    for player in (state.generator, state.discriminator):
        player.module.double()
        player.optimizer = type(player.optimizer)(player.module.parameters(), 2e-4, (0.9, 0.999), 1e-8)
        player.__post_init__()
    adversarial_step(state, recipe, streams, noise)

    real, fake = streams["real"][0].images, g(noise.latent(8, "discriminator", 0, 0))

    def split(images):
        packs = torch.cat([real, images]).reshape(8, 2, *real.shape[2:])
        return d(packs).logits.split(4)

    softplus = torch.nn.functional.softplus
    for module, loss in (
        (d, lambda: softplus(-split(fake.detach())[0]).mean() + softplus(split(fake.detach())[1]).mean()),
        (g, lambda: softplus(-split(fake)[1]).mean()),
    ):
        adam = torch.optim.Adam(module.parameters(), 2e-4)
        gradients = torch.autograd.grad(loss(), list(module.parameters()))
        for parameter, gradient in zip(module.parameters(), gradients, strict=True):
            parameter.grad = gradient
        adam.step()
    for module, player in ((g, state.generator), (d, state.discriminator)):
        for actual, expected in zip(player.module.parameters(), module.parameters(), strict=True):
            torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-12)


def test_instance_noise_falls_to_zero():
    from ganforge.training.schedule import noise_sigma

    recipe = load_recipe("vanilla", ["schedule.instance_noise=0.4", "schedule.instance_noise_images=1000"])
    assert [noise_sigma(recipe, n) for n in (0, 500, 1000, 5000)] == [0.4, 0.2, 0.0, 0.0]
    assert noise_sigma(load_recipe("vanilla", ["schedule.instance_noise=0.4"]), 5000) == 0.4
    assert noise_sigma(load_recipe("vanilla"), 5000) == 0


def test_every_input_of_the_discriminator_has_its_own_instance_noise(bars):
    """Real images, fakes and the same fakes in the generator's turn; N(0, σ²), new in every step."""
    state, recipe, streams, noise = small_setup(
        bars, changes=["schedule.instance_noise=0.3", "game.discriminator_steps=2"]
    )
    inputs, fakes = [], []
    d_forward, g_forward = state.discriminator.module.forward, state.generator.module.forward
    state.discriminator.module.forward = lambda x, c=None: (inputs.append(x.detach()), d_forward(x, c))[1]
    state.generator.module.forward = lambda z, c=None: (fakes.append(g_forward(z, c)), fakes[-1])[1]
    residuals = []
    for step in range(2):
        inputs.clear(), fakes.clear()
        adversarial_step(state, recipe, streams, noise)
        clean = [torch.cat([streams["real"][2 * step + k].images, fakes[k].detach()]) for k in range(2)]
        for images, clean_images in zip(inputs, [*clean, fakes[1].detach()], strict=True):
            residuals += [part.flatten() for part in ((images - clean_images) / 0.3).split(8)]
    assert len(residuals) == 10
    correlations = torch.corrcoef(torch.stack(residuals)) - torch.eye(10)
    assert correlations.abs().max() < 0.2
    assert all(part.std().item() == pytest.approx(1, abs=0.15) for part in residuals)


def test_penalties_and_terms_get_the_noisy_images(bars, monkeypatch):
    from ganforge.objectives.penalties import ApproximateR1
    from ganforge.objectives.terms import FeatureMatching

    changes = ["schedule.instance_noise=0.3", "penalties.approximate_r1.weight=1", "terms.feature_matching.weight=1"]
    state, *rest = small_setup(bars, changes=changes)
    inputs, penalised, compared = [], [], []
    forward = state.discriminator.module.forward
    state.discriminator.module.forward = lambda x, c=None: (inputs.append(x.detach()), forward(x, c))[1]
    monkeypatch.setattr(
        ApproximateR1,
        "__call__",
        lambda self, context: (penalised.extend([context.real.images, context.fake.images]), penalised[1].sum())[1],
    )
    monkeypatch.setattr(
        FeatureMatching,
        "__call__",
        lambda self, context: (compared.append(context.real.images), context.fake.images.sum())[1],
    )
    adversarial_step(state, *rest)
    assert torch.equal(torch.cat(penalised), inputs[0])
    assert torch.equal(compared[0], inputs[0][:8]) and torch.equal(compared[0], inputs[2])


def test_after_the_end_of_the_instance_noise_steps_equal_those_without_it(bars):
    """Once the noise has ended, a step equals the one without noise bit for bit."""
    ends = []
    for changes in ([], ["schedule.instance_noise=0.3", "schedule.instance_noise_images=1"]):
        state, *rest = small_setup(bars, "vanilla", changes)
        state.images_seen = 8
        adversarial_step(state, *rest)
        ends.append(weights(state.generator) + weights(state.discriminator))
    assert same(*ends)
