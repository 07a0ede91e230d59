"""Properties on every device of this machine: the CPU, and a GPU if there is one."""

import pytest
import torch

import ganforge
from ganforge.benchmarks.common import BenchmarkOptions
from ganforge.benchmarks.mode_coverage import run_mode_coverage
from ganforge.recipes.reading import load_recipe
from ganforge.runs.checkpoint import newest_checkpoint
from ganforge.runs.folder import RunFolder
from ganforge.training.noise import NoiseSource

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))
DEVICES = ["cpu", CUDA]
SMALL = {
    "vanilla": ["generator.hidden=[16]", "discriminator.hidden=[16]", "averaging.half_life=100"],
    "forge-1": ["generator.filters=4", "discriminator.filters=4", "run.precision=bf16"],
    "dcgan": ["generator.filters=4", "discriminator.filters=4", "run.precision=fp32"],
    "infogan-iic": ["generator.filters=4", "discriminator.filters=4", "run.precision=fp32"],
    "semi-supervised-iic": ["generator.filters=4", "discriminator.filters=4", "data.labels=8", "run.precision=fp32"],
    "semi-supervised": ["data.labels=8", "run.precision=fp32"],
}


def close(one, other, device):
    """Bit-identical on the CPU; a GPU adds in any order."""
    near = {"rtol": 0, "atol": 0} if device == "cpu" else {"rtol": 2e-2, "atol": 2e-3}
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, **near, msg=lambda text, name=name: f"{name}: {text}")


def weights(run):
    return newest_checkpoint(RunFolder(run).checkpoints)[0]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", SMALL)
def test_a_run_stops_resumes_and_samples_on_every_device(name, device, bars_file):
    changes = ["batch_size=8", *SMALL[name]]
    ganforge.train(name, data=bars_file, out="straight", steps=6, changes=changes, device=device)
    ganforge.train(name, data=bars_file, out="stopped", steps=3, changes=changes, device=device)
    ganforge.resume("stopped", steps=6)
    assert load_recipe("straight/recipe.toml").run.device == device
    close(weights("straight"), weights("stopped"), device)
    generator = ganforge.load("straight")  # on the CPU, whatever the training device
    pictures = generator.sample(5)
    assert pictures.device.type == "cpu"
    assert pictures.shape == (5, 1, 8, 8)


@pytest.mark.parametrize("device", DEVICES)
def test_the_same_seed_gives_the_same_noise_on_one_device(device):
    recipe = load_recipe("infogan-iic")
    first, again, other = (NoiseSource(recipe, seed, torch.device(device)) for seed in (1, 1, 2))
    z = first.latent(7, "discriminator", 3)
    assert z.device.type == device
    assert torch.equal(z, again.latent(7, "discriminator", 3))
    assert not torch.equal(z, other.latent(7, "discriminator", 3))


@pytest.mark.parametrize("device", DEVICES)
def test_points_of_several_seeds_in_parallel(device):
    small = ["generator.hidden=[8, 8]", "discriminator.hidden=[8, 8]", f"run.device={device}"]
    options = BenchmarkOptions("ring", load_recipe("forge-2d", small), steps=20, seeds=2, quick=True, out="out")
    report = run_mode_coverage(options)
    assert [result["device"] for result in report.results] == [device, device]
