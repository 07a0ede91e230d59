"""One round of the adversarial game. Nothing here knows which GAN is being trained."""

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
from ganforge.training.stats import Stats, outputs, seen
from ganforge.training.unroll import unroll, unrolled_loss


class StepFn(Protocol):
    """A way to play one round: changes the state, returns what it saw."""

    def __call__(self, state: State, recipe: Recipe, streams: Streams, draws: NoiseSource) -> Stats:
        """Play one round and advance ``state.step``."""
        ...


def adversarial(state: State, recipe: Recipe, streams: Streams, draws: NoiseSource) -> Stats:
    """``discriminator_steps`` updates of the discriminator, then ``generator_steps`` of the generator.

    Only the weights of the player whose turn it is move: gradients are asked for its parameters alone, and no layer
    keeps anything from a forward pass. In the simultaneous order both move at the end, by gradients at the old weights.
    """
    generator, discriminator = state.generator, state.discriminator
    assert recipe.objective is not None
    rounds, size, together = recipe.discriminator_steps, recipe.batch_size, recipe.order == "simultaneous"
    generator_rate, discriminator_rate = learning_rates(recipe, state.images_seen)
    deviation = noise_sigma(recipe, state.images_seen)

    def noisy(images: Tensor, name: str, k: int) -> Tensor:
        return images + deviation * draws.noise_like(images, name, state.step, k) if deviation else images

    def turn(whose: Phase, fake: Samples, real: Samples | None, **streams: Samples) -> LossContext:
        weights, averages = state.players()[whose].parameters, state.averages.get(whose, ())
        return LossContext(whose, fake, real, streams, recipe.codes, weights, averages)

    for k in range(rounds):
        discriminator.reseed(draws.seed("discriminator", state.step, k))
        real, labels = streams["real"][state.step * rounds + k]
        latent = draws.latent(size, "discriminator", state.step, k)
        keeps_graph = recipe.shared_noise and k == rounds - 1
        with torch.set_grad_enabled(keeps_graph):
            fake = generator(latent, labels)
        shown = noisy(real, "on real", k), noisy(fake.detach(), "on fake", k)
        more = {name: streams[name][state.step * rounds + k] for name in recipe.terms.streams}
        looks = [
            (shown[0], labels),
            (shown[1], labels),
            *((images, known if recipe.uses_classes else None) for images, known in more.values()),
        ]
        on_real, on_fake, *on_more = discriminator.discriminate(looks)
        loss = discriminator_loss = recipe.objective.discriminator_loss(on_real.logits, on_fake.logits).mean()
        look = partial(discriminator.logits, condition=labels)
        for name, penalty in recipe.penalties.items():
            if state.step % penalty.every == 0:
                steep = penalty(look, *shown, on_real.logits, draws.noise_like(real, name, state.step, k))
                loss = loss + penalty.every * penalty.weight * steep.mean()
        if recipe.terms.items():
            found = zip(more.items(), on_more, strict=True)
            beside = {name: Samples(images, output, known) for (name, (images, known)), output in found}
            sides = Samples(shown[1], on_fake, labels, latent), Samples(shown[0], on_real, labels)
            loss = recipe.terms.add(loss, turn("discriminator", *sides, **beside))
        update(discriminator, loss, discriminator_rate, waits=together)

    for k in range(recipe.generator_steps):
        discriminator.reseed(draws.seed("generator", state.step, k))
        if not recipe.shared_noise:
            latent = draws.latent(size, "generator", state.step, k)
        if not (keeps_graph and k == 0):  # else the fakes, and their graph, are still those of the weights
            fake = generator(latent, labels)
        hoped = noisy(fake, "on hoped real", k)
        foreseen, real_side = None, None
        if recipe.unroll:
            game = partial(unrolled_loss, recipe, discriminator, shown[0], hoped, labels)
            foreseen = unroll(discriminator, game, recipe.unroll, discriminator_rate)
        if recipe.joint_batch:
            again, said = discriminator.discriminate([(shown[0], labels), (hoped, labels)], foreseen)
            real_side = Samples(shown[0], again, labels)
        else:
            said = discriminator(hoped, labels, foreseen)
        if real_side is None and (recipe.objective.needs_real_logits or recipe.terms.need_real_outputs):
            with torch.set_grad_enabled(recipe.unroll > 0):  # foreseen weights depend on the fakes
                real_side = Samples(shown[0], discriminator(shown[0], labels, foreseen), labels)
        real_logits = real_side.output.logits if real_side else None
        generator_loss = recipe.objective.generator_loss(real_logits, said.logits).mean()
        loss = recipe.adversarial_weight * generator_loss
        loss = recipe.terms.add(loss, turn("generator", Samples(hoped, said, labels, latent), real_side))
        update(generator, loss, generator_rate)
    if together:
        discriminator.optimizer.step()

    finish_step(state, recipe)
    losses = {"discriminator_loss": discriminator_loss.detach(), "generator_loss": generator_loss.detach()}
    return losses | outputs(recipe, on_real.logits, on_fake.logits) | seen(state, real, fake)


def update(player: Player, loss: Tensor, learning_rate: float, *, waits: bool = False) -> None:
    """Descend on ``loss`` with one player's parameters, or wait with the gradient; nothing else gets one."""
    player.optimizer.zero_grad()
    player.optimizer.rate = learning_rate
    loss.backward(inputs=player.parameters)
    if not waits:
        player.optimizer.step()
