"""Clusters of images that look alike: what stands for classes where there are none."""

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganforge.data.images import ImageSet

SIDE = 14
"""Images are compared at so many places across and down, each the mean of what lies there."""
SAMPLE, ROUNDS = 10_000, 15
"""Images that the centres are found on, and how often the centres move."""


def with_kmeans_labels(images: ImageSet, count: int) -> ImageSet:
    """Return the images with the numbers of their clusters, from 0 to ``count`` - 1, in the place of labels.

    k-means (Lloyd 1982) on images made small; the first centres are images, evenly spaced through the set, so that
    nothing here is chance. Some clusters may be empty, where many images are the same.
    """
    from scipy.cluster.vq import kmeans2, vq  # a third of a second, and few recipes need it

    chosen = torch.linspace(0, len(images) - 1, min(len(images), SAMPLE)).long()
    some = _small(images.gather(chosen))
    first = some[torch.linspace(0, len(some) - 1, count).long().numpy()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a cluster is empty: it stays so
        centres, _ = kmeans2(some, first, iter=ROUNDS, minit="matrix")
    labels = [torch.from_numpy(vq(_small(piece), centres)[0]).long() for piece in images.chunks()]
    return ImageSet(images.images, torch.cat(labels), tuple(map(str, range(count))), images.name, images.span)


def class_frequencies(labels: Tensor, classes: int) -> Tensor:
    """Return which part of all labels each class has, float [classes]."""
    return torch.bincount(labels, minlength=classes) / len(labels)


def _small(images: Tensor) -> NDArray[np.float32]:
    places: NDArray[np.float32] = adaptive_avg_pool2d(images.float() / 255, SIDE).flatten(1).numpy()
    return places
