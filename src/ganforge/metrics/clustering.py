"""Accuracy of unsupervised clusters."""

import numpy as np
from numpy.typing import ArrayLike


def clustering_accuracy(classes: ArrayLike, clusters: ArrayLike) -> float:
    """Return the accuracy of clusters under the best one-to-one map from clusters to classes.

    max over one-to-one maps m of mean[m(cluster) = class], by the Hungarian method (unsupervised clustering accuracy,
    Xie et al. 2016, eq. 10). If their numbers differ, the surplus clusters or classes remain unmatched.

    Args:
        classes: int [N], N ≥ 1, from 0.
        clusters: int [N], from 0.

    Raises:
        ValueError: shapes that differ or are not [N], no items, or values other than integers from 0.
    """
    from scipy.optimize import linear_sum_assignment  # here, because it takes a third of a second to import

    class_index, cluster_index = np.asarray(classes), np.asarray(clusters)
    if class_index.shape != cluster_index.shape or class_index.ndim != 1 or not len(class_index):
        raise ValueError(
            f"classes and clusters must be [N] alike, N >= 1; found {class_index.shape} and {cluster_index.shape}"
        )
    if (
        class_index.dtype.kind not in "iu"
        or cluster_index.dtype.kind not in "iu"
        or min(class_index.min(), cluster_index.min()) < 0
    ):
        raise ValueError("classes and clusters must be whole numbers from 0")
    counts = np.zeros((cluster_index.max() + 1, class_index.max() + 1), np.int64)
    np.add.at(counts, (cluster_index, class_index), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return float(counts[rows, columns].sum() / len(class_index))
