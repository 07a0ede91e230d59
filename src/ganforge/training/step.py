"""One step of adversarial training, the same for all GAN recipes."""

from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from ganforge.data.batches import Streams
from ganforge.objectives.loss_context import LossContext, Phase, Samples
from ganforge.recipes.recipe import Recipe
from ganforge.training.ema import finish_step
from ganforge.training.noise import NoiseSource
from ganforge.training.schedule import learning_rates, noise_sigma
from ganforge.training.state import Player, State
from ganforge.training.stats import Stats, gradient_and_spread_stats, logit_stats
from ganforge.training.unroll import unroll, unrolled_loss


class StepFn(Protocol):
    """A training step: changes the state and returns statistics."""

    def __call__(self, state: State, recipe: Recipe, streams: Streams, noise: NoiseSource) -> Stats:
        """Do one step and advance ``state.step``."""
        ...


def adversarial(state: State, recipe: Recipe, streams: Streams, noise: NoiseSource) -> Stats:
    """Do ``discriminator_steps`` updates of the discriminator, then ``generator_steps`` updates of the generator.

    Each update changes the weights of one player only: gradients are computed for its parameters alone, and no layer
    stores anything in a forward pass. In the simultaneous order both players are updated at the end, with gradients at
    the old weights.
    """
    generator, discriminator = state.generator, state.discriminator
    assert recipe.objective is not None
    game, size = recipe.game, recipe.batch_size
    d_steps, simultaneous = game.discriminator_steps, game.order == "simultaneous"
    generator_lr, discriminator_lr = learning_rates(recipe, state.images_seen)
    sigma = noise_sigma(recipe, state.images_seen)

    def noisy(images: Tensor, name: str, k: int) -> Tensor:
        return images + sigma * noise.noise_like(images, name, state.step, k) if sigma else images

    def loss_context(turn: Phase, fake: Samples, real: Samples | None, **streams: Samples) -> LossContext:
        weights, averages = state.players()[turn].parameters, state.averages.get(turn, ())
        return LossContext(turn, fake, real, streams, recipe.codes, weights, averages)

    for k in range(d_steps):
        discriminator.reseed(noise.seed("discriminator", state.step, k))
        real, labels = streams["real"][state.step * d_steps + k]
        latent = noise.latent(size, "discriminator", state.step, k)
        keeps_graph = game.shared_noise and k == d_steps - 1
        with torch.set_grad_enabled(keeps_graph):
            fake = generator(latent, labels)
        d_inputs = noisy(real, "on real", k), noisy(fake.detach(), "on fake", k)
        extra = {name: streams[name][state.step * d_steps + k] for name in recipe.terms.streams}
        batches = [
            (d_inputs[0], labels),
            (d_inputs[1], labels),
            *((images, own_labels if recipe.uses_classes else None) for images, own_labels in extra.values()),
        ]
        on_real, on_fake, *on_extra = discriminator.discriminate(batches)
        loss = discriminator_loss = recipe.objective.discriminator_loss(on_real.logits, on_fake.logits).mean()
        logits = partial(discriminator.logits, condition=labels)
        for name, penalty in recipe.penalties.items():
            if state.step % penalty.every == 0:
                penalty_noise = noise.noise_like(real, name, state.step, k)
                penalty_value = penalty(logits, *d_inputs, on_real.logits, penalty_noise)
                loss = loss + penalty.every * penalty.weight * penalty_value.mean()
        if recipe.terms.items():
            outputs = zip(extra.items(), on_extra, strict=True)
            further = {name: Samples(images, output, own_labels) for (name, (images, own_labels)), output in outputs}
            fake_and_real = Samples(d_inputs[1], on_fake, labels, latent), Samples(d_inputs[0], on_real, labels)
            loss = recipe.terms.add(loss, loss_context("discriminator", *fake_and_real, **further))
        update(discriminator, loss, discriminator_lr, deferred=simultaneous)

    for k in range(game.generator_steps):
        discriminator.reseed(noise.seed("generator", state.step, k))
        if not game.shared_noise:
            latent = noise.latent(size, "generator", state.step, k)
        if not (keeps_graph and k == 0):  # otherwise the last fakes and their graph belong to the current weights
            fake = generator(latent, labels)
        g_fakes = noisy(fake, "on hoped real", k)
        unrolled_params, real_samples = None, None
        if game.unroll:
            d_loss = partial(unrolled_loss, recipe, discriminator, d_inputs[0], g_fakes, labels)
            unrolled_params = unroll(discriminator, d_loss, game.unroll, discriminator_lr)
        if game.joint_batch:
            both = [(d_inputs[0], labels), (g_fakes, labels)]
            real_output, fake_output = discriminator.discriminate(both, unrolled_params)
            real_samples = Samples(d_inputs[0], real_output, labels)
        else:
            fake_output = discriminator(g_fakes, labels, unrolled_params)
        if real_samples is None and (recipe.objective.needs_real_logits or recipe.terms.needs_real_outputs):
            with torch.set_grad_enabled(game.unroll > 0):  # unrolled parameters depend on the fakes
                real_samples = Samples(d_inputs[0], discriminator(d_inputs[0], labels, unrolled_params), labels)
        real_logits = real_samples.output.logits if real_samples else None
        generator_loss = recipe.objective.generator_loss(real_logits, fake_output.logits).mean()
        loss = game.adversarial_weight * generator_loss
        fake_samples = Samples(g_fakes, fake_output, labels, latent)
        loss = recipe.terms.add(loss, loss_context("generator", fake_samples, real_samples))
        update(generator, loss, generator_lr)
    if simultaneous:
        discriminator.optimizer.step()

    finish_step(state, recipe)
    losses = {"discriminator_loss": discriminator_loss.detach(), "generator_loss": generator_loss.detach()}
    stats = logit_stats(recipe, on_real.logits, on_fake.logits)
    return losses | stats | gradient_and_spread_stats(state, real, fake)


def update(player: Player, loss: Tensor, learning_rate: float, *, deferred: bool = False) -> None:
    """Compute the gradient of ``loss`` for one player's parameters only, and update them unless ``deferred``."""
    player.optimizer.zero_grad()
    player.optimizer.lr = learning_rate
    loss.backward(inputs=player.parameters)
    if not deferred:
        player.optimizer.step()
