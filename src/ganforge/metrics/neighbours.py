"""Precision, recall, density and coverage of fakes, from nearest neighbours.

All four metrics place a ball around every sample of one set that reaches to its k-th nearest neighbour in that set
(radius NND_k), and count the samples of the other set in these balls. They compare only at equal k and sample numbers.

Distances are computed as ‖a‖² + ‖b‖² − 2a·b, because a matrix product is fastest on any machine. They are in float64,
because the difference cancels: in float32 a copy is not at distance 0 from its original, and repeated images are what
these metrics must detect.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ganforge.metrics.arrays import Floats, feature_pair

NEIGHBOURS = 5
"""Default k of the balls."""
BLOCK = 100
"""Rows per block of distances: 8 MB against 10,000 other rows; larger blocks are no faster."""
ROUNDING = 1e-12
"""Tolerance for equal squared distances, relative to the largest squared length."""


def precision(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor, k: int = NEIGHBOURS) -> float:
    """Share of the fakes that lie in the ball of some real: realistic fakes.

    (1/M) Σⱼ 1[∃ i: ‖yⱼ − xᵢ‖ ≤ NND_k(xᵢ)] for reals x and fakes y, in float64.

    Args:
        real_features: [N, F], N > k.
        fake_features: [M, F], M > k.
        k: neighbour that a ball reaches to, not counting the sample itself.

    Raises:
        ValueError: k below 1, too few samples, different widths, NaN or infinity.

    Kynkäänniemi et al. 2019, "Improved precision and recall metric for assessing generative models".
    """
    real, fake = _clouds(real_features, fake_features, k)
    return _share_inside(fake, real, k)


def recall(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor, k: int = NEIGHBOURS) -> float:
    """Share of the reals that lie in the ball of some fake: variety that the generator covers.

    (1/N) Σᵢ 1[∃ j: ‖xᵢ − yⱼ‖ ≤ NND_k(yⱼ)] for reals x and fakes y, in float64. If every fake has k copies or more,
    all balls are points and recall is 0, regardless of the number of different fakes.

    Args, errors and paper as `precision`.
    """
    real, fake = _clouds(real_features, fake_features, k)
    return _share_inside(real, fake, k)


def density(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor, k: int = NEIGHBOURS) -> float:
    """Mean number of real balls that contain a fake, divided by k: `precision`, robust to outliers among the reals.

    (1/kM) Σⱼ Σᵢ 1[‖yⱼ − xᵢ‖ ≤ NND_k(xᵢ)] for reals x and fakes y, in float64: about 1 for other reals, and
    possibly more.

    Args and errors as `precision`.

    Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models".
    """
    real, fake = _clouds(real_features, fake_features, k)
    radii = _squared_radii(real, k)
    inside = sum(int((distances <= radii).sum()) for distances in _squared_distances(fake, real))
    return inside / (k * len(fake))


def coverage(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor, k: int = NEIGHBOURS) -> float:
    """Share of the reals with a fake in their ball: `recall`, robust to outliers among the fakes.

    (1/N) Σᵢ 1[∃ j: ‖yⱼ − xᵢ‖ ≤ NND_k(xᵢ)] for reals x and fakes y, in float64.

    Args, errors and paper as `density`.
    """
    real, fake = _clouds(real_features, fake_features, k)
    nearest = torch.cat([distances.amin(1) for distances in _squared_distances(real, fake)])
    return float((nearest <= _squared_radii(real, k)).double().mean())


class PrecisionRecall(NamedTuple):
    """`precision` and `recall`."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """`density` and `coverage`."""

    density: float
    coverage: float


class Neighbourhood(NamedTuple):
    """`precision`, `recall`, `density` and `coverage`."""

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhood(
    real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor, k: int = NEIGHBOURS
) -> Neighbourhood:
    """All four metrics, with every distance computed once.

    Args, errors and papers as `precision` and `density`.
    """
    real, fake = _clouds(real_features, fake_features, k)
    real_radii, fake_radii = _squared_radii(real, k), _squared_radii(fake, k)
    inside_real = torch.zeros(len(fake), dtype=torch.int64)
    recalled, covered = [], []
    for distances, radius in zip(_squared_distances(real, fake), real_radii.split(BLOCK), strict=True):
        inside_real += (distances <= radius[:, None]).sum(0)
        recalled.append((distances <= fake_radii).any(1))
        covered.append(distances.amin(1) <= radius)
    return Neighbourhood(
        precision=float((inside_real > 0).double().mean()),
        recall=float(torch.cat(recalled).double().mean()),
        density=float(inside_real.double().mean() / k),
        coverage=float(torch.cat(covered).double().mean()),
    )


def precision_recall(
    real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor, k: int = NEIGHBOURS
) -> PrecisionRecall:
    """`precision` and `recall` from one pass over the distances; arguments and errors as these."""
    metrics = neighbourhood(real_features, fake_features, k)
    return PrecisionRecall(metrics.precision, metrics.recall)


def density_coverage(
    real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor, k: int = NEIGHBOURS
) -> DensityCoverage:
    """`density` and `coverage` from one pass over the distances; arguments and errors as these."""
    metrics = neighbourhood(real_features, fake_features, k)
    return DensityCoverage(metrics.density, metrics.coverage)


def nearest_others(features: ArrayLike | Tensor) -> Floats:
    """Distance of every row to the nearest other row of the same set: 0 for a repeated image.

    Args:
        features: [N, F], N ≥ 2.

    Returns:
        float64 [N].

    Raises:
        ValueError: fewer than two rows, NaN or infinity.
    """
    cloud, _ = _clouds(features, features, 1)
    return (_squared_radii(cloud, 1) - ROUNDING * cloud.square().sum(1).max()).clamp_min(0).sqrt().numpy()


def _clouds(real: ArrayLike | Tensor, fake: ArrayLike | Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return both sets as float64 tensors, shifted by the mean of the reals to reduce rounding errors.

    Raises:
        ValueError: as `feature_pair`, or k below 1.
    """
    if k < 1:
        raise ValueError(f"k = {k}: give k of at least 1")
    real_array, fake_array = feature_pair(real, fake, k + 1, f"a ball that reaches to neighbour {k}")
    mean = real_array.mean(0)
    return torch.from_numpy(real_array - mean), torch.from_numpy(fake_array - mean)


def _share_inside(points: Tensor, centres: Tensor, k: int) -> float:
    radii = _squared_radii(centres, k)
    inside = torch.cat([(distances <= radii).any(1) for distances in _squared_distances(points, centres)])
    return float(inside.double().mean())


def _squared_radii(cloud: Tensor, k: int) -> Tensor:
    """Return the squared distance [N] of every sample to its k-th neighbour in its own set, plus a tolerance."""
    # the nearest row is the sample itself
    blocks = [distances.topk(k + 1, largest=False).values[:, k] for distances in _squared_distances(cloud, cloud)]
    return torch.cat(blocks) + ROUNDING * cloud.square().sum(1).max()


def _squared_distances(points: Tensor, centres: Tensor) -> Iterator[Tensor]:
    """Yield the squared distances of `BLOCK` points at a time to all centres, [rows, N]."""
    squared_norms = centres.square().sum(1)
    for block in points.split(BLOCK):
        yield torch.addmm(squared_norms, block, centres.T, alpha=-2).add_(block.square().sum(1, keepdim=True))
