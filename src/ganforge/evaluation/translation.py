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
from ganforge.evaluation.metric_table import SPLITS, Estimates
from ganforge.generation.generator import Generator
from ganforge.judge.judge import OnProgress
from ganforge.metrics.intervals import Interval, interval_of_splits, proportion_interval
from ganforge.metrics.restoration import averaging_gain, colourfulness, psnr, ssim

PAIR_SEED = 0
"""The seed of the pairs of every evaluation, so that all runs are measured on the same conditions."""
DRAWS = 8
"""Results for each condition."""
MANY, MANY_CONDITIONS = 64, 1000
"""Results for each of the first 1,000 conditions, whose mean is nearly the mean of all possible results."""
BLOCK = 1000
HIGHEST_PSNR = 100.0
"""PSNR in dB of a result that equals its true picture, so that means stay finite."""


def evaluation_pairs(rule: PairRule, images: ImageSet, seed: int = PAIR_SEED) -> Pair:
    """Return the pairs of a set of pictures, by their positions in it."""
    blocks = torch.arange(len(images)).split(BLOCK)
    pairs = [rule.pairs(images.gather(indices), seed, indices) for indices in blocks]
    return Pair(*(torch.cat(parts) for parts in zip(*pairs, strict=True)))


def results(generator: Generator, images: ImageSet, *, seed: int = 0) -> ImageSet:
    """Return one result for the condition of each picture, with the picture's label."""
    assert generator.recipe.pairs is not None
    condition = evaluation_pairs(generator.recipe.pairs, images).condition
    pictures = generator.translate(condition, seed=seed)[0]
    return ImageSet(pictures, images.labels, images.class_names, f"results for {images.name}")


def measure_results(
    generator: Generator,
    images: ImageSet,
    *,
    seed: int = 0,
    read: Callable[[Tensor], Tensor] | None = None,
    on_progress: OnProgress | None = None,
) -> tuple[Tensor, Estimates]:
    """Draw results for the conditions of pictures, and compute all metrics of `translation_metrics` and `mean_of_many`.

    Args:
        generator: an image-to-image generator.
        images: the pictures whose conditions are given, N of them.
        seed: of the generator's noise.
        read: the judge, as in `translation_metrics`.
        on_progress: called with the number of results just drawn or read; `results_to_process` of them in all.

    Returns:
        The results uint8 [DRAWS, N, C, H, W], and the metrics.
    """
    rule = generator.recipe.pairs
    assert rule is not None
    condition = evaluation_pairs(rule, images).condition
    draws = generator.translate(condition, draws=DRAWS, seed=seed, on_progress=on_progress)
    metrics = translation_metrics(rule, images, draws, read, on_progress)
    first = images.select(slice(0, MANY_CONDITIONS))
    many = generator.translate(condition[:MANY_CONDITIONS], draws=MANY, seed=seed, on_progress=on_progress)
    # the true pictures of the first conditions: a pair depends on its position alone
    metrics["psnr_of_mean_64"] = _decibels(evaluation_pairs(rule, first).target, mean_of_draws(many))
    return draws, metrics


def results_to_process(conditions: int) -> int:
    """Return how many results `measure_results` draws and reads."""
    return 2 * DRAWS * conditions + MANY * min(conditions, MANY_CONDITIONS)


def translation_metrics(
    rule: PairRule,
    images: ImageSet,
    draws: Tensor,
    read: Callable[[Tensor], Tensor] | None = None,
    on_progress: OnProgress | None = None,
) -> Estimates:
    """Compute distortion, truth to the input, and variety of results, with 95 % intervals.

    Results and true pictures are rounded to grey levels, as a user gets them; a mean of draws is not rounded again.

    Args:
        rule: the kind of pairs.
        images: the pictures whose conditions were given, N of them.
        draws: results uint8 [P, N, C, H, W] for the conditions of `evaluation_pairs`; with P = 1 the metrics of several
            draws are left out.
        read: the judge: uint8 pictures -> classes int64 [N]; for the vote of the draws.
        on_progress: called with the number of results just read.
    """
    pair = evaluation_pairs(rule, images)
    first = draws[0]
    metrics: Estimates = {"psnr": _decibels(pair.target, first), "ssim": mean_and_interval(ssim(pair.target, first))}
    if rule.consistency() is not None:
        again = rule.pairs(first, PAIR_SEED, torch.arange(len(first))).condition
        metrics["input_error"] = mean_and_interval(
            (again.float() - pair.condition.float()).abs().mean((1, 2, 3)).double().numpy()
        )
    if first.shape[1] == 3:
        metrics["colourfulness"] = colourfulness(first) / colourfulness(pair.target), None
    if len(draws) > 1:
        metrics |= _metrics_of_draws(pair.target, draws)
    if len(draws) > 1 and read is not None and images.labelled:
        classes = []
        for draw in draws:
            classes.append(read(draw))
            if on_progress:
                on_progress(len(draw))
        correct = int((torch.stack(classes).mode(0).values == images.labels).sum())
        metrics["vote"] = correct / len(images), proportion_interval(correct, len(images))
    return metrics


def _metrics_of_draws(target: Tensor, draws: Tensor) -> Estimates:
    nearest = np.max([_psnr(target, draw) for draw in draws], 0)
    difference = (draws[0].float() - draws[1].float()).abs().mean((1, 2, 3)) / 255
    return {
        "psnr_of_best": mean_and_interval(nearest),
        "psnr_of_mean": _decibels(target, mean_of_draws(draws)),
        "averaging_gain": (averaging_gain(target, draws), None),
        "draws_differ": mean_and_interval(difference.double().numpy()),
    }


def mean_of_draws(draws: Tensor) -> Tensor:
    """Return the mean of results uint8 [P, N, C, H, W] in grey levels, float32 [N, C, H, W]."""
    return draws.sum(0, dtype=torch.int32).float() / len(draws)


def _decibels(target: Tensor, pictures: Tensor) -> tuple[float, Interval | None]:
    return mean_and_interval(_psnr(target, pictures))


def _psnr(target: Tensor, pictures: Tensor) -> NDArray[np.float64]:
    return psnr(target, pictures).clip(max=HIGHEST_PSNR)


def mean_and_interval(values: NDArray[np.float64]) -> tuple[float, Interval | None]:
    """Return the mean of a metric that each picture or clip has, with its 95 % interval from ten parts."""
    mean = float(values.mean())
    if len(values) < 2 * SPLITS:
        return mean, None
    return mean, interval_of_splits(mean, [float(part.mean()) for part in np.array_split(values, SPLITS)])
