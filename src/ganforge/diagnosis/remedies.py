"""Remedies of each finding, as changes of the run's recipe.

A remedy is a function of the recipe and of the facts of the run, so that it names values and not directions: "rates
divided by 5" becomes ``generator_lr=0.0004``. A change that the recipe does not accept is left out: `load_recipe`
checks each one. A remedy says whether the weights of the run can follow it (`Remedy.anew`): rates, momentum, penalties
and batches change between two steps; other networks, another latent and another recipe need a training from the first
step, and so does every remedy of a run whose weights are ill (`IN_THE_WEIGHTS`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ganforge.diagnosis.case import Facts
from ganforge.diagnosis.cure_rates import cure_rates
from ganforge.diagnosis.finding import Finding, Remedy
from ganforge.errors import UserError
from ganforge.recipes.reading import load_recipe, parse
from ganforge.recipes.recipe import DEFAULT_FOR_FEW, DEFAULT_RECIPE, DEFAULT_WITHOUT_LABELS, FEW, Recipe

IN_THE_WEIGHTS = {"mode-collapse", "diverged", "posterior-collapse", "noise-ignored"}
"""Findings after which the weights of a run are no start for a treatment: a collapsed generator hardly recovers."""
MOST_LATENT, MOST_BATCH = 128, 256
"""Largest latent and largest batch that a remedy asks for."""

Make = Callable[[Recipe, Facts], Remedy | None]
"""A remedy for a recipe, or None where it cannot apply."""


def prescribe(findings: Sequence[Finding], facts: Facts) -> list[Finding]:
    """Return the findings with their remedies, best first.

    Remedies with a measured cure rate come first, the highest rate first; the others follow in the order of `REMEDIES`.

    Args:
        findings: of one run.
        facts: of the same run; its recipe is the one that remedies change.
    """
    recipe = parse(dict(facts.recipe), "the run's recipe")
    ill = any(finding.name in IN_THE_WEIGHTS and finding.severity == 2 for finding in findings)
    return [replace(finding, remedies=_remedies(finding.name, recipe, facts, ill)) for finding in findings]


def changed_recipe(recipe: Recipe, remedy: Remedy) -> Recipe:
    """Return the recipe of a treated run.

    A built-in recipe in place of the run's own keeps the machine's settings of the run.

    Raises:
        UserError: the recipe does not accept a change.
    """
    if not remedy.recipe:
        return load_recipe(recipe, remedy.changes)
    return load_recipe(remedy.recipe, remedy.changes).with_run(
        device=recipe.run.device, precision=recipe.run.precision, checkpoint_seconds=recipe.run.checkpoint_seconds
    )


def _remedies(name: str, recipe: Recipe, facts: Facts, ill: bool) -> tuple[Remedy, ...]:
    """Return the remedies of a finding that this recipe accepts, best first."""
    made = [make(recipe, facts) for make in REMEDIES.get(name, ())]
    rates = cure_rates().get(name, {})
    remedies = [
        replace(remedy, anew=remedy.anew or (ill and bool(remedy.changes)), cured=cured, tried=tried)
        for remedy in made
        if remedy and _is_accepted(recipe, remedy)
        for cured, tried in [rates.get(remedy.name, (0, 0))]
    ]
    useful = [remedy for remedy in remedies if remedy.cured or not remedy.tried]
    return tuple(sorted(useful, key=lambda remedy: -_rate(remedy)))


def _rate(remedy: Remedy) -> float:
    """Return the cure rate by which remedies are ordered: measured ones count, with a doubt that falls with trials."""
    return (remedy.cured + 0.5) / (remedy.tried + 1) if remedy.tried else 0.0


def _is_accepted(recipe: Recipe, remedy: Remedy) -> bool:
    """Whether a remedy is advice in words, or changes this recipe into another valid one."""
    if not (remedy.changes or remedy.recipe):
        return True
    try:
        return not changed_recipe(recipe, remedy).trains_like(recipe)
    except UserError:
        return False


def _change(name: str, text: str, values: Mapping[str, Any], *, anew: bool = False, recipe: str = "") -> Remedy:
    changes = tuple(f"{field}={_toml(value)}" for field, value in values.items())
    return Remedy(text, changes, anew=anew, name=name, recipe=recipe)


def _toml(value: Any) -> str:
    """Return a value as ``--set`` reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


# Remedies of the game: the weights can follow them.


def lower_rates(recipe: Recipe, facts: Facts) -> Remedy:
    """Divide every learning rate by 5."""
    return _change("lower-rates", "rates divided by 5", {name: getattr(recipe, name) / 5 for name in recipe.rates})


def raise_rates(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Multiply rates below 2e-4, the usual rate of a GAN, by 5."""
    if max(getattr(recipe, name) for name in recipe.rates) >= 2e-4:
        return None
    return _change("higher-rates", "rates times 5", {name: getattr(recipe, name) * 5 for name in recipe.rates})


def slower_discriminator(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Divide the discriminator's learning rate by 10."""
    if recipe.discriminator is None:
        return None
    values = {"discriminator_lr": recipe.discriminator_lr / 10}
    return _change("slower-discriminator", "the discriminator's rate divided by 10", values)


def equal_rates(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Give both networks the lower of their two learning rates."""
    if recipe.discriminator is None or recipe.generator_lr == recipe.discriminator_lr:
        return None
    rate = min(recipe.generator_lr, recipe.discriminator_lr)
    return _change("equal-rates", "the lower rate for both networks", dict.fromkeys(recipe.rates, rate))


def stronger_discriminator(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Give the discriminator at least the generator's rate, and two updates in a step."""
    if recipe.discriminator is None or recipe.game.order == "simultaneous":
        return None
    rate = max(recipe.discriminator_lr, recipe.generator_lr)
    values = {"discriminator_lr": rate, "game.discriminator_steps": recipe.game.discriminator_steps + 1}
    return _change("stronger-discriminator", "one more update of the discriminator in each step", values)


def gradient_penalty(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Limit the discriminator's slope at real pictures."""
    penalties = recipe.penalties
    if recipe.discriminator is None or penalties.r1 or penalties.gradient_penalty:
        return None
    weight = penalties.approximate_r1.weight * 5 if penalties.approximate_r1 else 0.2
    text = "an R1 penalty five times as strong" if penalties.approximate_r1 else "an R1 penalty on the discriminator"
    return _change("penalty", text, {"penalties.approximate_r1.weight": weight})


def less_momentum(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Set Adam's beta1 to .5, as GANs have since DCGAN."""
    if recipe.discriminator is None or recipe.adam.beta1 <= 0.5:
        return None
    return _change("less-momentum", "momentum of 0.5 in Adam", {"adam.beta1": 0.5})


def average_weights(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Draw with averaged weights."""
    if recipe.averaging.half_life:
        return None
    values = {"averaging.half_life": 500_000.0, "averaging.ramp": 0.05}
    return _change("average", "averaged weights (EMA) for the pictures", values)


def larger_batch(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Double the batch."""
    size = min(recipe.batch_size * 2, MOST_BATCH, facts.n_train)
    return _change("larger-batch", "batches twice as large", {"batch_size": size}) if size > recipe.batch_size else None


# Remedies of the networks, and other recipes: only a training from the first step can follow them.


def steady_start(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Begin with lower rates, less momentum and a limited discriminator: the usual cure of an early collapse."""
    parts = [make(recipe, facts) for make in (lower_rates, less_momentum, gradient_penalty)]
    changes = tuple(change for part in parts if part for change in part.changes)
    text = "rates divided by 5, momentum of 0.5 and an R1 penalty, from the first step"
    return Remedy(text, changes, anew=True, name="steady-start") if recipe.discriminator else None


def seen_label(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Let the discriminator compare each picture with its label, by projection."""
    if not recipe.uses_classes or recipe.discriminator is None or recipe.discriminator.label == "projection":
        return None
    values: dict[str, Any] = {"discriminator.label": "projection"}
    if recipe.adam.beta1 > 0.5:
        values["adam.beta1"] = 0.5
    return _change("seen-label", "a discriminator that sees the label by projection", values, anew=True)


def more_latent(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Give the generator more numbers to vary its pictures by."""
    dim = min(max(64, recipe.latent.dim * 2), MOST_LATENT)
    if recipe.latent.dim >= dim:
        return None
    return _change("more-latent", f"a latent of {dim} numbers", {"latent.dim": dim}, anew=True)


def known_recipe(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Begin anew with the default recipe for such pictures."""
    if recipe.pairs or recipe.reconstruction or facts.shape[0] not in (1, 3):
        return None
    without_labels = DEFAULT_WITHOUT_LABELS if facts.n_train >= FEW else DEFAULT_FOR_FEW
    name = DEFAULT_RECIPE if recipe.conditional else without_labels
    values = {} if load_recipe(name).batch_size <= facts.n_train else {"batch_size": max(2, facts.n_train // 2)}
    return _change("known-recipe", f"begin anew with the recipe {name}", values, anew=True, recipe=name)


def weaker_kl(recipe: Recipe, facts: Facts) -> Remedy | None:
    """Divide the weight of the codes' KL term by 10."""
    if recipe.reconstruction is None:
        return None
    values = {"reconstruction.kl_weight": recipe.reconstruction.kl_weight / 10}
    return _change("weaker-kl", "the weight of the KL term divided by 10", values, anew=True)


# Remedies in words: only the user can act.


def advice(text: str) -> Make:
    """Return a remedy in words, which no training can try."""

    def make(recipe: Recipe, facts: Facts) -> Remedy:
        return Remedy(text)

    return make


LONGER = advice("train longer: 'ganforge resume' goes on")
MORE_IMAGES = advice("more training images; fewer passes over those you have, or pictures of a model trained on more")
REMEDIES: dict[str, tuple[Make, ...]] = {
    "mode-collapse": (known_recipe, seen_label, steady_start, lower_rates, more_latent),
    "class-collapse": (known_recipe, larger_batch, gradient_penalty, more_latent),
    "missing-classes": (known_recipe, gradient_penalty, larger_batch, lower_rates),
    "narrow": (gradient_penalty, larger_batch, more_latent, known_recipe),
    "repetition": (larger_batch, more_latent, gradient_penalty, known_recipe),
    "discriminator-won": (slower_discriminator, gradient_penalty, equal_rates, lower_rates, known_recipe),
    "discriminator-weak": (stronger_discriminator, equal_rates, known_recipe),
    "discriminator-overfits": (gradient_penalty, slower_discriminator, MORE_IMAGES),
    "label-ignored": (seen_label, known_recipe, LONGER),
    "label-noise": (advice("correct the labels, or train a recipe without labels"),),
    "memorising": (MORE_IMAGES,),
    "oscillating": (lower_rates, less_momentum, average_weights),
    "unstable": (lower_rates, less_momentum, gradient_penalty, known_recipe),
    "diverged": (lower_rates, steady_start, known_recipe),
    "undertrained": (raise_rates, LONGER),
    "plateau": (average_weights, lower_rates, known_recipe),
    "rough": (known_recipe, gradient_penalty, LONGER),
    "noise-ignored": (advice("a table [terms.fidelity] with score = \"energy\" and pairs.draws = 2"),),
    "posterior-collapse": (weaker_kl,),
    "few-data": (MORE_IMAGES,),
    "data-range": (advice("pixels of the whole range: --levels LOW,HIGH names those of black and white"),),
    "data-polarity": (advice("pictures of one kind: invert those that are dark on light"),),
    "data-duplicates": (advice("each picture once, and no test picture among those for training"),),
    "data-classes": (advice("more pictures of the small classes, or without these classes"),),
    "learning": (LONGER,),
    "never-drew": (advice("the recipe vae, which learns to draw from noise; or see 'ganforge sample --reconstruct'"),),
}  # fmt: skip
"""The remedies of each finding, in the order in which they are tried where no cure rate was measured."""
