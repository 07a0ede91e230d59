"""The remedies of each finding, with the values of the run's recipe and their measured cure rates.

A change that the recipe does not accept is left out: `load_recipe` checks each one. A remedy begins anew
(`Remedy.anew`) where the weights cannot follow its change, and wherever the illness is in the weights of the run.
"""

from collections.abc import Sequence
from dataclasses import replace

from ganforge.diagnosis import recipe_changes as to
from ganforge.diagnosis.case import Facts
from ganforge.diagnosis.cure_rates import cure_rates
from ganforge.diagnosis.finding import Finding, Remedy
from ganforge.errors import UserError
from ganforge.recipes.reading import load_recipe, parse
from ganforge.recipes.recipe import Recipe

IN_THE_WEIGHTS = {"mode-collapse", "diverged", "unstable", "posterior-collapse", "noise-ignored"}
"""Findings after which the weights of a run are no start for a treatment: a collapsed generator hardly recovers."""
IN_THE_WEIGHTS_FROM_EARLY = {"discriminator-won"}
"""The same for findings that held for more than half of the run: the generator has learned little, or nothing."""


def prescribe(findings: Sequence[Finding], facts: Facts, step: int = 0) -> list[Finding]:
    """Return the findings with their remedies, best first.

    Remedies with a measured cure rate come first, the highest rate first; the others follow in the order of `REMEDIES`.
    A remedy that cured nothing is left out.

    Args:
        findings: of one run.
        facts: of the same run; its recipe is the one that remedies change.
        step: the step that the run has reached.
    """
    recipe = parse(dict(facts.recipe), "the run's recipe")
    ill = any(_is_in_the_weights(finding, step) for finding in findings)
    return [replace(finding, remedies=_prescribed(finding, recipe, facts, ill)) for finding in findings]


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


def _is_in_the_weights(finding: Finding, step: int) -> bool:
    if finding.name in IN_THE_WEIGHTS_FROM_EARLY:
        return finding.since is None or finding.since <= step / 2
    return finding.name in IN_THE_WEIGHTS and finding.severity == 2


def _prescribed(finding: Finding, recipe: Recipe, facts: Facts, ill: bool) -> tuple[Remedy, ...]:
    """Return the remedies that a finding brings with it, and those of `REMEDIES`; words only from one of the two."""
    own = [_named(remedy) for remedy in finding.remedies if _is_accepted(recipe, remedy)]
    own = [replace(remedy, anew=remedy.anew or (ill and bool(remedy.changes))) for remedy in own]
    names, words = {remedy.name for remedy in own}, any(not remedy.name for remedy in own)
    others = _remedies(finding.name, recipe, facts, ill)
    return (*own, *(remedy for remedy in others if (remedy.name or not words) and remedy.name not in names - {""}))


def _named(remedy: Remedy) -> Remedy:
    """Return a remedy with a name, that of the fields which it sets, so that its cures can be counted."""
    fields = "-".join(change.partition("=")[0] for change in remedy.changes)
    return replace(remedy, name=remedy.name or (f"set-{fields}" if fields else ""))


def _remedies(name: str, recipe: Recipe, facts: Facts, ill: bool) -> tuple[Remedy, ...]:
    """Return the remedies of a finding that this recipe accepts, best first."""
    rates = cure_rates().get(name, {})
    remedies = [
        replace(remedy, anew=remedy.anew or (ill and bool(remedy.changes)), cured=cured, tried=tried)
        for make in REMEDIES.get(name, ())
        if (remedy := make(recipe, facts)) and _is_accepted(recipe, remedy)
        for cured, tried in [rates.get(remedy.name, (0, 0))]
    ]
    useful = [remedy for remedy in remedies if remedy.cured or not remedy.tried]
    return tuple(sorted(useful, key=lambda remedy: -_rate(remedy)))


def _rate(remedy: Remedy) -> float:
    """Return the cure rate by which remedies are ordered, with a doubt that falls with the number of trials."""
    return (remedy.cured + 0.5) / (remedy.tried + 1) if remedy.tried else 0.0


def _is_accepted(recipe: Recipe, remedy: Remedy) -> bool:
    """Whether a remedy is advice in words, or changes this recipe into another valid one."""
    if not (remedy.changes or remedy.recipe):
        return True
    try:
        return not changed_recipe(recipe, remedy).trains_like(recipe)
    except UserError:
        return False


LONGER = "longer"
"""The name of the remedy that needs no change: to train on."""
TRAIN_ON = to.advice("train longer: 'ganforge resume' goes on", LONGER)
MORE_IMAGES = to.advice("more training images: a network learns a few hundred by heart, whatever the recipe")

REMEDIES: dict[str, tuple[to.Make, ...]] = {
    "mode-collapse": (
        *(to.as_published, to.equal_rates, to.known_recipe, to.steady_start, to.usual_noise, to.more_latent),
        to.lower_rates,
    ),
    "class-collapse": (to.as_published, to.usual_noise, to.known_recipe, to.larger_batch, to.gradient_penalty),
    "missing-classes": (to.as_published, to.recipe_with_labels, to.known_recipe, to.gradient_penalty, to.larger_batch),
    "narrow": (
        *(to.as_published, to.usual_noise, to.more_latent, to.larger_generator, to.gradient_penalty, to.larger_batch),
        to.known_recipe,
    ),
    "repetition": (
        *(to.as_published, to.more_latent, to.usual_noise, to.minibatch_std, to.larger_batch),
        to.known_recipe,
    ),
    "discriminator-won": (
        *(to.as_published, to.equal_rates, to.slower_discriminator, to.known_recipe, to.gradient_penalty),
        *(to.non_saturating, to.larger_generator, to.lower_rates),
    ),
    "discriminator-weak": (
        *(to.as_published, to.faster_discriminator, to.larger_discriminator, to.equal_rates, to.known_recipe),
    ),
    "discriminator-overfits": (
        *(to.as_published, to.gradient_penalty, to.slower_discriminator, to.minibatch_std),
        MORE_IMAGES,
    ),
    "label-ignored": (to.as_published, to.weighted_label, to.seen_label, to.known_recipe, TRAIN_ON),
    "label-noise": (to.advice("repair the labels"), to.recipe_without_labels),
    "memorising": (MORE_IMAGES, to.minibatch_std, to.gradient_penalty),
    "oscillating": (
        to.as_published,
        to.in_turns,
        to.lower_rates,
        to.less_momentum,
        to.average_weights,
        to.known_recipe,
    ),
    "unstable": (
        *(to.as_published, to.gradient_penalty, to.lower_rates, to.much_lower_rates, to.less_momentum),
        to.known_recipe,
    ),
    "diverged": (to.as_published, to.gradient_penalty, to.lower_rates, to.much_lower_rates, to.known_recipe),
    "undertrained": (TRAIN_ON, to.shorter_average, to.as_published, to.higher_rates),
    "plateau": (to.larger_generator, to.average_weights, to.lower_rates, to.known_recipe),
    "rough": (to.shorter_average, to.as_published, to.larger_generator, to.known_recipe, to.gradient_penalty, TRAIN_ON),
    "noise-ignored": (to.as_published, to.energy_score, to.usual_noise),
    "posterior-collapse": (to.as_published, to.usual_kl),
    "few-data": (MORE_IMAGES,),
    "recipe": (to.as_published, to.lower_rates, to.known_recipe),
    "learning": (TRAIN_ON,),
    "never-drew": (to.vae, to.advice("see its reconstructions: 'ganforge sample RUN --reconstruct'")),
}
"""The remedies of each finding, in the order in which they are tried where no cure rate was measured.

Findings on the data bring their own words, which `prescribe` keeps.
"""
