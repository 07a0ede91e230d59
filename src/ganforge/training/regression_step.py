"""The training step of a generator without an adversary, from pairs alone: the control of image-to-image GANs."""

from ganforge.data.batches import Streams
from ganforge.recipes.recipe import Recipe
from ganforge.training.ema import finish_step
from ganforge.training.noise import NoiseSource
from ganforge.training.schedule import learning_rates
from ganforge.training.state import State
from ganforge.training.stats import Stats, gradient_and_spread_stats
from ganforge.training.step import update


def regression_step(state: State, recipe: Recipe, streams: Streams, noise: NoiseSource) -> Stats:
    """Update the generator once on the distance of its results from the true pictures, L_G = weight · fidelity."""
    batch, term = streams["real"][state.step], recipe.terms.fidelity
    assert recipe.pairs is not None
    assert term is not None
    requested = batch.repeated(recipe.pairs.draws)
    latent = noise.at(state.step, 0).latent(recipe.batch_size, "generator")
    generated = state.generator(latent, requested.condition)
    fidelity = term.distance(generated, requested.images, recipe.pairs.draws)
    update(state.generator, term.weight * fidelity, learning_rates(recipe, state.images_seen)[0])
    finish_step(state, recipe)
    return {"generator_loss": fidelity.detach()} | gradient_and_spread_stats(state, batch.images, generated.detach())
