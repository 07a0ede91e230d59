"""k-means clusters of similar images as class labels for unlabelled data."""

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganforge.data.images import ImageSet
from ganforge.metrics.memorisation import nearest_distances

SIDE = 14
"""Images are averaged down to this many pixels on each side before clustering."""
SAMPLE, ITERATIONS = 10_000, 15
"""Number of images that the centres are fitted on, and number of k-means iterations."""


def with_kmeans_labels(images: ImageSet, count: int) -> ImageSet:
    """Return the images with cluster numbers 0 to ``count`` - 1 as labels.

    k-means (Lloyd 1982) on downscaled images. The initial centres are images at even intervals of the set, so the
    result is deterministic. Clusters may be empty if many images are identical.
    """
    from scipy.cluster.vq import kmeans2, vq  # the import takes a third of a second, and few recipes need it

    indices = torch.linspace(0, len(images) - 1, min(len(images), SAMPLE)).long()
    sample = _downscale(images.gather(indices))
    initial = sample[torch.linspace(0, len(sample) - 1, count).long().numpy()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about empty clusters, which are allowed
        centres, _ = kmeans2(sample, initial, iter=ITERATIONS, minit="matrix")
    labels = [torch.from_numpy(vq(_downscale(chunk), centres)[0]).long() for chunk in images.chunks()]
    return ImageSet(images.images, torch.cat(labels), tuple(map(str, range(count))), images.name, images.span)


def with_labels_of_nearest(images: ImageSet, clustered: ImageSet) -> ImageSet:
    """Return images with the label of the nearest of ``clustered`` images, on downscaled images."""
    sample = clustered.select(torch.linspace(0, len(clustered) - 1, min(len(clustered), SAMPLE)).long())
    _, nearest = nearest_distances(_downscale(images.images), _downscale(sample.images))
    return ImageSet(images.images, sample.labels[torch.from_numpy(nearest)], clustered.class_names, images.name)


def class_frequencies(labels: Tensor, classes: int) -> Tensor:
    """Return the frequency of each class among the labels, float [classes]."""
    return torch.bincount(labels, minlength=classes) / len(labels)


def _downscale(images: Tensor) -> NDArray[np.float32]:
    pixels: NDArray[np.float32] = adaptive_avg_pool2d(images.float() / 255, SIDE).flatten(1).numpy()
    return pixels
