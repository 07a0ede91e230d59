"""R1 and R2 take the gradient of the loss's own logits; a second pass of the discriminator gives the same training."""

import copy

import pytest
import torch

from ganforge.data.batches import Batches
from ganforge.objectives.penalties import R1, R2
from ganforge.recipes.reading import load_recipe
from ganforge.training.noise import NoiseSource
from ganforge.training.state import new_state, prepare
from ganforge.training.step import adversarial_step

CPU = torch.device("cpu")
SMALL = ["latent.dim=6", "generator.hidden=[12]", "discriminator.hidden=[10, 10]", "batch_size=8"]
BOTH = ["penalties.r1.weight=2", "penalties.r2.weight=3"]
CASES = {
    "r1": ["penalties.r1.weight=2"],
    "r2": ["penalties.r2.weight=2"],
    "both, lazy": [*BOTH, "penalties.r1.every=2", "penalties.r2.every=3"],
    "batch norm": [*BOTH, "discriminator.batch_norm=true"],
    "minibatch discrimination": [*BOTH, "discriminator.minibatch_kernels=3"],
    "packing": [*BOTH, "game.packing=2"],
    "relativistic pairing": [*BOTH, "objective.name=relativistic-pairing"],
    "classes": [*BOTH, "conditional=true", "generator.label=one-hot", "discriminator.label=projection"],
    "spectral norm": [*BOTH, "game.spectral_norm=true"],
    "simultaneous": [*BOTH, "game.order=simultaneous"],
    "unrolled": [*BOTH, "game.unroll=1"],
    "other penalties too": [
        *BOTH,
        "penalties.approximate_r1.weight=0.5",
        "penalties.gradient_penalty.weight=0.1",
        "game.discriminator_steps=2",
    ],
    "instance noise": [*BOTH, "schedule.instance_noise=0.3"],
}


def setup(data, changes, precision="fp64"):
    recipe = load_recipe("vanilla", [*SMALL, f"run.precision={precision}", *changes])
    dtype = torch.float64 if precision == "fp64" else torch.float32
    state = new_state(recipe, data.shape, len(data.class_names), 0, CPU)
    streams = {"real": Batches(data, 8, recipe.pixel_range, seed=0, labels=recipe.conditional, device=CPU, dtype=dtype)}
    noise = NoiseSource(recipe, 0, CPU, dtype)
    prepare(state, recipe, streams, noise)
    return state, recipe, streams, noise


def half_squared_gradient(logits, images):
    """½‖∇D‖² of each logit by a pass of its own."""
    images = images.detach().clone().requires_grad_()
    output = logits(images)
    (gradient,) = torch.autograd.grad(output.sum(), images, create_graph=True)
    return 0.5 * gradient.flatten(1).square().sum(1).view(len(output), -1).sum(1)


def with_a_second_pass(monkeypatch):
    """Replace both penalties by passes of their own, at images that the loss does not differentiate."""
    for penalty, name in ((R1, "real"), (R2, "fake")):
        monkeypatch.setattr(penalty, "differentiates", ())
        monkeypatch.setattr(
            penalty,
            "__call__",
            lambda self, context, name=name: half_squared_gradient(context.logits, getattr(context, name).images),
        )


@pytest.mark.parametrize("case", CASES)
def test_the_shared_pass_trains_as_a_second_pass_does(bars, monkeypatch, case):
    state, *rest = setup(bars, CASES[case])
    reference = copy.deepcopy(state)
    for _ in range(20):
        adversarial_step(state, *rest)
    with monkeypatch.context() as patched:
        with_a_second_pass(patched)
        for _ in range(20):
            adversarial_step(reference, *rest)
    for name, player in state.players().items():
        for weight, expected in zip(player.parameters, reference.players()[name].parameters, strict=True):
            torch.testing.assert_close(weight, expected, rtol=1e-9, atol=1e-9)


def test_with_bf16_layers_the_penalties_are_in_single_precision(bars, monkeypatch):
    """Generated images are in bf16, the norm of their gradient is not; 2% is the rounding of bf16 layers."""
    values, compare = [], {}
    for penalty, name in ((R1, "real"), (R2, "fake")):
        compare[name] = penalty.__call__
        monkeypatch.setattr(
            penalty,
            "__call__",
            lambda self, context, name=name: (
                values.append((name, context.real.images, context.fake.images, compare[name](self, context)))
                or values[-1][-1]
            ),
        )
    state, *rest = setup(bars, [*BOTH, "discriminator.init.std=0.3"], "bf16")
    discriminator = copy.deepcopy(state.discriminator.module)
    adversarial_step(state, *rest)
    assert [name for name, *_ in values] == ["real", "fake"]
    for name, real, fake, value in values:
        images = (real if name == "real" else fake).float()
        expected = half_squared_gradient(lambda x: discriminator(x).logits, images)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, expected, rtol=2e-2, atol=1e-6)


def test_images_require_a_gradient_only_in_the_steps_of_a_penalty_that_takes_it(bars):
    """Otherwise lazy penalties would cost their time in every step."""
    state, recipe, streams, noise = setup(bars, ["penalties.r1.every=3", "penalties.approximate_r1.weight=0.1"])
    passes, forward = [], state.discriminator.module.forward
    state.discriminator.module.forward = lambda x, c=None: (passes.append((len(x), x.requires_grad)), forward(x, c))[1]
    adversarial_step(state, recipe, streams, noise)
    real, fake, moved, generated = (8, True), (8, False), (8, True), (8, True)
    assert passes == [real, fake, moved, generated]
    passes.clear()
    adversarial_step(state, recipe, streams, noise)
    real_and_fake, moved = (16, False), (8, False)
    assert passes == [real_and_fake, moved, generated]


def test_shared_passes_are_fewer(bars):
    """R1 and R2 add no pass: real, fake, and the generator's turn."""
    state, *rest = setup(bars, BOTH)
    passes, forward = [], state.discriminator.module.forward
    state.discriminator.module.forward = lambda x, c=None: (passes.append(len(x)), forward(x, c))[1]
    adversarial_step(state, *rest)
    assert passes == [8, 8, 8]
