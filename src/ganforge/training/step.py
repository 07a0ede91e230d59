"""One step of adversarial training, the same for all GAN recipes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ganforge.data.batches import Batch, Streams
from ganforge.networks.heads import DiscriminatorOutput
from ganforge.objectives.loss_context import DiscriminatorContext, LossContext, Samples
from ganforge.recipes.recipe import Recipe
from ganforge.training.ema import finish_step
from ganforge.training.noise import NoiseSource, UpdateNoise
from ganforge.training.schedule import learning_rates, noise_sigma
from ganforge.training.state import Player, State
from ganforge.training.stats import Stats, gradient_and_spread_stats, logit_stats
from ganforge.training.unroll import Weights, unrolled_weights


@dataclass(frozen=True)
class DiscriminatorTurn:
    """One update of the discriminator, as the generator's updates and the statistics need it.

    Attributes:
        batch: the real batch.
        requested: the conditions of the generated images, with their true pictures in image-to-image recipes.
        latent: the latents of the generated images.
        generated: the generated images with their conditions.
        real: the real samples as the discriminator saw them, with instance noise.
        fake: the generated samples as it saw them, with instance noise and without the generator's graph.
        loss: the value [] of the objective, without penalties and terms.
    """

    batch: Batch
    requested: Batch
    latent: Tensor
    generated: Batch
    real: Samples
    fake: Samples
    loss: Tensor


def adversarial_step(state: State, recipe: Recipe, streams: Streams, noise: NoiseSource) -> Stats:
    """Do ``discriminator_steps`` updates of the discriminator, then ``generator_steps`` updates of the generator.

    Each update changes the weights of one player only: gradients are computed for its parameters alone, and no layer
    stores anything in a forward pass. In the simultaneous order both players are updated at the end, with gradients at
    the old weights.
    """
    for k in range(recipe.game.discriminator_steps):
        turn = discriminator_update(state, recipe, streams, noise, k)
    for k in range(recipe.game.generator_steps):
        generator_loss, generated = generator_update(state, recipe, turn, noise, k)
    if recipe.game.order == "simultaneous":
        state.discriminator.optimizer.step()
    finish_step(state, recipe)
    losses = {"discriminator_loss": turn.loss, "generator_loss": generator_loss}
    stats = logit_stats(recipe, turn.real.output.logits, turn.fake.output.logits)
    return losses | stats | gradient_and_spread_stats(state, turn.batch.images, generated)


def discriminator_update(
    state: State, recipe: Recipe, streams: Streams, noise: NoiseSource, k: int
) -> DiscriminatorTurn:
    """Do update number ``k`` of the discriminator in this step, on a real batch and as many generated images.

    L_D = E[objective(D(x), D(G(z)))] + Σ weight · E[penalty] + Σ weight · term.
    """
    discriminator, draws = state.discriminator, noise.at(state.step, k)
    assert recipe.objective is not None
    index = state.step * recipe.game.discriminator_steps + k
    discriminator.reseed(draws.seed("discriminator"))
    batch = streams["real"][index]
    requested = batch.repeated(recipe.pairs.draws if recipe.pairs else 1)
    further = {name: streams[name][index] for name in recipe.terms.streams}
    latent = draws.latent(recipe.batch_size, "discriminator")
    # with shared noise the generator's first update uses the last generated images too, with their graph
    with torch.set_grad_enabled(recipe.game.shared_noise and k == recipe.game.discriminator_steps - 1):
        generated = Batch(state.generator(latent, requested.condition), requested.condition)

    real, fake, of_streams = discriminate(state, recipe, draws, batch, generated, latent, further)
    objective_loss = recipe.objective.discriminator_loss(real.output.logits, fake.output.logits).mean()
    context = DiscriminatorContext(
        "discriminator",
        fake=fake,
        real=real,
        streams=of_streams,
        codes=recipe.codes,
        weights=discriminator.parameters,
        averages=state.averages.get("discriminator", ()),
        logits=partial(discriminator.logits, condition=batch.condition),
        noise=partial(draws.noise_like, batch.images),
    )
    loss = recipe.terms.add(recipe.penalties.add(objective_loss, context, state.step), context)
    _, learning_rate = learning_rates(recipe, state.images_seen)
    update(discriminator, loss, learning_rate, deferred=recipe.game.order == "simultaneous")
    return DiscriminatorTurn(batch, requested, latent, generated, real, fake, objective_loss.detach())


def generator_update(
    state: State, recipe: Recipe, turn: DiscriminatorTurn, noise: NoiseSource, k: int
) -> tuple[Tensor, Tensor]:
    """Do update number ``k`` of the generator in this step; return its objective [] and the generated images.

    L_G = adversarial_weight · E[objective(D(x), D(G(z)))] + Σ weight · term.
    """
    discriminator, draws, condition = state.discriminator, noise.at(state.step, k), turn.requested.condition
    assert recipe.objective is not None
    discriminator.reseed(draws.seed("generator"))
    latent = turn.latent if recipe.game.shared_noise else draws.latent(recipe.batch_size, "generator")
    # the graph of the shared images belongs to the current weights only up to the first update
    reused = recipe.game.shared_noise and k == 0
    generated = turn.generated.images if reused else state.generator(latent, condition)

    real = Batch(turn.real.images.detach(), turn.batch.condition)
    fake = Batch(with_instance_noise(state, recipe, draws, generated, "on hoped real"), condition)
    generator_lr, discriminator_lr = learning_rates(recipe, state.images_seen)
    weights = unrolled_weights(recipe, discriminator, real, fake, discriminator_lr)
    on_real, on_fake = discriminate_for_generator(recipe, discriminator, real, fake, weights)
    real_logits = None if on_real is None else on_real.logits
    objective_loss = recipe.objective.generator_loss(real_logits, on_fake.logits).mean()
    context = LossContext(
        "generator",
        fake=Samples(fake.images, on_fake, condition, latent, *truth_of(recipe, turn.requested)),
        real=None if on_real is None else Samples(real.images, on_real, real.condition),
        codes=recipe.codes,
        weights=state.generator.parameters,
        averages=state.averages.get("generator", ()),
    )
    loss = recipe.terms.add(recipe.game.adversarial_weight * objective_loss, context)
    update(state.generator, loss, generator_lr)
    return objective_loss.detach(), generated


def discriminate(
    state: State,
    recipe: Recipe,
    noise: UpdateNoise,
    batch: Batch,
    generated: Batch,
    latent: Tensor,
    further: Mapping[str, Batch],
) -> tuple[Samples, Samples, dict[str, Samples]]:
    """Return the real, the generated and the further samples with the outputs for the discriminator's own loss.

    No graph leads to the generator. Images at which a penalty of this step takes the gradient require it.
    """
    differentiated = recipe.penalties.differentiated(state.step)
    real = with_instance_noise(state, recipe, noise, batch.images.detach(), "on real")
    fake = with_instance_noise(state, recipe, noise, generated.images.detach(), "on fake")
    real.requires_grad_("real" in differentiated)
    fake.requires_grad_("fake" in differentiated)
    shown = [
        Batch(real, batch.condition),
        Batch(fake, generated.condition),
        *(Batch(images, labels if recipe.uses_classes else None) for images, labels in further.values()),
    ]
    # in a joint pass the gradient at one batch would run through the others too, at their cost
    on_real, on_fake, *on_further = state.discriminator.discriminate(shown, apart=bool(differentiated))
    streams = {
        name: Samples(images, output, condition)
        for (name, (images, condition)), output in zip(further.items(), on_further, strict=True)
    }
    return Samples(real, on_real, batch.condition), Samples(fake, on_fake, generated.condition, latent), streams


def truth_of(recipe: Recipe, requested: Batch) -> tuple[Tensor | None, int]:
    """Return the true pictures of an image-to-image batch, and how many times its conditions repeat."""
    return (requested.images, recipe.pairs.draws) if recipe.pairs else (None, 1)


def discriminate_for_generator(
    recipe: Recipe, discriminator: Player, real: Batch, fake: Batch, weights: Weights | None
) -> tuple[DiscriminatorOutput | None, DiscriminatorOutput]:
    """Return the discriminator's outputs for real images, where the generator's loss needs them, and for its own."""
    assert recipe.objective is not None
    if recipe.game.joint_batch:
        on_real, on_fake = discriminator.discriminate([real, fake], weights)
        return on_real, on_fake
    on_fake = discriminator(*fake, weights)
    if not (recipe.objective.needs_real_logits or recipe.terms.needs_real_outputs):
        return None, on_fake
    with torch.set_grad_enabled(recipe.game.unroll > 0):  # unrolled weights depend on the generated images
        return discriminator(*real, weights), on_fake


def with_instance_noise(state: State, recipe: Recipe, noise: UpdateNoise, images: Tensor, name: str) -> Tensor:
    """Return images x + σ·ε, ε ~ N(0, 1), or the images themselves once the instance noise has ended."""
    sigma = noise_sigma(recipe, state.images_seen)
    return images + sigma * noise.noise_like(images, name) if sigma else images


def update(player: Player, loss: Tensor, learning_rate: float, *, deferred: bool = False) -> None:
    """Compute the gradient of ``loss`` for one player's parameters only, and update them unless ``deferred``."""
    player.optimizer.zero_grad()
    player.optimizer.lr = learning_rate
    loss.backward(inputs=player.parameters)
    if not deferred:
        player.optimizer.step()
