"""Image-to-image generators measured on the conditions of real pictures.

Two families of metrics pull against each other (perception and distortion, Blau and Michaeli 2018): distortion
compares a result with the one true picture, perception asks whether results look like pictures at all. A result that is
certain of nothing is best in distortion as a blurred mean, and worst in perception.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.data.images import ImageSet
from ganforge.data.pairs import Pair, PairRule
from ganforge.evaluation.downstream import count_correct, train_classifier
from ganforge.evaluation.metric_table import SPLITS, Estimates
from ganforge.generation.generator import Generator
from ganforge.metrics.intervals import Interval, interval_of_splits, proportion_interval
from ganforge.metrics.restoration import averaging_gain, colourfulness, psnr, ssim
from ganforge.randomness import random_generator

PAIR_SEED = 0
"""The seed of the pairs of every evaluation, so that all runs are measured on the same conditions."""
DRAWS = 8
"""Results for each condition."""
BLOCK = 1000
HIGHEST_PSNR = 100.0
"""PSNR in dB of a result that equals its true picture, so that means stay finite."""
LEARNED, TESTED, APART_EPOCHS, APART_SEEDS = 4000, 2000, 5, 3
"""Told apart: results and real pictures to learn from, to test on, epochs, and classifiers whose mean counts."""


def evaluation_pairs(rule: PairRule, images: ImageSet) -> Pair:
    """Return the pairs of a set of pictures, by their positions in it."""
    blocks = torch.arange(len(images)).split(BLOCK)
    pairs = [rule.pairs(images.gather(indices), PAIR_SEED, indices) for indices in blocks]
    return Pair(*(torch.cat(parts) for parts in zip(*pairs, strict=True)))


def results(generator: Generator, images: ImageSet, *, seed: int = 0) -> ImageSet:
    """Return one result for the condition of each picture, with the picture's label."""
    assert generator.recipe.pairs is not None
    condition = evaluation_pairs(generator.recipe.pairs, images).condition
    pictures = generator.translate(condition, seed=seed)[0]
    return ImageSet(pictures, images.labels, images.class_names, f"results for {images.name}")


def translation_metrics(
    rule: PairRule, images: ImageSet, draws: Tensor, read: Callable[[Tensor], Tensor] | None = None
) -> Estimates:
    """Compute distortion, truth to the input, and variety of results, with 95 % intervals.

    Args:
        rule: the kind of pairs.
        images: the pictures whose conditions were given, N of them.
        draws: results uint8 [P, N, C, H, W] for the conditions of `evaluation_pairs`; with P = 1 the metrics of several
            draws are left out.
        read: the judge: uint8 pictures -> classes int64 [N]; for the vote of the draws.
    """
    pair = evaluation_pairs(rule, images)
    first = draws[0]
    metrics: Estimates = {
        "psnr": _mean(psnr(pair.target, first).clip(max=HIGHEST_PSNR)),
        "ssim": _mean(ssim(pair.target, first)),
    }
    if rule.consistency() is not None:
        again = rule.pairs(first, PAIR_SEED, torch.arange(len(first))).condition
        metrics["input_error"] = _mean((again.float() - pair.condition.float()).abs().mean((1, 2, 3)).double().numpy())
    if first.shape[1] == 3:
        metrics["colourfulness"] = colourfulness(first) / colourfulness(pair.target), None
    if len(draws) > 1:
        metrics["psnr_of_mean"] = _mean(psnr(pair.target, draws.float().mean(0)).clip(max=HIGHEST_PSNR))
        metrics["averaging_gain"] = averaging_gain(pair.target, draws), None
        difference = (draws[0].float() - draws[1].float()).abs().mean((1, 2, 3)) / 255
        metrics["draws_differ"] = _mean(difference.double().numpy())
    if len(draws) > 1 and read is not None and images.labelled:
        votes = torch.stack([read(draw) for draw in draws]).mode(0).values
        correct = int((votes == images.labels).sum())
        metrics["vote"] = correct / len(images), proportion_interval(correct, len(images))
    return metrics


def told_apart(real: Tensor, results: Tensor) -> float:
    """Return the share of single pictures that fresh classifiers tell rightly as real or result; .5: none of them.

    Each of three classifiers learns from 4,000 results and as many real pictures, five epochs, and is tested on 1,000
    of each. Pictures and results are of different conditions: a result is never compared with its own true picture.
    With fewer pictures the numbers shrink alike.

    Args:
        real, results: uint8 [N, C, H, W], with row i of both for the same condition.
    """
    count = min(len(real), 2 * LEARNED + TESTED) // 10
    shares = []
    for seed in range(APART_SEEDS):
        order = torch.randperm(len(real), generator=random_generator("told apart", seed))
        real_rows, result_rows = order[: 10 * count].split(5 * count)
        pictures = torch.cat([real[real_rows], results[result_rows]])
        labels = torch.cat([torch.zeros(5 * count, dtype=torch.int64), torch.ones(5 * count, dtype=torch.int64)])
        learn = torch.cat([torch.arange(4 * count), 5 * count + torch.arange(4 * count)])
        test = torch.cat([torch.arange(4 * count, 5 * count), torch.arange(9 * count, 10 * count)])
        both = ImageSet(pictures, labels, ("real", "result"), "told apart")
        network = train_classifier(both.select(learn), APART_EPOCHS, seed)
        shares.append(count_correct(network, both.select(test)) / len(test))
    return float(np.mean(shares))


def _mean(values: NDArray[np.float64]) -> tuple[float, Interval | None]:
    """Return the mean of a metric of each picture, with its interval."""
    mean = float(values.mean())
    if len(values) < 2 * SPLITS:
        return mean, None
    return mean, interval_of_splits(mean, [float(part.mean()) for part in np.array_split(values, SPLITS)])
