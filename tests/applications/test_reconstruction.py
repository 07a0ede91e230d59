import copy
from pathlib import Path

import numpy as np
import pytest
import torch

import ganforge
from conftest import needs_mnist, small_images
from ganforge.applications.reconstruction import interleave_rows, load_reconstructor, random_test_images
from ganforge.errors import RunFailed, UserError
from ganforge.generation.encoder import fitted, load_encoder
from ganforge.networks.normalisation import BatchNorm, measure_batch_statistics
from ganforge.training.autoencoder_step import reconstruction_step

SMALL = ["batch_size=8", "latent.dim=6", "generator.filters=4", "encoder.filters=4", "run.precision=fp32"]
SMALL += ["schedule.lr_decay_start=0.0", "generator_lr=1e-2"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One trained autoencoder, which the tests of this file only read."""
    folder, data = tmp_path_factory.mktemp("autoencoder"), small_images()
    np.savez(folder / "bars.npz", images=data.images[:, 0].numpy(), labels=data.labels.numpy())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANFORGE_CACHE", str(folder / "cache"))
        run = ganforge.train("autoencoder", data=folder / "bars.npz", steps=150, out=folder / "run", changes=SMALL)
    return run.folder


def test_encoder_and_generator_files_reconstruct_images(run):
    """Encoder and generator, read back from their files, reconstruct, each image alone as in a batch."""
    reconstructor = load_reconstructor(run)
    images = reconstructor.splits.test.images
    again = reconstructor.reconstruct(images)
    assert again.shape == images.shape and again.dtype == torch.uint8
    assert torch.equal(again[:3], reconstructor.reconstruct(images[:3]))
    assert load_encoder(run).note == reconstructor.generator.note


def test_the_generators_batch_statistics_come_from_codes(run):
    reconstructor = load_reconstructor(run)

    def statistics(latents):
        module = copy.deepcopy(reconstructor.generator.module)
        measure_batch_statistics(module, lambda k: module(latents[8 * k :][:8]), len(latents) // 8)
        return means(module)

    def means(module):
        return torch.cat([layer.mean for layer in module.modules() if isinstance(layer, BatchNorm)])

    codes, kept = reconstructor.encoder.encode(reconstructor.splits.train.images), means(reconstructor.generator.module)
    of_codes, of_noise = statistics(codes), statistics(torch.randn(len(codes), 6))
    assert (kept - of_codes).norm() < 0.2 * (kept - of_noise).norm()


def test_an_interpolation_passes_through_the_images_without_jumps(run):
    reconstructor = load_reconstructor(run)
    images = reconstructor.splits.test.images[:3]
    frames_between = reconstructor.interpolate(images, 21)
    assert torch.equal(frames_between[[0, 10, 20]], reconstructor.reconstruct(images))
    steps = (frames_between[1:].float() - frames_between[:-1].float()).abs().flatten(1).mean(1)
    leg = (frames_between[0].float() - frames_between[10].float()).abs().mean()
    assert 0 < steps[:10].max() < 0.5 * leg
    for count, frames in ((1, 5), (3, 1)):
        with pytest.raises(UserError, match="at least two"):
            reconstructor.interpolate(images[:count], frames)


def test_a_gan_has_no_encoder(bars_file):
    changes = ["batch_size=8", "generator.hidden=[4]", "discriminator.hidden=[4]"]
    run = ganforge.train("vanilla", data=bars_file, steps=1, out="gan", changes=changes)
    with pytest.raises(UserError, match="gan has no encoder for reconstructions: give a run of 'autoencoder' or 'vae'"):
        load_reconstructor(run.folder)
    with pytest.raises(UserError, match="is not a run"):
        load_reconstructor("nowhere")


def test_missing_data_are_refused(bars_file):
    run = ganforge.train("autoencoder", data=bars_file, steps=1, out="run", changes=SMALL)
    bars_file.unlink()
    with pytest.raises(UserError, match=r"bars\.npz"):
        load_reconstructor(run.folder)


def test_fitted_latents_have_the_mean_and_the_covariance_of_the_codes():
    random = torch.Generator().manual_seed(0)
    mix = torch.tensor([[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0, 0.0, 0.0]])  # the third number never changes
    codes = torch.randn(5000, 3, generator=random) @ mix.T + torch.tensor([1.0, -2.0, 7.0])
    latents = fitted(codes, torch.randn(100_000, 3, generator=random))
    assert torch.allclose(latents.mean(0), codes.mean(0), atol=0.02)
    assert torch.allclose(torch.cov(latents.T), torch.cov(codes.T), atol=0.05)
    assert latents[:, 2].tolist() == pytest.approx([7.0] * 100_000, abs=1e-5)


def test_random_test_images(run):
    splits = load_reconstructor(run).splits
    one, again, other = (random_test_images(splits, 5, seed).images for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)
    with pytest.raises(UserError, match=f"--n 500: give 1 to {len(splits.test)}, the number of test images"):
        random_test_images(splits, 500, 0)


def test_pairs_are_arranged_row_by_row():
    above, below = torch.arange(7), torch.arange(7) + 100
    rows, names = interleave_rows(above, below, 3)
    assert rows.tolist() == [0, 1, 2, 100, 101, 102, 3, 4, 5, 103, 104, 105] and names == ["real", "again"] * 2
    assert interleave_rows(above[:2], below[:2], 3)[0].tolist() == [0, 1, 100, 101]


def test_a_run_starts_from_both_networks_of_another_or_names_the_difference(run, bars_file):
    ganforge.train("autoencoder", data=bars_file, steps=1, out="more", changes=SMALL, start_from=run)
    old, new = (load_encoder(folder).module.state_dict() for folder in (run, "more"))
    assert all((old[key] - new[key]).abs().max() < 0.02 for key in old)
    with pytest.raises(UserError, match="its networks differ; take its recipe"):
        ganforge.train("vae", data=bars_file, steps=1, out="x", changes=SMALL, start_from=run)
    gan = ["batch_size=8", "latent.dim=6", "generator.filters=4", "discriminator.filters=4", "run.precision=fp32"]
    with pytest.raises(
        UserError, match="it lacks the discriminator of this recipe; its encoder is not part of this recipe"
    ):
        ganforge.train("forge-1-unconditional", data=bars_file, steps=1, out="y", changes=gan, start_from=run)


def test_a_resumed_run_has_the_same_encoder_file(run, bars_file):
    ganforge.train("autoencoder", data=bars_file, steps=70, out="stopped", changes=SMALL)
    ganforge.resume("stopped", steps=150)
    files = [(folder / "encoder.safetensors").read_bytes() for folder in (run, Path("stopped"))]
    assert files[0] == files[1]


def test_an_encoder_with_batch_norm_and_noise_is_reproducible(bars_file):
    """Its file depends on nothing but the run."""
    encoder = 'encoder={family="mlp", hidden=[8, 8], batch_norm=true, input_noise=0.5, hidden_noise=0.5}'
    changes = [*SMALL[:2], "generator.filters=4", "run.precision=fp32", encoder]
    for out in ("one", "other"):
        ganforge.train("vae", data=bars_file, steps=4, out=out, changes=changes)
    for name in ("encoder.safetensors", "generator.safetensors"):
        assert (Path("one") / name).read_bytes() == (Path("other") / name).read_bytes()
    images = load_reconstructor(Path("one")).splits.test.images
    again = load_reconstructor(Path("one")).reconstruct(images)
    assert torch.equal(again[:2], load_reconstructor(Path("other")).reconstruct(images[:2]))


def test_divergence_is_traced_and_the_advice_names_the_only_learning_rate(bars_file, monkeypatch):
    from ganforge.experiment import trainer

    def breaks_at_9(state, recipe, streams, draws):
        stats = reconstruction_step(state, recipe, streams, draws)
        if state.step == 9:
            state.encoder.parameters[0].data[0] = float("inf")
        return stats

    monkeypatch.setattr(trainer, "step_function", lambda recipe: breaks_at_9)
    words = r"step 9: the weight layers.* of the encoder is not finite.* lower --set generator_lr=\.\.\.$"
    with pytest.raises(RunFailed, match=words):
        ganforge.train("vae", data=bars_file, out="run", steps=90, changes=[*SMALL, "run.checkpoint_seconds=30"])


@pytest.mark.slow
@needs_mnist
def test_the_verdict_of_an_autoencoder_does_not_advise_longer_training(quick_verdict):
    changes = [*SMALL, "batch_size=64", "generator.filters=8", "encoder.filters=8"]
    verdict = ganforge.train("autoencoder", data="mnist", steps=60, out="run", changes=changes).verdict
    assert verdict.findings[0].name == "never-drew"
    assert "--reconstruct" in verdict.words
