"""Simple generative models for labelled images, signals and spectra: a user would try them before a GAN.

Every model learns each class by itself, from the training values x in 0..1 of D numbers, and draws new ones.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf

from ganforge.data.images import ImageSet
from ganforge.randomness import seed_of

Rows = NDArray[np.float64]
Model = Callable[[Rows, int, np.random.Generator], Rows]
"""Training rows [N, D], the number of rows to draw, and random numbers -> new rows [M, D]."""
NEIGHBOURS = 5
"""Neighbours of SMOTE (Chawla et al. 2002)."""
BANDWIDTHS = np.geomspace(0.02, 1.0, 16)
"""Bandwidths of the kernel density, relative to the standard deviation of the values; the likeliest is taken."""
BLOCKS = 8
"""Blocks of the block bootstrap along the last axis."""


def gaussian(rows: Rows, count: int, random: np.random.Generator) -> Rows:
    """Draw from a normal distribution with the mean of the rows and their shrunk covariance (Ledoit and Wolf 2004)."""
    model = LedoitWolf().fit(rows)
    return random.multivariate_normal(rows.mean(0), model.covariance_, count, method="cholesky")


def copula(rows: Rows, count: int, random: np.random.Generator) -> Rows:
    """Draw from a Gaussian copula: the ranks of each value as normal numbers with a shrunk covariance.

    Every value keeps its own distribution, that of the training rows, interpolated between them.
    """
    ranks = rows.argsort(0).argsort(0)
    normal = special.ndtri((ranks + 0.5) / len(rows))
    drawn = gaussian(normal, count, random) / np.maximum(normal.std(0), 1e-9)
    levels = np.linspace(0.5, len(rows) - 0.5, len(rows)) / len(rows)
    ordered = np.sort(rows, 0)
    share = special.ndtr(drawn)
    return np.stack([np.interp(share[:, k], levels, ordered[:, k]) for k in range(rows.shape[1])], 1)


def smote(rows: Rows, count: int, random: np.random.Generator) -> Rows:
    """Draw points between a row and one of its five nearest neighbours, x + u (x' − x) (Chawla et al. 2002)."""
    nearest = cdist(rows, rows).argsort(1)[:, 1 : NEIGHBOURS + 1]
    first = random.integers(len(rows), size=count)
    second = nearest[first, random.integers(nearest.shape[1], size=count)]
    between: Rows = rows[first] + random.random((count, 1)) * (rows[second] - rows[first])
    return between


def kernel_density(rows: Rows, count: int, random: np.random.Generator) -> Rows:
    """Draw a row and add normal noise, of the bandwidth under which each row is likeliest by the other rows."""
    squared = cdist(rows, rows, "sqeuclidean")
    np.fill_diagonal(squared, np.inf)
    bandwidths = BANDWIDTHS * rows.std(0).mean()
    likelihood = [
        special.logsumexp(-squared / (2 * h * h), axis=1).sum() - squared.shape[0] * rows.shape[1] * np.log(h)
        for h in bandwidths
    ]
    noise = random.standard_normal((count, rows.shape[1]))
    drawn: Rows = rows[random.integers(len(rows), size=count)] + bandwidths[int(np.argmax(likelihood))] * noise
    return drawn


def block_bootstrap(rows: Rows, count: int, random: np.random.Generator, *, length: int) -> Rows:
    """Put each of eight blocks along the last axis, of ``length`` values, from another row at the same place."""
    blocks = np.minimum(np.arange(length) * BLOCKS // length, BLOCKS - 1)
    chosen = random.integers(len(rows), size=(count, BLOCKS))[:, blocks]  # [count, length]
    values = rows.reshape(len(rows), -1, length)
    return values[chosen[:, None, :], np.arange(values.shape[1])[:, None], np.arange(length)].reshape(count, -1)


MODELS = ("Gaussian", "Gaussian copula", "SMOTE", "kernel density", "block bootstrap")


def draw_simple(name: str, train: ImageSet, count: int, seed: int = 0) -> ImageSet:
    """Return ``count`` images of a simple model, whose labels cycle through the classes of the training images.

    Args:
        name: one of `MODELS`.
        train: labelled images, three or more of each class.
        count: number of images to draw.
        seed: of the random numbers.
    """
    models: dict[str, Model] = {
        "Gaussian": gaussian,
        "Gaussian copula": copula,
        "SMOTE": smote,
        "kernel density": kernel_density,
        "block bootstrap": partial(block_bootstrap, length=train.shape[2]),
    }
    labels = torch.arange(count) % len(train.class_names)
    images = torch.empty((count, *train.shape), dtype=torch.uint8)
    for number in range(len(train.class_names)):
        random = np.random.default_rng(seed_of(seed, name, number))
        rows = train.images[train.labels == number].flatten(1).double().numpy() / 255
        drawn = models[name](rows, int((labels == number).sum()), random)
        levels = torch.from_numpy(drawn).mul(255).round().clamp(0, 255).to(torch.uint8)
        images[labels == number] = levels.reshape(-1, *train.shape)
    return ImageSet(images, labels, train.class_names, name, kind=train.kind)
