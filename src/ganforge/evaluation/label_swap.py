"""Label-swap test: does another label for the same noise change the class and keep the handwriting?"""

import torch
from torch import Tensor

from ganforge.data.images import ImageSet
from ganforge.evaluation.features import FeatureExtractor
from ganforge.evaluation.metric_table import SPLITS, Estimates
from ganforge.generation.generator import Generator
from ganforge.judge.judge import OnProgress
from ganforge.metrics.intervals import interval_of_splits, proportion_interval

PAIRS = 2000


def label_swap(generator: Generator, extractor: FeatureExtractor, on_progress: OnProgress | None = None) -> Estimates:
    """Generate pairs of images from one latent with two labels, and measure how class and style change.

    ``swap_changed``: share of pairs in which the judge predicts both requested labels. A generator that ignores its
    labels has 0.

    ``swap_kept``: how much of the style both images share, from 0 to 1: the correlation of four traits (ink, width,
    height, slant) between the images of a pair, each trait relative to the mean of its class.
    """
    classes = len(generator.class_names)
    latent = generator.latent(PAIRS, name="swap")
    first = torch.arange(PAIRS, device=latent.device) % classes
    second = (first + 1 + torch.arange(PAIRS, device=latent.device) // classes % (classes - 1)) % classes
    both_correct, traits = torch.ones(PAIRS, dtype=torch.bool), []
    for labels in (first, second):
        images = generator.draw(latent, labels)
        requested = extractor.numbered(ImageSet(images, labels.cpu(), generator.class_names))
        both_correct &= extractor.look(images, on_progress=on_progress).classes == requested
        traits.append(_centre_by_class(style_traits(images), labels.cpu()))
    hits, correlation = int(both_correct.sum()), style_correlation(*traits)
    parts = zip(*(rows.split(PAIRS // SPLITS) for rows in traits), strict=True)
    return {
        "swap_changed": (hits / PAIRS, proportion_interval(hits, PAIRS)),
        "swap_kept": (
            correlation,
            interval_of_splits(correlation, [style_correlation(*part) for part in parts], (-1.0, 1.0)),
        ),
    }


def style_traits(images: Tensor) -> Tensor:
    """Return ink, width, height and slant of uint8 images [N, C, H, W], float64 [N, 4].

    Ink is the mean brightness. Width and height are the standard deviations of the ink's columns and rows. Slant is
    the covariance of column and row over the variance of the row: the columns that a stroke leans per row.
    """
    ink = images.double().mean(1) + 1e-6
    height, width = ink.shape[1:]
    weight = ink / ink.sum((1, 2), keepdim=True)
    down = torch.arange(height, dtype=torch.float64)[:, None].expand(height, width)
    across = torch.arange(width, dtype=torch.float64).expand(height, width)
    means = [(weight * position).sum((1, 2), keepdim=True) for position in (down, across)]
    off_down, off_across = down - means[0], across - means[1]
    var_down, var_across, covariance = (
        (weight * product).sum((1, 2)) for product in (off_down.square(), off_across.square(), off_down * off_across)
    )
    return torch.stack([ink.mean((1, 2)), var_across.sqrt(), var_down.sqrt(), covariance / var_down.clamp_min(1e-9)], 1)


def style_correlation(one: Tensor, other: Tensor) -> float:
    """Return the correlation between paired rows [N, T], averaged over traits; a constant trait counts as 0."""
    a, b = (rows - rows.mean(0) for rows in (one, other))
    scale = (a.square().sum(0) * b.square().sum(0)).sqrt()
    return float(torch.where(scale > 1e-12, (a * b).sum(0) / scale.clamp_min(1e-12), 0.0).mean())


def _centre_by_class(traits: Tensor, labels: Tensor) -> Tensor:
    """Subtract the mean of each class: an eight has more ink than a one in every handwriting."""
    result = traits.clone()
    for label in labels.unique():
        members = labels == label
        result[members] -= traits[members].mean(0)
    return result
