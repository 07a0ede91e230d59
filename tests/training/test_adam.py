"""Our Adam equals torch's bit for bit and does not import torch's compiler."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from ganforge.training.adam import Adam

SHAPES = [(3, 4), (4,), (2, 3, 3, 3)]


def weights(dtype):
    random = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=random, dtype=dtype)) for shape in SHAPES]


def gradient(weight, step):
    return (weight.detach() * (1 + step)).sin()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("betas", "eps"), [((0.9, 0.999), 1e-8), ((0.5, 0.99), 2e-4), ((0.0, 0.99), 1e-8)])
def test_adam_equals_torchs_adam_bit_for_bit(dtype, betas, eps):
    own_weights, torchs_weights = weights(dtype), weights(dtype)
    ours, torchs = Adam(own_weights, 1e-2, betas, eps), torch.optim.Adam(torchs_weights, 1e-2, betas, eps, fused=True)
    for step in range(5):
        ours.lr = torchs.param_groups[0]["lr"] = 1e-2 / (1 + step)
        for one, other in zip(own_weights, torchs_weights, strict=True):
            one.grad, other.grad = gradient(one, step), gradient(other, step)
        ours.step()
        torchs.step()
        for one, other in zip(own_weights, torchs_weights, strict=True):
            assert torch.equal(one, other)
    expected = torchs.state_dict()["state"]
    for name, tensor in ours.tensors().items():
        index, slot = name.split(".")
        assert torch.equal(tensor, expected[int(index)][slot]), name
    assert len(ours.tensors()) == 9


def test_one_update_by_hand():
    (weight,) = (nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64)),)
    adam = Adam([weight], 0.1, (0.5, 0.75), 0.01)
    for slope in (2.0, -1.0):
        weight.grad = torch.full((2,), slope, dtype=torch.float64)
        adam.step()
    # m: 1, then .5*1 - .5 = 0; v: 1, then .75 + .25 = 1; corrected by 1-.25 and 1-.5625
    first = 0.1 * (1 / 0.5) / ((1 / 0.25) ** 0.5 + 0.01)
    torch.testing.assert_close(weight.detach(), torch.tensor([1.0, -2.0], dtype=torch.float64) - first)


def test_a_loaded_state_continues_exactly_and_weights_without_gradient_stay():
    def run(steps, saved=None):
        own = weights(torch.float64)
        adam = Adam(own, 1e-2, (0.9, 0.99), 1e-8)
        if saved:
            adam.load(saved[1])
            with torch.no_grad():
                for weight, value in zip(own, saved[0], strict=True):
                    weight.copy_(value)
        for step in steps:
            adam.zero_grad()
            for weight in own[:2]:
                weight.grad = gradient(weight, step)
            adam.step()
        return [weight.detach().clone() for weight in own], {k: v.clone() for k, v in adam.tensors().items()}

    uninterrupted, halfway = run(range(6)), run(range(3))
    resumed = run(range(3, 6), halfway)
    assert all(torch.equal(one, other) for one, other in zip(uninterrupted[0], resumed[0], strict=True))
    assert torch.equal(uninterrupted[0][2], weights(torch.float64)[2])
    assert run([])[1] == {}


@pytest.mark.slow
def test_a_run_starts_without_torchs_compiler():
    code = (
        "import sys, torch; from ganforge.recipes.reading import load_recipe\n"
        "from ganforge.training.tuning import step_timer\n"
        "recipe = load_recipe('forge-1', ['generator.filters=4', 'discriminator.filters=4', 'run.device=cpu', 'run.precision=fp32'])\n"
        "step_timer.timed_step(recipe, (1, 8, 8), 4)()\n"
        "print([name for name in ('torch._dynamo', 'sympy') if name in sys.modules])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"
