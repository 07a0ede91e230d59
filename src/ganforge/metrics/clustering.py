"""Clusters found without labels, beside classes."""

import numpy as np
from numpy.typing import ArrayLike


def clustering_accuracy(classes: ArrayLike, clusters: ArrayLike) -> float:
    """Return the share of items whose cluster is named as their class, under the best one-to-one naming.

    max over one-to-one maps m of mean[m(cluster) = class], by the Hungarian method (unsupervised clustering accuracy,
    Xie et al. 2016, eq. 10). Clusters beyond the number of classes, and classes beyond that of clusters, stay unnamed.

    Args:
        classes: int [N], N ≥ 1, from 0.
        clusters: int [N], from 0.

    Raises:
        ValueError: other shapes, no item, or negative numbers.
    """
    from scipy.optimize import linear_sum_assignment  # a third of a second, and only this figure needs it

    of, found = np.asarray(classes), np.asarray(clusters)
    if of.shape != found.shape or of.ndim != 1 or not len(of):
        raise ValueError(f"classes and clusters must be [N] alike, N >= 1; found {of.shape} and {found.shape}")
    if of.dtype.kind not in "iu" or found.dtype.kind not in "iu" or min(of.min(), found.min()) < 0:
        raise ValueError("classes and clusters must be whole numbers from 0")
    counts = np.zeros((found.max() + 1, of.max() + 1), np.int64)
    np.add.at(counts, (found, of), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return float(counts[rows, columns].sum() / len(of))
