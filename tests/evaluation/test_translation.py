import pytest
import torch
from pydantic import TypeAdapter

from conftest import small_images
from ganforge.data.pairs import PairsTable
from ganforge.evaluation.baselines import simple_results
from ganforge.evaluation.translation import evaluation_pairs, told_apart, translation_metrics

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


@pytest.mark.parametrize("kind", RULES)
def test_simple_methods_give_pictures_of_the_targets_shape(kind):
    pair = rule(kind).pairs(pictures(kind), 0, torch.arange(40))
    results = simple_results(rule(kind), pair.condition)
    assert results
    for name, result in results.items():
        assert result.shape == pair.target.shape and result.dtype == torch.uint8, name


def test_denoising_and_inpainting_are_nearer_than_the_input():
    images = pictures("damage")
    noisy = TypeAdapter(PairsTable).validate_python({"kind": "damage", "damages": ["noise"]})
    for pair_rule, name in ((noisy, "non-local means"), (rule("mask"), "biharmonic")):
        pair = pair_rule.pairs(images, 0, torch.arange(40))
        result = simple_results(pair_rule, pair.condition)[name].float()
        before = pair.condition[:, :3].float()
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


def test_blurred_pictures_are_told_apart_and_real_ones_are_not():
    images = small_images(2000, side=16).images
    blurred = torch.nn.functional.avg_pool2d(images.float(), 4).repeat_interleave(4, 2).repeat_interleave(4, 3)
    assert told_apart(images, blurred.to(torch.uint8)) > 0.9
    assert 0.3 < told_apart(images, small_images(2000, side=16, seed=1).images) < 0.7
