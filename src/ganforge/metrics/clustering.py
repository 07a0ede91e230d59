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

    class_ids, cluster_ids = np.asarray(classes), np.asarray(clusters)
    if class_ids.shape != cluster_ids.shape or class_ids.ndim != 1 or not len(class_ids):
        raise ValueError(
            f"classes and clusters must have one shape [N], N >= 1, not {class_ids.shape} and {cluster_ids.shape}"
        )
    if (
        class_ids.dtype.kind not in "iu"
        or cluster_ids.dtype.kind not in "iu"
        or min(class_ids.min(), cluster_ids.min()) < 0
    ):
        raise ValueError("classes and clusters must be whole numbers from 0")
    counts = np.zeros((cluster_ids.max() + 1, class_ids.max() + 1), np.int64)
    np.add.at(counts, (cluster_ids, class_ids), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return float(counts[rows, columns].sum() / len(class_ids))
