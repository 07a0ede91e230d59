"""Kernel distance between two sets of features, without a Gaussian assumption."""

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ganforge.metrics.arrays import feature_pair

BLOCK = 250
"""Rows per block of the kernel matrix: 20 MB against 10,000 other rows."""


def kernel_distance(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor, degree: int = 3) -> float:
    """Squared maximum mean discrepancy with a polynomial kernel, unbiased; lower is better.

    Σᵢ≠ⱼ k(xᵢ, xⱼ) / N(N − 1) + Σᵢ≠ⱼ k(yᵢ, yⱼ) / M(M − 1) − 2 Σᵢⱼ k(xᵢ, yⱼ) / NM with k(x, y) = (x·y / F + 1)^degree, in
    float64, over all samples. KID is this distance on Inception features, averaged over small random subsets.

    Its expectation does not depend on N and is 0 for two samples of one distribution, so small negative values occur.

    Args:
        real_features: [N, F], N ≥ 2.
        fake_features: [M, F], M ≥ 2.
        degree: of the polynomial, ≥ 1.

    Raises:
        ValueError: fewer than two samples, different widths, NaN or infinity, a degree below 1.

    Gretton et al. 2012, "A kernel two-sample test" (the estimator); Bińkowski et al. 2018, "Demystifying MMD GANs"
    (this kernel, as the kernel inception distance).
    """
    if degree < 1:
        raise ValueError(f"degree = {degree}: give a degree of at least 1")
    real, fake = (torch.from_numpy(array) for array in feature_pair(real_features, fake_features, 2, "a pair of rows"))
    between = sum(float(_kernel(block, fake, degree).sum()) for block in real.split(BLOCK))
    return _within(real, degree) + _within(fake, degree) - 2 * between / (len(real) * len(fake))


def _within(cloud: Tensor, degree: int) -> float:
    """Return the mean of the kernel over all pairs of different rows, computed from half of them by symmetry."""
    total = 0.0
    for start in range(0, len(cloud), BLOCK):
        block, rest = cloud[start : start + BLOCK], cloud[start + BLOCK :]
        total += float(_kernel(block, block, degree).fill_diagonal_(0).sum())
        total += 2 * float(_kernel(block, rest, degree).sum())
    return total / (len(cloud) * (len(cloud) - 1))


def _kernel(one: Tensor, other: Tensor, degree: int) -> Tensor:
    return torch.addmm(one.new_ones(()), one, other.T, alpha=1 / one.shape[1]).pow_(degree)
