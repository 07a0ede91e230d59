import pytest
import torch

from ganforge.data.batches import Batches
from ganforge.files import cache_folder
from ganforge.recipes.reading import load_recipe
from ganforge.training.noise import NoiseSource
from ganforge.training.state import new_state
from ganforge.training.step import adversarial_step
from ganforge.training.tuning import precision
from ganforge.training.tuning.precision import choose_precision

CPU = torch.device("cpu")
SMALL = ["latent.dim=6", "batch_size=8", "generator.filters=4", "discriminator.filters=4", "run.device=cpu"]


def test_auto_precision_is_measured_once_and_cached(monkeypatch):
    recipe = load_recipe("forge-1", SMALL)
    assert recipe.run.precision == "auto"
    chosen = choose_precision(recipe, (1, 8, 8), 4)
    assert chosen.run.precision in ("bf16", "fp32")
    monkeypatch.setattr(precision, "_fastest_precision", lambda *_: pytest.fail("measured again"))
    assert choose_precision(recipe, (1, 8, 8), 4) == chosen


def test_a_precision_set_by_the_user_is_kept(monkeypatch):
    monkeypatch.setattr(precision, "_fastest_precision", lambda *_: pytest.fail("measured"))
    recipe = load_recipe("forge-1", [*SMALL, "run.precision=fp32"])
    assert choose_precision(recipe, (1, 8, 8), 4) is recipe


def test_a_damaged_cache_file_is_measured_again(monkeypatch):
    recipe = load_recipe("forge-1", SMALL)
    monkeypatch.setattr(precision, "_fastest_precision", lambda *_: "bf16")
    choose_precision(recipe, (1, 8, 8), 4)
    for file in (cache_folder() / "precision").iterdir():
        file.write_text("{")
    monkeypatch.setattr(precision, "_fastest_precision", lambda *_: "fp32")
    assert choose_precision(recipe, (1, 8, 8), 4).run.precision == "fp32"


@pytest.mark.parametrize("name", ["forge-1", "dcgan", "lsgan"])
def test_bf16_keeps_weights_logits_and_losses_in_single_precision(name, bars):
    recipe = load_recipe(name, [*SMALL, "run.precision=bf16"])
    state = new_state(recipe, bars.shape, 4, 0, CPU)
    streams = {"real": Batches(bars, 8, recipe.pixel_range, seed=0, labels=recipe.conditional, device=CPU)}
    stats = adversarial_step(state, recipe, streams, NoiseSource(recipe, 0, CPU))
    assert {value.dtype for value in state.tensors().values()} == {torch.float32}
    images, labels = streams["real"][0]
    assert state.discriminator(images, labels).logits.dtype == torch.float32
    assert {value.dtype for value in stats.values()} == {torch.float32}
    dtypes = []
    layer = next(m for m in state.discriminator.module.modules() if isinstance(m, torch.nn.Conv2d))
    layer.register_forward_hook(lambda module, inputs, output: dtypes.append(output.dtype))
    state.discriminator(images, labels)
    assert dtypes == [torch.bfloat16]
