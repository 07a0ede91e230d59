"""The label-swap test: the same noise, another label. Does the class change, and does the handwriting stay?"""

import torch
from torch import Tensor

from ganforge.data.images import ImageSet
from ganforge.evaluation.features import FeatureExtractor
from ganforge.evaluation.metric_table import SPLITS, Found
from ganforge.judge.judge import Report
from ganforge.metrics.intervals import interval_of_splits, proportion_interval
from ganforge.sampling import Generator

PAIRS = 2000


def label_swap(generator: Generator, eye: FeatureExtractor, report: Report | None = None) -> Found:
    """Draw pairs from one noise with two labels, and look at both.

    ``swap_changed``: share of pairs in which both pictures are read as what was asked: the label, and only the label,
    changed the class. A generator that ignores its labels has 0.

    ``swap_kept``: how much of the style goes along, 1 all and 0 none: the correlation of four traits (ink, width,
    height, slant) between the two pictures of a pair, each trait taken beside the others of its class.
    """
    classes = len(generator.class_names)
    latent = generator.latent(PAIRS, name="swap")
    first = torch.arange(PAIRS, device=latent.device) % classes
    second = (first + 1 + torch.arange(PAIRS, device=latent.device) // classes % (classes - 1)) % classes
    right, traits = torch.ones(PAIRS, dtype=torch.bool), []
    for labels in (first, second):
        images = generator.draw(latent, labels)
        asked = eye.numbered(ImageSet(images, labels.cpu(), generator.class_names))
        right &= eye.look(images, report=report).classes == asked
        traits.append(_beside_class(style_traits(images), labels.cpu()))
    hits, kept = int(right.sum()), style_correlation(*traits)
    parts = zip(*(rows.split(PAIRS // SPLITS) for rows in traits), strict=True)
    return {
        "swap_changed": (hits / PAIRS, proportion_interval(hits, PAIRS)),
        "swap_kept": (kept, interval_of_splits(kept, [style_correlation(*part) for part in parts], (-1.0, 1.0))),
    }


def style_traits(images: Tensor) -> Tensor:
    """Return ink, width, height and slant of uint8 images [N, C, H, W], float64 [N, 4].

    Ink is the mean brightness; width and height are the standard deviations of where the ink lies; slant is the
    covariance of across and down divided by the variance down: by how much a stroke leans for each line.
    """
    ink = images.double().mean(1) + 1e-6
    height, width = ink.shape[1:]
    weight = ink / ink.sum((1, 2), keepdim=True)
    down = torch.arange(height, dtype=torch.float64)[:, None].expand(height, width)
    across = torch.arange(width, dtype=torch.float64).expand(height, width)
    means = [(weight * place).sum((1, 2), keepdim=True) for place in (down, across)]
    off_down, off_across = down - means[0], across - means[1]
    var_down, var_across, both = (
        (weight * product).sum((1, 2)) for product in (off_down.square(), off_across.square(), off_down * off_across)
    )
    return torch.stack([ink.mean((1, 2)), var_across.sqrt(), var_down.sqrt(), both / var_down.clamp_min(1e-9)], 1)


def style_correlation(one: Tensor, other: Tensor) -> float:
    """Return the mean over traits of the correlation between rows [N, T] of pairs; traits that do not vary count 0."""
    a, b = (rows - rows.mean(0) for rows in (one, other))
    scale = (a.square().sum(0) * b.square().sum(0)).sqrt()
    return float(torch.where(scale > 1e-12, (a * b).sum(0) / scale.clamp_min(1e-12), 0.0).mean())


def _beside_class(traits: Tensor, labels: Tensor) -> Tensor:
    """Take away each class's mean: an eight has more ink than a one in every hand."""
    result = traits.clone()
    for label in labels.unique():
        own = labels == label
        result[own] -= traits[own].mean(0)
    return result
