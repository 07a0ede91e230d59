import pytest
import torch
from pydantic import TypeAdapter

import ganforge
from conftest import small_images
from ganforge.data.images import ImageSet
from ganforge.data.pairs import PairsTable, luma
from ganforge.evaluation.baselines import simple_results, training_results
from ganforge.evaluation.translation import (
    evaluation_pairs,
    mean_of_draws,
    measure_results,
    results,
    results_to_process,
    translation_metrics,
)
from ganforge.metrics.restoration import psnr

RULES = {
    "downsample": {"kind": "downsample", "factor": 4},
    "mask": {"kind": "mask"},
    "grey": {"kind": "grey"},
    "damage": {"kind": "damage"},
    "next-frame": {"kind": "next-frame", "given": 2, "channels": 3},
    "given": {"kind": "given", "channels": 3},
}


def rule(kind):
    return TypeAdapter(PairsTable).validate_python(RULES[kind])


def pictures(kind, n=40):
    channels = {"next-frame": 9, "given": 6}.get(kind, 3)
    grey = small_images(n, side=16).images
    shades = torch.linspace(1, 0.4, channels).view(1, -1, 1, 1)
    return (grey * shades).to(torch.uint8)


@pytest.mark.parametrize(
    ("kind", "grey"), [*((kind, False) for kind in RULES), ("downsample", True), ("mask", True), ("damage", True)]
)
def test_simple_methods_give_pictures_of_the_targets_shape(kind, grey):
    images = pictures(kind)[:, :1] if grey else pictures(kind)
    pair = rule(kind).pairs(images, 0, torch.arange(40))
    results = simple_results(rule(kind), pair.condition)
    assert results
    for name, result in results.items():
        assert result.shape == pair.target.shape and result.dtype == torch.uint8, name


@pytest.mark.parametrize("channels", [1, 3])
def test_denoising_and_inpainting_are_nearer_than_the_input(channels):
    images = pictures("damage")[:, :channels]
    noisy = TypeAdapter(PairsTable).validate_python({"kind": "damage", "damages": ["noise"]})
    for pair_rule, name in ((noisy, "non-local means"), (noisy, "wavelets"), (rule("mask"), "biharmonic")):
        pair = pair_rule.pairs(images, 0, torch.arange(40))
        result = simple_results(pair_rule, pair.condition)[name].float()
        before = pair.condition[:, :channels].float()
        assert (result - images).square().mean() < (before - images).square().mean()


def test_constant_motion_goes_on():
    clip = torch.zeros(1, 6, 16, 16, dtype=torch.uint8)
    clip[0, :3, 4:7, 4:7] = 255
    clip[0, 3:, 6:9, 5:8] = 255
    moved = simple_results(rule("next-frame"), clip)["constant motion"]
    assert (moved[0, :, 8:11, 6:9] == 255).all()
    assert moved.sum() == clip[:, 3:].sum()


@pytest.fixture
def bars_of_two_sizes():
    return small_images(100, side=16)


def test_the_true_pictures_are_best(bars_of_two_sizes):
    images, pair_rule = bars_of_two_sizes, rule("downsample")
    truth = translation_metrics(
        pair_rule, images, images.images[None].expand(2, -1, -1, -1, -1), lambda _: images.labels
    )
    assert truth["psnr"][0] == 100 and truth["ssim"][0] == pytest.approx(1)
    assert truth["input_error"][0] == truth["draws_differ"][0] == 0
    assert truth["vote"][0] == 1
    blocks = translation_metrics(pair_rule, images, evaluation_pairs(pair_rule, images).condition[None])
    assert blocks["psnr"][0] < 30 and blocks["ssim"][0] < 0.9
    assert "vote" not in blocks and "averaging_gain" not in blocks
    low, high = blocks["psnr"][1]
    assert low < blocks["psnr"][0] < high


def test_the_vote_is_that_of_most_draws(bars_of_two_sizes):
    images = bars_of_two_sizes
    answers = iter([images.labels, (images.labels + 1) % 4, images.labels])
    draws = images.images[None].expand(3, -1, -1, -1, -1)
    assert translation_metrics(rule("downsample"), images, draws, lambda _: next(answers))["vote"][0] == 1


def test_the_mean_of_draws_is_nearer_and_the_best_one_too():
    images, random = small_images(60, side=16), torch.Generator().manual_seed(0)
    noise = torch.randn(8, *images.images.shape, generator=random) * 20
    draws = (images.images + noise).clamp(0, 255).round().to(torch.uint8)
    found = {name: value for name, (value, _) in translation_metrics(rule("damage"), images, draws).items()}
    assert found["psnr"] < found["psnr_of_best"] < found["psnr_of_mean"]
    assert torch.allclose(mean_of_draws(draws), draws.float().mean(0))


def test_results_are_measured_as_a_user_gets_them_and_many_draws_on_the_first_conditions(enlarging, monkeypatch):
    monkeypatch.setattr("ganforge.evaluation.translation.MANY_CONDITIONS", 10)
    images, work = small_images(40), []
    draws, found = measure_results(enlarging, images, seed=3, read=lambda _: images.labels, on_progress=work.append)
    assert draws.dtype == torch.uint8 and draws.shape == (8, *images.images.shape)
    assert torch.equal(draws[0], results(enlarging, images, seed=3).images)
    assert sum(work) == results_to_process(40)
    many = enlarging.translate(evaluation_pairs(enlarging.recipe.pairs, images).condition[:10], draws=64, seed=3)
    expected = psnr(images.images[:10], many.double().mean(0)).mean()
    assert found["psnr_of_mean_64"][0] == pytest.approx(expected, abs=1e-4)


@pytest.fixture
def enlarging(tmp_path, no_verdict):
    changes = ["batch_size=8", "latent.dim=6", "generator.filters=8", "discriminator.filters=4", "run.precision=fp32"]
    data = (small_images().images[:, 0].numpy(), small_images().labels.numpy())
    return ganforge.load(ganforge.train("enlarge-4x", data=data, steps=2, out=tmp_path / "run", changes=changes).folder)


def test_training_pictures_agree_with_the_input_after_the_projection():
    pair_rule, train = rule("grey"), ImageSet(pictures("grey"), torch.full((40,), -1))
    condition = evaluation_pairs(pair_rule, train).condition
    found = training_results(pair_rule, train, condition)
    assert (found["nearest training picture"].float() - train.images.float()).abs().mean() < 1
    other = condition.flip(0)
    fitted = training_results(pair_rule, train.select(slice(0, 5)), other)[
        "nearest training picture, fitted to the input"
    ]
    assert (luma(fitted).int() - other.int()).abs().max() <= 1


def test_the_mean_training_picture_fills_what_is_missing():
    train = ImageSet(pictures("mask"), torch.full((40,), -1))
    condition = evaluation_pairs(rule("mask"), train).condition
    found = training_results(rule("mask"), train, condition)["mean training picture"]
    missing = (condition[:, -1:] > 127).expand_as(found)
    mean = train.images.double().mean(0).round().to(torch.uint8).expand_as(found)
    assert torch.equal(found[missing], mean[missing]) and torch.equal(found[~missing], train.images[~missing])
