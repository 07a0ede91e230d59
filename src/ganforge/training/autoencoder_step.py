"""The training step of autoencoders: an encoder and a generator (the decoder) learn to reconstruct images."""

from torch import Tensor

from ganforge.data.batches import Streams
from ganforge.networks.encoder_head import Encoding
from ganforge.networks.memory_layout import to_float32
from ganforge.objectives.reconstruction import kl_to_standard_normal
from ganforge.recipes.recipe import Recipe
from ganforge.training.ema import finish_step
from ganforge.training.noise import NoiseSource
from ganforge.training.schedule import learning_rate_factor
from ganforge.training.state import State
from ganforge.training.stats import Stats, gradient_and_spread_stats


def reconstruction_step(state: State, recipe: Recipe, streams: Streams, noise: NoiseSource) -> Stats:
    """Update both players once on the reconstruction loss, summed over the pixels and averaged over the batch.

    With ``kl_weight`` β > 0 the codes are sampled, z = μ + σ·ε, and β·KL is added; at β = 1 the loss is minus the bound
    of Kingma and Welling 2014 (eq. 10, L = 1). ``generator_loss`` is the reconstruction loss alone, because the KL term
    does not depend on the generator.
    """
    assert recipe.reconstruction is not None
    state.encoder.reseed(noise.seed("encoder", state.step))
    images = streams["real"][state.step].images
    code: Encoding = state.encoder(images)
    latent = code.latent(noise.noise_like(code.mean, "code", state.step))
    output = to_float32(state.generator(latent, squashed=False))
    reconstruction_loss = recipe.reconstruction(*to_unit_range(recipe, images, output)).mean()
    loss, stats = reconstruction_loss, {"generator_loss": reconstruction_loss.detach()}
    if code.log_variance is not None:
        kl = kl_to_standard_normal(code.mean, code.log_variance).mean()
        loss = reconstruction_loss + recipe.reconstruction.kl_weight * kl
        stats["kl"] = kl.detach()
    update_both(state, loss, recipe.generator_lr * learning_rate_factor(recipe, state.images_seen))
    finish_step(state, recipe)
    reconstructed = output.sigmoid() if recipe.pixel_range == "0..1" else output.tanh()
    return {"encoder_loss": loss.detach()} | stats | gradient_and_spread_stats(state, images, reconstructed.detach())


def update_both(state: State, loss: Tensor, learning_rate: float) -> None:
    """Update encoder and generator with the gradients of one loss."""
    players = (state.encoder, state.generator)
    for player in players:
        player.optimizer.zero_grad()
        player.optimizer.lr = learning_rate
    loss.backward(inputs=[parameter for player in players for parameter in player.parameters])
    for player in players:
        player.optimizer.step()


def to_unit_range(recipe: Recipe, images: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pixels in 0..1 and the logits of their reconstruction; (1 + tanh a) / 2 = sigmoid(2a)."""
    return (images, output) if recipe.pixel_range == "0..1" else ((images + 1) / 2, 2 * output)
