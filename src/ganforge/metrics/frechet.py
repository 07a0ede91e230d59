"""Fréchet distance between two sets of features under a Gaussian assumption."""

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from ganforge.metrics.arrays import Floats, feature_pair


def frechet_distance(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor) -> float:
    """Squared Fréchet distance between Gaussians with the means and covariances of the features; lower is better.

    d² = ‖μ₁ − μ₂‖² + tr(C₁ + C₂ − 2(C₁C₂)^½), with unbiased covariances, in float64. The trace of the root is
    computed as the sum of the singular values of C₁^½·C₂^½, whose squares are the eigenvalues of C₁^½·C₂·C₁^½. These
    are real and accurate to rounding for singular covariances too (fewer samples than features), where the matrix root
    of the unsymmetric product C₁C₂ is not.

    The estimate has a positive bias of order 1/N, so distances compare only at equal N.

    Args:
        real_features: [N, F], N ≥ 2.
        fake_features: [M, F], M ≥ 2.

    Raises:
        ValueError: fewer than two samples, different widths, NaN or infinity.

    Dowson & Landau 1982 (the closed form); Heusel et al. 2017, equation 6 (its use on a network's features).
    """
    real, fake = feature_pair(real_features, fake_features)
    real_covariance, fake_covariance = _covariance(real), _covariance(fake)
    shift = real.mean(0) - fake.mean(0)
    overlap = np.linalg.svd(_root(real_covariance) @ _root(fake_covariance), compute_uv=False).sum()
    distance = shift @ shift + np.trace(real_covariance) + np.trace(fake_covariance) - 2 * overlap
    # rounding can give a tiny negative distance for equal features
    return max(float(distance), 0.0)


def _covariance(features: Floats) -> Floats:
    centred = features - features.mean(0)
    product: Floats = centred.T @ centred / (len(features) - 1)
    return product


def _root(covariance: Floats) -> Floats:
    """Return the symmetric square root of a covariance; eigenvalues that rounding made negative become zero."""
    values, vectors = np.linalg.eigh(covariance)
    root: Floats = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    return root
