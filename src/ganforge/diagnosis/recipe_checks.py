"""Findings on a recipe before the first step: settings outside everything that is known to work, and few images.

The limits are the extremes of the built-in recipes for pictures, times a factor. They warn and never refuse: a setting
outside may still work.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from ganforge.data.images import Splits
from ganforge.data.summary import FEW_IMAGES, few_warnings
from ganforge.diagnosis.finding import Evidence, Finding, Remedy
from ganforge.networks.registry import DiscriminatorSettings, GeneratorSettings
from ganforge.networks.strided import StridedDiscriminatorSettings
from ganforge.recipes.recipe import Recipe
from ganforge.training.state import build_networks
from ganforge.training.tuning.machine_memory import least_memory

RATES = {
    "mlp": (2e-4, 2e-3),
    "mlp with normalisation": (2e-4, 3e-3),
    "dcgan": (1e-4, 2e-4),
    "strided": (2e-4, 2e-4),
    "subpixel": (1e-3, 2e-3),
    "unet": (1e-3, 1e-3),
    "signal": (1e-3, 1e-3),
}
"""Smallest and largest learning rate of the built-in recipes, by kind of the network (`kind_of_network`)."""
TOO_HIGH, TOO_LOW = 2.5, 10
"""Factors beyond these rates: a rate that is too high breaks a game, one that is too low slows it down."""
MEMORIES = {"beta1": (1, 10), "beta2": (10, 1000)}
"""Updates that Adam's averages remember in the built-in recipes, 1 / (1 − β)."""
MEMORY_FACTOR = 3
FEWEST_LATENTS = 4
"""Smallest latent; the smallest of the built-in recipes is 32."""
WEIGHTS_PER_VALUE, OF_GENERATOR = 10, 0.03
"""A discriminator with fewer weights for each value of a picture, and than this share of the generator's, is small.

The built-in recipes that work have 34 and .06 or more; the two that are weak by purpose, ``dcgan-tiny-half`` and
``-quarter``, have .8 and .007 or less.
"""
FEWEST_PER_CLASS = 50
"""Smallest mean number of images of a class for a conditional recipe."""
CONSTANT_BORDER, STILL = 0.5, 2.0
"""Share of border pixels with a standard deviation below ``STILL`` levels from which a border is constant."""
LOOKED_AT = 1_000
"""Number of images whose borders are looked at."""


def check_recipe(recipe: Recipe, splits: Splits, memory: int | None = None) -> list[Finding]:
    """Return what is wrong with a recipe for these data; an empty list where nothing is.

    Args:
        recipe: the resolved recipe.
        splits: the data.
        memory: bytes that the machine has; None: not checked.
    """
    train = splits.train
    classes = recipe.condition_classes(len(train.class_names))
    with torch.device("meta"):  # shapes without memory: networks larger than the machine can be counted
        networks = build_networks(recipe, train.shape, len(train.class_names))
    weights = {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()}
    values = math.prod(train.shape)
    settings = [
        *_rates(recipe),
        *_betas(recipe),
        *_latent(recipe),
        *_hidden_border(recipe, splits),
        *_memory(least_memory(recipe, sum(weights.values()), values), memory),
    ]
    return [
        *_joined(settings),
        *_small_discriminator(weights, values),
        *_few_data(recipe, len(train), classes),
    ]


def _rates(recipe: Recipe) -> Iterator[Finding]:
    kinds = {"generator_lr": kind_of_network(recipe.generator)}
    if recipe.discriminator:
        kinds["discriminator_lr"] = kind_of_network(recipe.discriminator)
    for field, kind in kinds.items():
        rate, (low, high) = getattr(recipe, field), RATES[kind]
        if low / TOO_LOW <= rate <= high * TOO_HIGH:
            continue
        too_high = rate > high
        consequence = "the game may run away or collapse" if too_high else "the training will be very slow"
        usual = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        nearest = high if too_high else low
        yield _setting(
            f"{field} = {rate:g} is far too {'high' if too_high else 'low'} for networks of the kind {kind}: "
            f"recipes that work have {usual}; {consequence}",
            Evidence(field, rate, low / TOO_LOW, high * TOO_HIGH),
            Remedy(f"{field} {nearest:g}", (f"{field}={nearest:g}",), anew=True),
            "if the losses stay level and the samples improve, the rate suits this network",
        )


def kind_of_network(settings: GeneratorSettings | DiscriminatorSettings) -> str:
    """Return the family of a network; an MLP with batch norm or weight norm bears higher rates, and is its own kind."""
    return f"{settings.family} with normalisation" if getattr(settings, "normed", False) else settings.family


def _betas(recipe: Recipe) -> Iterator[Finding]:
    for field, (shortest, longest) in MEMORIES.items():
        beta = getattr(recipe.adam, field)
        low, high = (1 - 1 / max(1, shortest / MEMORY_FACTOR)), 1 - 1 / (longest * MEMORY_FACTOR)
        if low <= beta <= high:
            continue
        usual = 1 - 1 / (longest if beta > high else shortest)
        yield _setting(
            f"adam.{field} = {beta:g} remembers {1 / (1 - beta):,.0f} updates: recipes that work remember "
            f"{shortest} to {longest:,}",
            Evidence(f"adam.{field}", beta, low, high),
            Remedy(f"adam.{field} {usual:g}", (f"adam.{field}={usual:g}",), anew=True),
            "if the losses stay level and the samples improve, the setting suits this game",
        )


def _latent(recipe: Recipe) -> Iterator[Finding]:
    if recipe.pairs or recipe.latent.dim >= FEWEST_LATENTS:
        return
    dim = recipe.latent.dim
    yield _setting(
        f"the latent has {dim} number{'s' if dim > 1 else ''}: pictures can vary in no more ways; recipes that work "
        "have 32 or more",
        Evidence("latent.dim", dim, FEWEST_LATENTS, None),
        Remedy("a latent of 64 numbers", ("latent.dim=64",), anew=True),
        "if the pictures really differ in so few ways, the latent is large enough",
    )


def _small_discriminator(weights: dict[str, int], values: int) -> Iterator[Finding]:
    count = weights.get("discriminator")
    if count is None:
        return
    per_value, of_generator = count / values, count / weights["generator"]
    if per_value >= WEIGHTS_PER_VALUE or of_generator >= OF_GENERATOR:
        return
    yield Finding(
        "discriminator-weak",
        1,
        f"the discriminator has {count:,} weights for pictures of {values:,} values, {of_generator:.1%} of the "
        "generator's: too few to tell fakes that are only roughly right",
        "a wider discriminator",
        (
            Evidence("weights of the discriminator for each value of a picture", per_value, WEIGHTS_PER_VALUE, None),
            Evidence("weights of the discriminator, of the generator's", of_generator, OF_GENERATOR, None),
        ),
        cause="few filters, or a narrow hidden layer",
        remedies=(Remedy("a wider discriminator: discriminator.filters or discriminator.hidden", anew=True),),
        reconsider="if the samples become sharp and varied, the discriminator is large enough for these pictures",
    )


def _hidden_border(recipe: Recipe, splits: Splits) -> Iterator[Finding]:
    """Find batch norm on the pixels of pictures whose border is the same in all: the norm subtracts the border."""
    settings = recipe.discriminator
    if not isinstance(settings, StridedDiscriminatorSettings) or not settings.norm_first or recipe.game.joint_batch:
        return
    images = splits.train.gather(torch.arange(min(LOOKED_AT, len(splits.train))))
    edges = (
        torch.cat([images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1]], 2).flatten(1).float()
    )
    constant = float((edges.std(0) < STILL).float().mean())
    if constant < CONSTANT_BORDER:
        return
    yield _setting(
        f"the discriminator's batch norm hides the border: {constant:.0%} of its pixels are the same in all pictures, "
        "and the norm of the layer that sees the pixels subtracts what is constant in a batch",
        Evidence("share of border pixels that are the same in all pictures", constant, 0, CONSTANT_BORDER),
        Remedy("no batch norm on the pixels", ("discriminator.norm_first=false",), anew=True),
        "if the border of the samples is clean, the discriminator sees it",
    )


def _few_data(recipe: Recipe, count: int, classes: int) -> Iterator[Finding]:
    """Find fewer images than a discriminator can learn from without knowing them by heart."""
    if recipe.discriminator is None:
        return
    per_class = count / classes if classes else None
    few_of_class = per_class is not None and per_class < FEWEST_PER_CLASS
    if count >= FEW_IMAGES and not few_of_class:
        return
    text = "; ".join(few_warnings(count))
    if few_of_class:
        kind = "clusters" if recipe.data.clusters else "classes"
        text += f"{'; ' if text else ''}{per_class:,.0f} for each of {classes} {kind}, and {recipe.name} learns each"
    evidence = [Evidence("number of training images", count, FEW_IMAGES, None)]
    if per_class is not None:
        evidence.append(Evidence("training images for each class", per_class, FEWEST_PER_CLASS, None))
    yield Finding(
        "few-data",
        1,
        text,
        "",
        tuple(evidence),
        cause="a discriminator learns few images by heart, and its gradient then leads the generator to copy them",
        remedies=(Remedy("collect more pictures"), *_against_copying(recipe)),
        reconsider="if fakes are no nearer to training images than to held-out ones, nothing is learned by heart",
    )


def _against_copying(recipe: Recipe) -> tuple[Remedy, ...]:
    """Return the change that probably helped with 500 images (docs/lab/techniques.md), where the networks have it."""
    if getattr(recipe.discriminator, "minibatch_std", True):
        return ()
    return (Remedy("minibatch standard deviation in D", ("discriminator.minibatch_std=true",), anew=True),)


def _memory(needed: int, memory: int | None) -> Iterator[Finding]:
    if memory is None or needed <= memory:
        return
    yield _setting(
        f"the training needs {needed / 2**30:,.1f} GiB of memory or more, the machine has {memory / 2**30:,.1f} GiB",
        Evidence("memory needed, GiB", needed / 2**30, None, memory / 2**30),
        Remedy("smaller networks or smaller batches"),
        "if the first steps run, the memory is enough",
    )


def _joined(settings: Sequence[Finding]) -> Iterator[Finding]:
    """Join the findings on single settings into one: a run has each finding once."""
    if not settings:
        return
    yield replace(
        settings[0],
        text="; ".join(finding.text for finding in settings),
        remedy=" ".join(finding.remedy for finding in settings),
        evidence=tuple(evidence for finding in settings for evidence in finding.evidence),
        remedies=tuple(remedy for finding in settings for remedy in finding.remedies),
    )


def _setting(text: str, evidence: Evidence, remedy: Remedy, reconsider: str) -> Finding:
    changes = " ".join(f"--set {change}" for change in remedy.changes)
    return Finding(
        "recipe",
        1,
        text,
        changes or remedy.text,
        (evidence,),
        cause="a setting of the recipe, or of --set",
        remedies=(remedy,),
        reconsider=reconsider,
    )
