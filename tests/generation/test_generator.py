import io

import numpy as np
import pytest
import torch
from PIL import Image

from ganforge.data.batches import Batches
from ganforge.errors import UserError
from ganforge.generation.generator import freeze_for_sampling, load_generator
from ganforge.generation.grids import GUTTER, animation, class_sheet, image_grid, png
from ganforge.recipes.reading import load_recipe
from ganforge.training.noise import NoiseSource
from ganforge.training.state import new_state
from ganforge.training.step import adversarial_step

CPU = torch.device("cpu")


def trained(data, name, *changes):
    recipe = load_recipe(name, ["latent.dim=6", "batch_size=8", *changes])
    state = new_state(recipe, data.shape, 4, 0, CPU)
    streams = {"real": Batches(data, 8, recipe.pixel_range, seed=0, labels=recipe.conditional, device=CPU)}
    draws = NoiseSource(recipe, 0, CPU)
    for _ in range(3):
        adversarial_step(state, recipe, streams, draws)
    note = {"shape": list(data.shape), "class_names": list(data.class_names), "data": "bars", "seed": 0}
    return state, freeze_for_sampling(state, recipe, draws, note)


@pytest.fixture(params=["vanilla", "cgan-tutorial", "udacity-deep"])
def generator(request, bars):
    return trained(bars, request.param, "averaging.half_life=50.0")[1]


def test_bf16_draws_nearly_the_same_pictures():
    exact, fast = (load_generator("mnist", precision=p).sample(200, seed=3).int() for p in ("fp32", "bf16"))
    levels = (exact - fast).abs().float()
    assert 0 < levels.mean() < 1 and levels.flatten(1).mean(1).max() < 4
    with pytest.raises(UserError, match="precision 'int8' is unknown"):
        load_generator("mnist", precision="int8")


def test_a_generator_file_gives_the_same_images_in_any_folder(generator, tmp_path):
    generator.save(tmp_path / "g.safetensors")
    again = load_generator(tmp_path / "g.safetensors")
    assert torch.equal(generator.sample(20, seed=3), again.sample(20, seed=3))
    assert again.recipe == generator.recipe
    assert again.note["weights"] == "ema"


def test_same_seed_same_pictures(generator):
    assert torch.equal(generator.sample(8, seed=1), generator.sample(8, seed=1))
    assert not torch.equal(generator.sample(8, seed=1), generator.sample(8, seed=2))
    pictures = generator.sample(8)
    assert pictures.shape == (8, 1, 8, 8) and pictures.dtype == torch.uint8


def test_freezing_does_not_change_the_training_state(bars):
    state, _ = trained(bars, "udacity-deep")
    before = {key: value.clone() for key, value in state.tensors().items()}
    recipe = load_recipe("udacity-deep", ["latent.dim=6", "batch_size=8"])
    freeze_for_sampling(state, recipe, NoiseSource(recipe, 0, CPU), {"shape": [1, 8, 8], "class_names": list("0123")})
    after = state.tensors()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert state.generator.module.training


@pytest.mark.parametrize(("half_life", "weights"), [("50.0", "ema"), ("0.0", "raw")])
def test_ema_weights_are_used_where_they_exist(bars, half_life, weights):
    state, generator = trained(bars, "vanilla", f"averaging.half_life={half_life}", "generator_lr=1e-2")
    raw = state.generator.module
    averaged = state.generator.ema if weights == "ema" else raw
    assert generator.note["weights"] == weights
    for name, published in generator.module.named_parameters():
        assert torch.equal(published, averaged.get_parameter(name)), name
        assert torch.equal(published, raw.get_parameter(name)) == (weights == "raw"), name


def test_batch_statistics_are_measured_on_all_classes_and_then_fixed(bars, monkeypatch):
    state, generator = trained(bars, "cgan-tutorial", "generator.hidden=[12, 12]", "generator.batch_norm=true")
    latent, labels = generator.latent(8), torch.arange(8) % 4
    together, alone = generator.draw(latent, labels).int(), generator.draw(latent[:1], labels[:1]).int()
    assert (together[:1] - alone).abs().max() <= 1
    inputs = []

    def measure(module, run, batches):
        module.forward = lambda z, condition: inputs.append((z, condition))
        run(0), run(1)

    monkeypatch.setattr("ganforge.generation.generator.measure_batch_statistics", measure)
    draws = NoiseSource(generator.recipe, 0, CPU)
    freeze_for_sampling(state, generator.recipe, draws, generator.note)
    for k, (z, condition) in enumerate(inputs):
        assert torch.equal(z, draws.latent(8, "statistics", k)) and torch.equal(condition, labels)


def test_labels_cycle_through_all_classes_by_default(bars):
    generator = trained(bars, "cgan-tutorial")[1]
    assert torch.equal(generator.sample(6), generator.sample(labels=[0, 1, 2, 3, 0, 1]))


def test_write_truncates_the_latents(bars):
    generator = trained(bars, "cgan-tutorial")[1]
    latent, labels = generator.latent(4, seed=3, name="write"), torch.tensor([3, 0, 1, 2])
    for calm in (1.0, 0.5):
        drawn = generator.draw(generator.recipe.latent.truncate(latent, calm), labels)
        assert torch.equal(generator.write("3012", seed=3, calm=calm), drawn)
    assert torch.equal(generator.write("3012", seed=3), generator.write("3012", seed=3, calm=0.8))


def test_labels_are_used_in_order_and_checked(bars):
    generator = trained(bars, "cgan-tutorial")[1]
    assert len(generator.sample(labels=[0, 3, 3])) == 3
    for labels in ([4], [-1], [0, 99]):
        with pytest.raises(UserError, match="is not a class; there are 0, 1, 2, 3"):
            generator.sample(labels=labels)
    with pytest.raises(UserError, match="at least one"):
        generator.sample(labels=[])


@pytest.mark.parametrize(
    ("changes", "middle"),
    [
        (["latent.dim=6", "latent.mean=-1"], [-1.0] * 6),
        (["latent={distribution='uniform', dim=6, low=0, high=4}"], [2.0] * 6),
        (["latent={distribution='parts', normal=2, categorical=[3], uniform=1}"], [0.0, 0.0]),
    ],
)
def test_truncation_shrinks_the_latent_to_its_mean_and_keeps_codes(changes, middle):
    recipe = load_recipe("vanilla", changes)
    z = NoiseSource(recipe, 0, torch.device("cpu"), torch.float32).latent(5, "test")
    calm, moving = recipe.latent.truncate(z, 0.5), len(middle)
    torch.testing.assert_close(calm[:, :moving], (z[:, :moving] + torch.tensor(middle)) / 2)
    assert torch.equal(calm[:, moving:], z[:, moving:])


def test_an_unconditional_generator_rejects_labels(bars):
    generator = trained(bars, "vanilla")[1]
    with pytest.raises(UserError, match="without labels"):
        generator.sample(labels=[1])
    with pytest.raises(UserError, match="at least one"):
        generator.sample(0)


def test_a_morph_starts_and_ends_at_the_given_stops(bars):
    generator = trained(bars, "cgan-tutorial")[1]
    by_label = generator.morph(labels=[0, 2, 1], frames=9, seed=5)
    latent = generator.latent(1, seed=5)
    for frame, label in ((0, 0), (4, 2), (8, 1)):
        assert torch.equal(by_label[frame], generator.draw(latent, torch.tensor([label]))[0])
    by_seed = generator.morph(seeds=[1, 2], frames=5)
    first = generator.draw(generator.latent(1, seed=1), torch.tensor([0]))[0]
    assert torch.equal(by_seed[0], first) and not torch.equal(by_seed[2], first)
    for wrong in ({"seeds": [1]}, {"labels": [0, 9]}, {"seeds": [1, 2], "frames": 1}, {}):
        with pytest.raises(UserError):
            generator.morph(**wrong)


@pytest.mark.parametrize("content", [b"", b"\x80\x04x", b"12345678"])
def test_a_file_without_a_generator_is_rejected(tmp_path, content):
    (tmp_path / "g.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="cannot be used"):
        load_generator(tmp_path / "g.safetensors")
    with pytest.raises(UserError, match=r"no generator\.safetensors"):
        load_generator(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        load_generator(tmp_path / "missing")


def test_a_grid_enlarges_by_a_whole_factor_without_interpolation():
    images = torch.tensor([[[[10, 200]]], [[[77, 30]]], [[[1, 2]]]], dtype=torch.uint8)
    pixels = np.asarray(image_grid(images, 2, width=40))
    assert set(np.unique(pixels)) == {10, 200, 77, 30, 1, 2, 64}  # 64 is the gutter
    assert (pixels == 200).sum() == 10 * 10


def test_a_caption_adds_a_band_below():
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    plain, with_text = image_grid(images, 2), image_grid(images, 2, caption="step 7")
    assert with_text.height == plain.height + 20 and with_text.width == plain.width
    assert np.asarray(with_text)[plain.height :].max() == 255


def test_a_class_sheet_has_a_row_per_class_and_leaves_short_rows_empty():
    images = torch.tensor([250, 10, 20, 30], dtype=torch.uint8)[:, None, None, None].expand(4, 1, 8, 8)
    pixels = np.asarray(class_sheet(images, torch.tensor([2, 0, 0, 0]), ("a", "b", "c")))
    assert pixels.shape[0] == 8 + 2 * (64 + 8)  # 8 px enlarged to 64, gutters of 8
    middles = [[pixels[8 + 32 + 72 * row, 72 * column - 40] for column in (-2, -1, 0)] for row in range(2)]
    assert middles == [[10, 20, 30], [250, GUTTER, GUTTER]]


def test_a_caption_longer_than_its_grid_is_not_cut():
    images = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    short, long = (image_grid(images, 1, width=64, caption=word * 30) for word in ("", "word "))
    assert long.width > 3 * short.width


@pytest.mark.parametrize("kind", ["WEBP", "GIF"])
def test_equal_frames_of_an_animation_keep_their_total_duration(kind):
    frames = [image_grid(torch.full((1, 1, 8, 8), value, dtype=torch.uint8), 1) for value in (0, 100, 100, 250)]
    with Image.open(io.BytesIO(animation(frames, kind))) as picture:
        durations = []
        for frame in range(picture.n_frames):
            picture.seek(frame)
            picture.load()
            durations.append(picture.info["duration"])
    assert durations == [120, 240, 2000]


@pytest.mark.parametrize("kind", ["WEBP", "GIF"])
def test_an_animation_contains_every_frame(kind):
    frames = [image_grid(torch.full((1, 1, 8, 8), value, dtype=torch.uint8), 1) for value in (0, 100, 250)]
    with Image.open(io.BytesIO(animation(frames, kind))) as picture:
        assert picture.n_frames == 3
    assert Image.open(io.BytesIO(png(frames[0]))).size == frames[0].size
