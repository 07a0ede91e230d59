"""The remedies: each a function of a run's recipe and facts that returns the remedy with its values, or None.

None means that the remedy has no place in this recipe: an autoencoder has no discriminator to slow down, and momentum
of 0.5 is no change where it is 0.5 already. A remedy of this file changes either the game, which the weights of the run
can follow (rates, momentum, penalties, batches), or something that needs a training from the first step (networks,
latent, another recipe; ``anew``).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ganforge.diagnosis.case import Facts
from ganforge.diagnosis.finding import Remedy
from ganforge.objectives.adversarial import Minimax, Wasserstein
from ganforge.recipes.latents import NormalLatent, PartsLatent
from ganforge.recipes.reading import built_in, load_recipe
from ganforge.recipes.recipe import DEFAULT_FOR_FEW, DEFAULT_RECIPE, DEFAULT_WITHOUT_LABELS, FEW, Recipe

MOST_LATENT, MOST_BATCH, WIDEST_DENSE, MOST_FILTERS = 128, 256, 1024, 128
"""Largest latent, batch, dense layer and number of filters that a remedy asks for."""
USUAL_RATE = 2e-4
"""The learning rate of most GANs since DCGAN (Radford et al. 2016, section 4)."""
GAME = ("generator_lr", "discriminator_lr", "adam", "game", "objective", "penalties", "terms", "schedule")
SOURCE = (*GAME, "latent", "pairs", "reconstruction")
"""Parts of a recipe that decide on the training but not on the size of networks and batches."""

Make = Callable[[Recipe, Facts], Remedy | None]
"""A remedy for a recipe, or None where it has no place."""


def change(name: str, text: str, values: Mapping[str, Any], *, anew: bool = False, recipe: str = "") -> Remedy:
    """Return a remedy that sets fields of the recipe, by their dotted names."""
    changes = tuple(f"{field}={_toml(value)}" for field, value in values.items())
    return Remedy(text, changes, anew=anew, name=name, recipe=recipe)


def advice(text: str, name: str = "") -> Make:
    """Return a remedy in words, without a change of the recipe."""

    def make(recipe: Recipe, facts: Facts) -> Remedy:
        return Remedy(text, name=name)

    return make


def _toml(value: Any) -> str:
    """Return a value as ``--set`` reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


# The game: the weights can follow.


def lower_rates(recipe: Recipe, facts: Facts) -> Remedy:
    """Divide every learning rate by 5."""
    return change("lower-rates", "rates divided by 5", {name: getattr(recipe, name) / 5 for name in recipe.rates})


def much_lower_rates(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Divide every learning rate by 25, where a fifth is still above the usual rate."""
    if min(getattr(recipe, name) for name in recipe.rates) < 10 * USUAL_RATE:
        return None
    values = {name: getattr(recipe, name) / 25 for name in recipe.rates}
    return change("much-lower-rates", "rates divided by 25", values)


def higher_rates(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Multiply the learning rates by 5, where they are below the usual rate."""
    if max(getattr(recipe, name) for name in recipe.rates) >= USUAL_RATE:
        return None
    return change("higher-rates", "rates times 5", {name: getattr(recipe, name) * 5 for name in recipe.rates})


def equal_rates(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Give both networks one rate: the geometric mean of the two, at most the usual rate where they differ much."""
    if recipe.discriminator is None or recipe.generator_lr == recipe.discriminator_lr:
        return None
    rate = (recipe.generator_lr * recipe.discriminator_lr) ** 0.5
    apart = max(recipe.generator_lr, recipe.discriminator_lr) >= 10 * min(recipe.generator_lr, recipe.discriminator_lr)
    rate = min(rate, USUAL_RATE) if apart else rate
    return change("equal-rates", "one rate for both networks", dict.fromkeys(recipe.rates, rate))


def slower_discriminator(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Divide the discriminator's learning rate by 10."""
    if recipe.discriminator is None:
        return None
    values = {"discriminator_lr": recipe.discriminator_lr / 10}
    return change("slower-discriminator", "the discriminator's rate divided by 10", values)


def faster_discriminator(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Give the discriminator the generator's rate, where its own is lower, else one more update in a step."""
    if recipe.discriminator is None:
        return None
    if recipe.discriminator_lr < recipe.generator_lr:
        values: dict[str, Any] = {"discriminator_lr": recipe.generator_lr}
        return change("faster-discriminator", "the generator's rate for the discriminator, too", values)
    values = {"game.discriminator_steps": recipe.game.discriminator_steps + 1}
    return change("faster-discriminator", "one more update of the discriminator in each step", values)


def gradient_penalty(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Limit the discriminator's slope at real pictures; a Wasserstein critic gets its own penalty."""
    penalties = recipe.penalties
    if recipe.discriminator is None:
        return None
    if isinstance(recipe.objective, Wasserstein) and not penalties.gradient_penalty:
        values: dict[str, Any] = {"penalties.gradient_penalty.weight": 10.0, "game.discriminator_steps": 5}
        return change("penalty", "the gradient penalty of WGAN-GP and five updates of the critic", values)
    if penalties.r1 or penalties.gradient_penalty:
        return None
    weight = penalties.approximate_r1.weight * 5 if penalties.approximate_r1 else 0.2
    text = "an R1 penalty five times as strong" if penalties.approximate_r1 else "an R1 penalty on the discriminator"
    return change("penalty", text, {"penalties.approximate_r1.weight": weight})


def less_momentum(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Set Adam's beta1 to 0.5, as in most GANs since DCGAN."""
    if recipe.discriminator is None or recipe.adam.beta1 <= 0.5:
        return None
    return change("less-momentum", "momentum of 0.5 in Adam", {"adam.beta1": 0.5})


def non_saturating(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Replace the loss that has no gradient where the discriminator is sure (Goodfellow et al. 2014, section 3)."""
    if not isinstance(recipe.objective, Minimax):
        return None
    return change("non-saturating", "the non-saturating loss", {"objective.name": "non-saturating"})


def in_turns(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Let the networks update one after the other, with less momentum."""
    if recipe.game.order != "simultaneous":
        return None
    values: dict[str, Any] = {"game.order": "alternating"}
    if recipe.adam.beta1 > 0.5:
        values["adam.beta1"] = 0.5
    return change("in-turns", "updates in turns, with momentum of at most 0.5", values)


def average_weights(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Draw with averaged weights."""
    if recipe.averaging.half_life:
        return None
    values = {"averaging.half_life": 500_000.0, "averaging.ramp": 0.05}
    return change("average", "averaged weights (EMA) for the pictures", values)


def shorter_average(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Limit the average to the last images: without a ramp, early pictures are those of the initial weights."""
    if not recipe.averaging.half_life or recipe.averaging.ramp:
        return None
    return change("shorter-average", "averaged weights of the last images alone", {"averaging.ramp": 0.05})


def larger_batch(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Double the batch."""
    size = min(recipe.batch_size * 2, MOST_BATCH, facts.n_train)
    if size <= recipe.batch_size:
        return None
    return change("larger-batch", f"batches of {size}", {"batch_size": size})


def weighted_label(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Give the classification term its usual weight."""
    term = recipe.terms.classification
    if term is None or term.weight >= 1:
        return None
    return change("weighted-label", "weight 1 for the classification term", {"terms.classification.weight": 1.0})


# Networks, latents and recipes: only a training from the first step can follow.


def as_published(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Take back what the run changed in the game and the latent of a built-in recipe; its networks stay."""
    if recipe.name not in built_in():
        return None
    now, published = recipe.to_dict(), load_recipe(recipe.name).to_dict()
    values = {
        field: value
        for part in SOURCE
        for field, value in _fields(part, published.get(part))
        if value != dict(_fields(part, now.get(part))).get(field)
    }
    text = f"rates, loss and noise of {recipe.name} as published"
    return change("as-published", text, values, anew=True) if values else None


def steady_start(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Begin with lower rates, less momentum and a limited discriminator: the usual cure of an early collapse."""
    if recipe.discriminator is None:
        return None
    parts = [make(recipe, facts) for make in (lower_rates, less_momentum, gradient_penalty)]
    changes = tuple(one for part in parts if part for one in part.changes)
    return Remedy("rates divided by 5, momentum of 0.5 and a penalty", changes, anew=True, name="steady-start")


def seen_label(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Let the discriminator compare each picture with its label, by projection (Miyato and Koyama 2018)."""
    if not recipe.uses_classes or recipe.discriminator is None or recipe.discriminator.label == "projection":
        return None
    values: dict[str, Any] = {"discriminator.label": "projection"}
    if recipe.adam.beta1 > 0.5:
        values["adam.beta1"] = 0.5
    return change("seen-label", "a discriminator that sees the label by projection", values, anew=True)


def more_latent(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Give the generator more numbers to vary its pictures by."""
    if isinstance(recipe.latent, PartsLatent):
        values: dict[str, Any] = {"latent.normal": 62} if recipe.latent.normal < 62 else {}
        values |= {"latent.std": 1.0} if recipe.latent.std != 1 else {}
        return change("more-latent", "62 numbers of noise from N(0, 1)", values, anew=True) if values else None
    dim = min(max(64, recipe.latent.dim * 2), MOST_LATENT)
    if recipe.latent.dim >= dim:
        return None
    return change("more-latent", f"a latent of {dim} numbers", {"latent.dim": dim}, anew=True)


def usual_noise(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Draw the latent from N(0, 1)."""
    latent = recipe.latent
    if not isinstance(latent, NormalLatent) or (latent.mean, latent.std) == (0, 1):
        return None
    return change("usual-noise", "noise from N(0, 1)", {"latent.mean": 0.0, "latent.std": 1.0}, anew=True)


def larger_generator(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Widen the generator's layers."""
    values = _wider("generator", recipe.generator)
    return change("larger-generator", "a wider generator", values, anew=True) if values else None


def larger_discriminator(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Widen the discriminator's layers."""
    values = _wider("discriminator", recipe.discriminator) if recipe.discriminator else {}
    return change("larger-discriminator", "a wider discriminator", values, anew=True) if values else None


def minibatch_std(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Let the discriminator see how much the pictures of a batch vary (Karras et al. 2018, section 3)."""
    if getattr(recipe.discriminator, "minibatch_std", True):
        return None
    text = "minibatch standard deviation in the discriminator"
    return change("minibatch-std", text, {"discriminator.minibatch_std": True}, anew=True)


def known_recipe(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Begin anew with the default recipe for such pictures, with labels where the run has them."""
    without_labels = DEFAULT_WITHOUT_LABELS if facts.n_train >= FEW else DEFAULT_FOR_FEW
    return _other_recipe(DEFAULT_RECIPE if recipe.conditional else without_labels, recipe, facts)


def recipe_with_labels(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Begin anew with a recipe that draws each class on request, for a run that leaves labels unused."""
    return None if recipe.conditional or len(facts.class_names) < 2 else _other_recipe(DEFAULT_RECIPE, recipe, facts)


def recipe_without_labels(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Begin anew with a recipe that ignores labels that cannot be trusted."""
    return known_recipe(recipe.model_copy(update={"conditional": False}), facts) if recipe.conditional else None


def vae(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Replace an autoencoder by one that learns to draw from noise."""
    if recipe.reconstruction is None or recipe.reconstruction.kl_weight:
        return None
    return change("vae", "begin anew with the recipe vae, which learns to draw from noise", {}, anew=True, recipe="vae")


def usual_kl(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Weigh the codes' KL term as the bound of the likelihood does (Kingma and Welling 2014, eq. 3)."""
    if recipe.reconstruction is None or recipe.reconstruction.kl_weight <= 1:
        return None
    return change("usual-kl", "weight 1 for the KL term", {"reconstruction.kl_weight": 1.0}, anew=True)


def energy_score(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Reward draws that differ as the true pictures of one condition do."""
    if recipe.pairs is None or recipe.terms.fidelity is None:
        return None
    values = {"terms.fidelity.score": "energy", "pairs.draws": max(2, recipe.pairs.draws)}
    return change("energy-score", "two draws for each condition, and the energy score of both", values, anew=True)


def _other_recipe(name: str, recipe: Recipe, facts: Facts) -> Remedy | None:
    if recipe.pairs or recipe.reconstruction or facts.shape[0] not in (1, 3):
        return None
    values = {} if load_recipe(name).batch_size <= facts.n_train else {"batch_size": max(2, facts.n_train // 2)}
    key = "with-labels" if not recipe.conditional and load_recipe(name).conditional else "known-recipe"
    return change(key, f"begin anew with the recipe {name}", values, anew=True, recipe=name)


def _fields(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a part of a recipe by their dotted names."""
    if not isinstance(value, dict):
        if value is not None:
            yield name, value
        return
    for field, entry in value.items():
        yield from _fields(f"{name}.{field}", entry)


def _wider(name: str, network: Any) -> dict[str, Any]:
    """Return a network's widths times 4, within bounds; empty where there are none to widen."""
    if (hidden := getattr(network, "hidden", None)) and max(hidden) < WIDEST_DENSE:
        return {f"{name}.hidden": [min(max(4 * width, 128), WIDEST_DENSE) for width in hidden]}
    if (filters := getattr(network, "filters", None)) and filters < MOST_FILTERS:
        return {f"{name}.filters": min(max(2 * filters, 32), MOST_FILTERS)}
    return {}
