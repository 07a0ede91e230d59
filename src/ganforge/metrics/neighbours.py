"""Fakes among reals by their nearest neighbours: is each fake like some real, and does each real have a fake like it?

All four figures lay a ball around every sample of one cloud that reaches to its k-th nearest neighbour in that cloud,
NND_k, and ask which samples of the other cloud lie in these balls. They compare only at equal k and equal numbers.

Distances are taken as ‖a‖² + ‖b‖² − 2a·b, because a product of matrices is the fastest way on any machine, and in
float64, because that difference cancels: in float32 a copy is no longer at distance 0 from its original, and a stock of
pictures that is shown again and again is what these figures are for.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ganforge.metrics.arrays import Floats, feature_pair

NEIGHBOURS = 5
"""The k of the balls where none is given."""
BLOCK = 100
"""Rows whose distances are held at once: against 10,000 others these are 8 MB, and more of them are no faster."""
ROUNDING = 1e-12
"""Squared distances that differ by less than this part of the largest squared length count as equal."""


def precision(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor, k: int = NEIGHBOURS) -> float:
    """Share of the fakes that lie in the ball of some real: how many pictures could be real ones.

    (1/M) Σⱼ 1[∃ i: ‖yⱼ − xᵢ‖ ≤ NND_k(xᵢ)] for reals x and fakes y, in float64.

    Args:
        real_features: [N, F], N > k.
        fake_features: [M, F], M > k.
        k: which neighbour a ball reaches to, the sample itself not counted.

    Raises:
        ValueError: k below 1, too few samples, different widths, NaN or infinity.

    Kynkäänniemi et al. 2019, "Improved precision and recall metric for assessing generative models".
    """
    real, fake = _clouds(real_features, fake_features, k)
    return _share_inside(fake, real, k)


def recall(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor, k: int = NEIGHBOURS) -> float:
    """Share of the reals that lie in the ball of some fake: how much of what there is the generator draws.

    (1/N) Σᵢ 1[∃ j: ‖xᵢ − yⱼ‖ ≤ NND_k(yⱼ)] for reals x and fakes y, in float64. Where every fake has k copies or more
    all balls are points and recall is 0, however many kinds of fakes there are.

    Args, errors and paper as `precision`.
    """
    real, fake = _clouds(real_features, fake_features, k)
    return _share_inside(real, fake, k)


def density(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor, k: int = NEIGHBOURS) -> float:
    """In how many balls of reals a fake lies on average, divided by k: `precision` that one stray real cannot lift.

    (1/kM) Σⱼ Σᵢ 1[‖yⱼ − xᵢ‖ ≤ NND_k(xᵢ)] for reals x and fakes y, in float64: about 1 for other reals, and it may be
    more.

    Args and errors as `precision`.

    Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models".
    """
    real, fake = _clouds(real_features, fake_features, k)
    reach = _reach(real, k)
    inside = sum(int((distances <= reach).sum()) for distances in _squared_distances(fake, real))
    return inside / (k * len(fake))


def coverage(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor, k: int = NEIGHBOURS) -> float:
    """Share of the reals that have a fake in their ball: `recall` that one stray fake cannot lift.

    (1/N) Σᵢ 1[∃ j: ‖yⱼ − xᵢ‖ ≤ NND_k(xᵢ)] for reals x and fakes y, in float64.

    Args, errors and paper as `density`.
    """
    real, fake = _clouds(real_features, fake_features, k)
    nearest = torch.cat([distances.amin(1) for distances in _squared_distances(real, fake)])
    return float((nearest <= _reach(real, k)).double().mean())


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
    """All four figures, with every distance computed once.

    Args, errors and papers as `precision` and `density`.
    """
    real, fake = _clouds(real_features, fake_features, k)
    real_reach, fake_reach = _reach(real, k), _reach(fake, k)
    inside_real = torch.zeros(len(fake), dtype=torch.int64)
    recalled, covered = [], []
    for distances, reach in zip(_squared_distances(real, fake), real_reach.split(BLOCK), strict=True):
        inside_real += (distances <= reach[:, None]).sum(0)
        recalled.append((distances <= fake_reach).any(1))
        covered.append(distances.amin(1) <= reach)
    return Neighbourhood(
        precision=float((inside_real > 0).double().mean()),
        recall=float(torch.cat(recalled).double().mean()),
        density=float(inside_real.double().mean() / k),
        coverage=float(torch.cat(covered).double().mean()),
    )


def precision_recall(
    real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor, k: int = NEIGHBOURS
) -> PrecisionRecall:
    """`precision` and `recall` at once, from fewer distances than one by one; arguments and errors as these."""
    found = neighbourhood(real_features, fake_features, k)
    return PrecisionRecall(found.precision, found.recall)


def density_coverage(
    real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor, k: int = NEIGHBOURS
) -> DensityCoverage:
    """`density` and `coverage` at once, from fewer distances than one by one; arguments and errors as these."""
    found = neighbourhood(real_features, fake_features, k)
    return DensityCoverage(found.density, found.coverage)


def nearest_others(features: ArrayLike | Tensor) -> Floats:
    """Distance of every row to the nearest other row of its own set: 0 for a picture that is shown twice.

    Args:
        features: [N, F], N ≥ 2.

    Returns:
        float64 [N].

    Raises:
        ValueError: fewer than two rows, NaN or infinity.
    """
    cloud, _ = _clouds(features, features, 1)
    return (_reach(cloud, 1) - ROUNDING * cloud.square().sum(1).max()).clamp_min(0).sqrt().numpy()


def _clouds(real: ArrayLike | Tensor, fake: ArrayLike | Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return both clouds as float64 tensors, moved together so that the reals' mean is 0: distances stay, sums shrink.

    Raises:
        ValueError: as `feature_pair`, or k below 1.
    """
    if k < 1:
        raise ValueError(f"k = {k}: a ball reaches to the first neighbour at least")
    one, other = feature_pair(real, fake, k + 1, f"a ball that reaches to neighbour {k}")
    mean = one.mean(0)
    return torch.from_numpy(one - mean), torch.from_numpy(other - mean)


def _share_inside(points: Tensor, centres: Tensor, k: int) -> float:
    reach = _reach(centres, k)
    inside = torch.cat([(distances <= reach).any(1) for distances in _squared_distances(points, centres)])
    return float(inside.double().mean())


def _reach(cloud: Tensor, k: int) -> Tensor:
    """Squared distance [N] of every sample to its k-th neighbour in its own cloud, and a hair for rounding."""
    # the nearest of all is the sample itself
    blocks = [distances.topk(k + 1, largest=False).values[:, k] for distances in _squared_distances(cloud, cloud)]
    return torch.cat(blocks) + ROUNDING * cloud.square().sum(1).max()


def _squared_distances(points: Tensor, centres: Tensor) -> Iterator[Tensor]:
    """Yield the squared distances of `BLOCK` points at a time to all centres, [rows, N]."""
    lengths = centres.square().sum(1)
    for block in points.split(BLOCK):
        yield torch.addmm(lengths, block, centres.T, alpha=-2).add_(block.square().sum(1, keepdim=True))
