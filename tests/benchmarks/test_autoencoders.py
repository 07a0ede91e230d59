"""The benchmark on small images; its metrics are tested in tests/metrics/test_reconstruction.py."""

import json

import numpy as np
import pytest
import torch

import ganforge
import ganforge.benchmarks.autoencoders as bench
from conftest import small_images
from ganforge.benchmarks.common import BenchmarkOptions
from ganforge.data.load import load
from ganforge.errors import UserError
from ganforge.evaluation.evaluator import Evaluator
from ganforge.evaluation.features import FeatureExtractor
from ganforge.experiment.run import Run
from ganforge.recipes.reading import load_recipe

SMALL = ["batch_size=8", "latent.dim=6", "generator.filters=4", "run.precision=fp32"]


def run(**options):
    return bench.run_autoencoders(BenchmarkOptions("autoencoders", **options))


def test_the_three_recipes_differ_only_in_their_training():
    plain, variational, gan = (load_recipe(name) for name in (bench.AUTOENCODER, bench.VARIATIONAL, bench.GAN))
    for name in ("generator", "latent", "batch_size", "conditional", "schedule", "averaging"):
        assert getattr(plain, name) == getattr(variational, name) == getattr(gan, name), name
    assert plain.run.kimg == variational.run.kimg == gan.run.kimg
    assert plain.encoder == variational.encoder
    assert not plain.reconstruction.variational and variational.reconstruction.variational
    shared = {name: value for name, value in plain.encoder if name != "family"}
    assert all(getattr(gan.discriminator, name) == value for name, value in shared.items())


@pytest.fixture
def patched(monkeypatch, tmp_path):
    """Run the benchmark on small images and record which recipes are trained."""
    splits, trained = load(small_images(1500)), []

    def train_seeds(recipe, seeds, *, data, steps, out, watcher):
        assert data == "mnist"
        trained.append((recipe, seeds, steps))
        net = "discriminator" if recipe == bench.GAN else "encoder"
        changes = [*SMALL, f"{net}.filters=4"]
        return [
            Run(folder, steps, 0.0, 1.0)
            if (folder := out / f"seed-{seed}").exists()
            else ganforge.train(recipe, data=tmp_path / "bars.npz", steps=steps, out=folder, seed=seed, changes=changes)
            for seed in range(seeds)
        ]

    data = small_images(1500)
    images = data.images.permute(0, 2, 3, 1)[..., 0].numpy()
    np.savez(tmp_path / "bars.npz", images=images, labels=data.labels.numpy())
    monkeypatch.setattr("ganforge.benchmarks.common.train_seeds", train_seeds)
    monkeypatch.setattr(bench, "load", lambda name: load(tmp_path / "bars.npz"))
    monkeypatch.setattr(bench, "QUICK_N", 100)
    eye = lambda images: torch.nn.functional.avg_pool2d(images.float(), 2).flatten(1)  # noqa: E731
    eye.__qualname__ = "pooled"
    monkeypatch.setattr(bench, "FeatureExtractor", lambda judge: FeatureExtractor(extractor=eye))
    assert len(splits.test) >= 100
    return trained


@pytest.mark.slow
def test_every_row_has_every_figure_and_measurements_are_kept(patched, monkeypatch):
    report = run(seeds=2, steps=40, quick=True, out="bench")
    assert patched == [(name, 2, 40) for name in (bench.AUTOENCODER, bench.VARIATIONAL, bench.GAN)]
    rows = report.results[0]["rows"]
    assert list(rows) == [
        "other real digits",
        "autoencoder: test images again",
        "vae: test images again",
        "autoencoder: noise",
        "autoencoder: noise like its codes",
        "vae: noise",
        "forge-1-unconditional: noise",
    ]
    assert [name for name in rows if "lost" in rows[name]] == [name for name in rows if bench.COPIES in name]
    assert all({"frechet_distance", "sharpness", "recall", "copying"} <= rows[name].keys() for name in rows)
    assert rows["other real digits"]["sharpness"] == pytest.approx(1, abs=0.1)
    assert 0 < rows["autoencoder: test images again"]["lost"] < 2
    table = report.table()
    assert len(table) == len(rows) and {len(row) for row in table} == {len(report.header)}
    assert "±" in table[1][1] and table[3][1] == ""
    assert (report.folder / "seed-1.png").exists()
    assert "2 seeds, 40 steps of each (2,560 images)" in report.terms and "vae" in report.seconds()
    assert json.loads(json.dumps(report.to_dict()))["seeds"][1]["seed"] == 1
    monkeypatch.setattr(bench, "Evaluator", None)  # nothing is measured again
    assert run(seeds=2, steps=40, quick=True, out="bench") == report


@pytest.mark.slow
def test_reconstructions_are_compared_with_their_own_images(patched):
    """A trained autoencoder reconstructs its own image: in another order, the error would exceed the variance."""
    report = run(steps=200, quick=True, out="bench")
    assert report.results[0]["rows"]["autoencoder: test images again"]["lost"] < 0.7


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("vanilla", "vanilla has another generator than autoencoder"),
        ("forge-1", "needs an unconditional GAN"),
        ("vae", "needs an unconditional GAN"),
    ],
)
def test_a_gan_that_is_not_comparable_is_refused(recipe, words):
    with pytest.raises(UserError, match=words):
        run(recipe=recipe, out="bench")


def test_the_evaluator_uses_the_reals_that_are_reconstructed():
    """Both take the same random subset."""
    splits = load(small_images(1500))
    evaluator = Evaluator(
        FeatureExtractor(extractor=lambda x: x.float().flatten(1)), splits, "test", 100, say=lambda text: None
    )
    assert torch.equal(evaluator.reals.images, bench.random_subset(splits.test, 100, "reals").images)
    assert torch.equal(evaluator.others.images, bench.other_reals(splits.train, 100).images)
