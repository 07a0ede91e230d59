"""A small recipe, its state and its switches, for tests of the step."""

import torch

from ganforge.data.batches import Batches
from ganforge.data.label_subset import labelled_subset, repeat_to
from ganforge.recipes.reading import load_recipe
from ganforge.training.noise import NoiseSource
from ganforge.training.state import new_state, prepare

CPU = torch.device("cpu")


WIDE = ["generator.init.std=0.5", "discriminator.init.std=0.5"]
"""Weights so large that images, classes and latents differ clearly in their outputs."""


SMALL = ["latent.dim=6", "generator.hidden=[12]", "discriminator.hidden=[10]", "batch_size=8"]


def small_setup(data, name="vanilla", changes=(), seed=0, dtype=torch.float32):
    small = [change for change in SMALL if not (change.startswith("latent.") and "latent={" in "".join(changes))]
    recipe = load_recipe(name, [*small, *changes])
    state = new_state(recipe, data.shape, len(data.class_names), seed, CPU)
    streams = {
        "real": Batches(data, 8, recipe.pixel_range, seed=seed, labels=recipe.conditional, device=CPU, dtype=dtype)
    }
    for term in recipe.terms.streams:
        labelled = repeat_to(labelled_subset(data, recipe.data.labels), 8)
        streams[term] = Batches(labelled, 8, recipe.pixel_range, seed=seed, labels=True, device=CPU, dtype=dtype)
    noise = NoiseSource(recipe, seed, CPU, dtype)
    prepare(state, recipe, streams, noise)
    return state, recipe, streams, noise


def weights(player):
    return [tensor.clone() for tensor in player.module.state_dict().values()]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


SWITCHES = {
    "packing": ["game.packing=2"],
    "joint batch": ["game.joint_batch=true", "discriminator.hidden=[10, 10]", "discriminator.batch_norm=true"],
    "spectral norm": ["game.spectral_norm=true"],
    "instance noise": ["schedule.instance_noise=0.2", "schedule.instance_noise_images=100"],
    "feature matching": ["terms.feature_matching.weight=1", "game.adversarial_weight=0"],
    "relativistic pairing": ["objective.name=relativistic-pairing", "penalties.r1.weight=1", "penalties.r2.weight=1"],
    "wasserstein": ["objective.name=wasserstein", "penalties.gradient_penalty.weight=10", "game.discriminator_steps=2"],
    "hinge": ["objective.name=hinge"],
    "unrolled": ["game.unroll=2"],
    "minibatch discrimination": ["discriminator.minibatch_kernels=3"],
    "historical averaging": ["terms.historical_averaging.weight=1"],
    "virtual batch norm": ["generator.batch_norm=true", "generator.virtual_batch_norm=5"],
    "weight norm and noise": ["discriminator.weight_norm=true", "discriminator.hidden_noise=0.5"],
    "supervised": [
        "terms.supervised.weight=1",
        "discriminator.classifier=k_plus_one",
        "discriminator.input_noise=0.3",
        "data.labels=8",
    ],
    "auxiliary classifier": [
        "conditional=true",
        "terms.classification.weight=1",
        "discriminator.classifier=auxiliary",
        "discriminator.label=none",
    ],
    "classes by projection": [
        "conditional=true",
        "terms.real_classification.weight=1",
        "discriminator.classifier=projection",
        "discriminator.label=projection",
    ],
    "codes": [
        "latent={distribution='parts', normal=4, categorical=[3], uniform=1}",
        "terms.mutual_information.weight=1",
    ],
}
SWITCHES["unrolled codes"] = ["game.unroll=1", *SWITCHES["codes"]]
SWITCHES["unrolled auxiliary classifier"] = ["game.unroll=1", *SWITCHES["auxiliary classifier"]]
