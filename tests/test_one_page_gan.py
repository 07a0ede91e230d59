"""The page of plain PyTorch trains exactly as the library does, number for number."""

import importlib.util
from pathlib import Path

import pytest
import torch

from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet
from ganforge.recipes.reading import load_recipe
from ganforge.training.noise import NoiseSource
from ganforge.training.state import new_state
from ganforge.training.step import adversarial_step

PAGE = Path(__file__).parent.parent / "examples" / "one_page_gan.py"
STEPS = 20


@pytest.fixture
def page():
    spec = importlib.util.spec_from_file_location("one_page_gan", PAGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_and_the_library_make_the_same_weights(page):
    cpu, f64 = torch.device("cpu"), torch.float64
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (500, 1, 28, 28), dtype=torch.uint8, generator=random)
    data = ImageSet(images, torch.full((500,), -1))
    recipe = load_recipe("vanilla", ["run.precision=fp64"])
    state = new_state(recipe, data.shape, 0, 0, cpu)
    streams = {
        "real": Batches(data, recipe.batch_size, recipe.pixel_range, seed=0, labels=False, device=cpu, dtype=f64)
    }
    draws = NoiseSource(recipe, 0, cpu, f64)

    generator, discriminator = (player.to(f64) for player in page.make_players())
    ours = (state.generator.module, state.discriminator.module)
    for theirs, mine in zip((generator, discriminator), ours, strict=True):
        with torch.no_grad():
            for a, b in zip(theirs.parameters(), mine.parameters(), strict=True):
                assert a.shape == b.shape
                a.copy_(b)
    optimizers = page.make_optimizers(generator, discriminator)
    start = [p.detach().clone() for p in generator.parameters()]

    for step in range(STEPS):
        adversarial_step(state, recipe, streams, draws)
        noise = draws.latent(recipe.batch_size, "discriminator", step, 0)
        page.play_one_step(generator, discriminator, optimizers, streams["real"][step].images.flatten(1), noise)

    for theirs, mine in zip((generator, discriminator), ours, strict=True):
        for a, b in zip(theirs.parameters(), mine.parameters(), strict=True):
            assert (a - b).abs().max() < 1e-9
    assert max((a - b).abs().max() for a, b in zip(start, generator.parameters(), strict=True)) > 1e-4


def test_the_page_uses_nothing_of_ours():
    assert "ganforge" not in "".join(line for line in PAGE.read_text().splitlines() if "import" in line)


def test_the_page_starts_as_the_tutorial_says(page):
    generator, discriminator = page.make_players()
    for layer in (generator[0], generator[2], discriminator[0]):
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.05)
        assert layer.bias.abs().max() == 0
