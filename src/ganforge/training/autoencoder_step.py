"""One round without an adversary: an encoder and the generator, its decoder, learn to give images back."""

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
from ganforge.training.stats import Stats, seen


def reconstruction(state: State, recipe: Recipe, streams: Streams, draws: NoiseSource) -> Stats:
    """One update of both players: what is lost between an image and its reconstruction, summed over pixels.

    With ``kl_weight`` β the codes are drawn, z = μ + σ·ε, and β·KL is added: minus the bound of Kingma and Welling 2014
    (eq. 10, L = 1) at β = 1. The generator's loss is the first part alone, for the second does not depend on it.
    """
    asked, players = recipe.reconstruction, (state.encoder, state.generator)
    assert asked is not None
    rate = recipe.generator_lr * learning_rate_factor(recipe, state.images_seen)
    state.encoder.reseed(draws.seed("encoder", state.step))
    images, _ = streams["real"][state.step]
    code: Encoding = state.encoder(images)
    latent = code.latent(draws.noise_like(code.mean, "code", state.step))
    output = to_float32(state.generator(latent, squashed=False))
    lost = asked(*_as_shares(recipe, images, output)).mean()
    loss, stats = lost, {"generator_loss": lost.detach()}
    if code.log_variance is not None:
        kl = kl_to_standard_normal(code.mean, code.log_variance).mean()
        loss = lost + asked.kl_weight * kl
        stats["kl"] = kl.detach()
    for player in players:
        player.optimizer.zero_grad()
        player.optimizer.rate = rate
    loss.backward(inputs=[parameter for player in players for parameter in player.parameters])
    for player in players:
        player.optimizer.step()
    finish_step(state, recipe)
    again = output.sigmoid() if recipe.pixel_range == "0..1" else output.tanh()
    return {"encoder_loss": loss.detach()} | stats | seen(state, images, again.detach())


def _as_shares(recipe: Recipe, images: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
    """Return pixels in 0..1, and logits of what they shall be; (1 + tanh a) / 2 = sigmoid(2a)."""
    return (images, output) if recipe.pixel_range == "0..1" else ((images + 1) / 2, 2 * output)
