"""Effective rank: the number of directions in which features vary."""

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from ganforge.metrics.arrays import feature_pair


def effective_rank(features: ArrayLike | Tensor) -> float:
    """Return exp(H(p)) of the singular values σ of the centred features, p = σ / Σσ, H(p) = −Σ p·ln p.

    1 for features on a line, min(N − 1, F) for features that vary alike in all directions, and 0 where all rows are
    equal. Values compare only at equal N.

    Args:
        features: [N, F], N ≥ 2.

    Raises:
        ValueError: fewer than two rows, NaN or infinity.

    Roy & Vetterli 2007, "The effective rank: a measure of effective dimensionality".
    """
    array, _ = feature_pair(features, features)
    # the eigenvalues of the smaller product are the squares of the singular values
    centred = array - array.mean(0)
    product = centred.T @ centred if array.shape[1] <= len(array) else centred @ centred.T
    values = np.sqrt(np.linalg.eigvalsh(product).clip(min=0))
    if values.max() <= 1e-9 * max(float(np.abs(array).max()), 1e-30):
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
