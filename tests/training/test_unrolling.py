"""Unrolled steps of the discriminator."""

import pytest
import torch

from ganforge.data.batches import Batch
from ganforge.training.step import adversarial_step
from small_step import same, small_setup, weights


def test_unrolling_one_step_equals_the_next_step_of_the_discriminator(bars):
    """The weights unrolled by one step equal those after Adam's own step on the same loss, at any point of a run."""
    from ganforge.training.step import update
    from ganforge.training.unroll import unroll

    state, recipe, streams, noise = small_setup(bars)
    player = state.discriminator
    for index in range(3):
        real, labels = streams["real"][state.step]
        with torch.no_grad():
            fake = state.generator(noise.latent(8, "test", index), labels)

        def loss(weights, real=real, fake=fake):
            on_real, on_fake = player.discriminate([Batch(real, None), Batch(fake, None)], weights)
            return recipe.objective.discriminator_loss(on_real.logits, on_fake.logits).mean()

        before = weights(player)
        unrolled = unroll(player, loss, 1, recipe.discriminator_lr)
        assert same(before, weights(player))
        update(player, loss(dict(player.module.named_parameters())), recipe.discriminator_lr)
        for name, parameter in player.module.named_parameters():
            torch.testing.assert_close(unrolled[name], parameter, rtol=1e-5, atol=1e-7)
        adversarial_step(state, recipe, streams, noise)


def test_the_generators_gradient_passes_through_the_unrolled_steps(bars):
    """By finite differences in float64, and unlike the gradient against the current discriminator."""
    from ganforge.training.unroll import unroll, unrolled_loss

    state, recipe, streams, noise = small_setup(bars, "vanilla", ["run.precision=fp64"], dtype=torch.float64)
    adversarial_step(state, recipe, streams, noise)
    player, real = state.discriminator, streams["real"][1][0]

    def generator_loss(fake):
        d_loss = lambda w: unrolled_loss(recipe, player, Batch(real, None), Batch(fake, None), w)  # noqa: E731
        unrolled = unroll(player, d_loss, 2, 1e-2)
        return recipe.objective.generator_loss(None, player.logits(fake, None, unrolled)).mean()

    fake = torch.rand(real.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (gradient,) = torch.autograd.grad(generator_loss(fake), fake)
    direction = torch.randn(fake.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    step = 1e-6
    losses = [generator_loss((fake + sign * step * direction).detach()).item() for sign in (1, -1)]
    assert (gradient * direction).sum().item() == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=1e-4)
    plain = recipe.objective.generator_loss(None, player.logits(fake)).mean()
    (plain_gradient,) = torch.autograd.grad(plain, fake)
    assert not torch.allclose(gradient, plain_gradient, rtol=1e-2)


@pytest.mark.parametrize(
    "changes",
    [
        ["objective.name=relativistic-pairing"],
        ["terms.feature_matching.weight=1", "game.adversarial_weight=0"],
        ["objective.name=hinge"],
    ],
)
def test_the_whole_unrolled_loss_of_the_generator_is_differentiated(bars, monkeypatch, changes):
    """By finite differences of the step itself: the unrolled outputs for real images depend on the fakes too."""
    import ganforge.training.step as step

    changes = ["run.precision=fp64", "game.unroll=2", "discriminator_lr=1e-2", *changes]
    state, recipe, streams, noise = small_setup(bars, "vanilla", changes, dtype=torch.float64)
    losses, update = [], step.update
    monkeypatch.setattr(step, "update", lambda p, loss, *a, **k: (losses.append(loss.item()), update(p, loss, *a, **k)))
    for player in state.players().values():
        monkeypatch.setattr(player.optimizer, "step", lambda: None)
    weights, random = state.generator.parameters, torch.Generator().manual_seed(1)
    directions = [torch.randn(weight.shape, dtype=torch.float64, generator=random) for weight in weights]

    def loss_at(distance):
        state.step = 0
        with torch.no_grad():
            for weight, direction in zip(weights, directions, strict=True):
                weight += distance * direction
        adversarial_step(state, recipe, streams, noise)
        gradients = [weight.grad.clone() for weight in weights]
        with torch.no_grad():
            for weight, direction in zip(weights, directions, strict=True):
                weight -= distance * direction
        return losses[-1], sum((g * d).sum() for g, d in zip(gradients, directions, strict=True)).item()

    distance = 1e-6
    expected = (loss_at(distance)[0] - loss_at(-distance)[0]) / (2 * distance)
    assert loss_at(0.0)[1] == pytest.approx(expected, rel=1e-4)
