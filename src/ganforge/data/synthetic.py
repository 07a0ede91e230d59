"""Synthetic data with known modes: points in the plane around centres, and digits stacked as colour channels."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ganforge.data.images import ImageSet
from ganforge.randomness import random_generator


@dataclass(frozen=True)
class Mixture:
    """A mixture of equally likely isotropic normal distributions: ``centres`` float64 [K, 2], a common ``std``."""

    name: str
    centres: Tensor
    std: float

    def points(self, count: int, seed: int) -> "PointSet":
        """Draw ``count`` points; the result depends on ``count`` and ``seed`` only."""
        random = random_generator(seed, "points", self.name)
        modes = torch.randint(len(self.centres), (count,), generator=random)
        noise = torch.randn(count, 2, generator=random, dtype=torch.float64)
        return PointSet(self.centres[modes] + self.std * noise, modes, self.name)

    def nearest(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the nearest centre's index, int64 [N], and the distance to it in ``std``, for points [N, 2]."""
        distances, modes = torch.cdist(points.double(), self.centres).min(1)
        return modes, distances / self.std


def ring(modes: int = 8, radius: float = 1.0, std: float = 0.01) -> Mixture:
    """Return a mixture with centres at equal angles on a circle (Lin et al. 2018, section 4.1)."""
    angles = torch.arange(modes, dtype=torch.float64) * (2 * torch.pi / modes)
    return Mixture("ring", radius * torch.stack([angles.cos(), angles.sin()], 1), std)


def grid(side: int = 5, step: float = 2.0, std: float = 0.05) -> Mixture:
    """Return a mixture on a square grid: -4, -2, 0, 2, 4 along both axes (Lin et al. 2018, section 4.1)."""
    line = step * (torch.arange(side, dtype=torch.float64) - (side - 1) / 2)
    return Mixture("grid", torch.cartesian_prod(line, line), std)


@dataclass(frozen=True)
class PointSet:
    """Points, float [N, 2], with the index of their mode, int64 [N].

    The networks see a point as an image of two channels and one pixel.
    """

    points: Tensor
    labels: Tensor
    name: str = "points"

    def __len__(self) -> int:
        return len(self.points)

    def gather(self, indices: Tensor) -> Tensor:
        """Return the points at ``indices`` as float [M, 2, 1, 1]."""
        return self.points[indices, :, None, None]

    def to(self, device: torch.device) -> "PointSet":
        """Return the set on ``device``."""
        return PointSet(self.points.to(device), self.labels.to(device), self.name)


@dataclass(frozen=True)
class Stacks:
    """Images with three digits as red, green and blue channels: 1,000 modes, numbered by the digits.

    The set has all n³ stacks of n ``digits``, or only the stacks with the indices ``chosen``. `gather` builds the
    images.
    """

    digits: ImageSet
    chosen: Tensor | None = None

    def __len__(self) -> int:
        return len(self.digits) ** 3 if self.chosen is None else len(self.chosen)

    @cached_property
    def labels(self) -> Tensor:
        """The modes of the chosen stacks, int64 [N]; for all n³ stacks they may not fit into memory."""
        return self.modes(torch.arange(len(self), device=self.digits.labels.device))

    def gather(self, indices: Tensor) -> Tensor:
        """Return the stacks at ``indices``, uint8 [M, 3, H, W]."""
        triples = self._triples(indices)
        images: Tensor = self.digits.gather(triples.flatten()).unflatten(0, triples.shape)
        return images.squeeze(2)

    def modes(self, indices: Tensor) -> Tensor:
        """Return the modes of the stacks at ``indices``: 100 · red + 10 · green + blue."""
        return mode_number(self.digits.labels[self._triples(indices)])

    def some(self, count: int, seed: int) -> "Stacks":
        """Draw ``count`` stacks with replacement as a new set; the result depends on ``count`` and ``seed`` only."""
        chosen = torch.randint(len(self), (count,), generator=random_generator(seed, "stacks"))
        return Stacks(self.digits, chosen.to(self.digits.labels.device))

    def to(self, device: torch.device) -> "Stacks":
        """Return the set on ``device``."""
        return Stacks(self.digits.to(device), None if self.chosen is None else self.chosen.to(device))

    def _triples(self, indices: Tensor) -> Tensor:
        if self.chosen is not None:
            indices = self.chosen[indices]
        n = len(self.digits)
        return torch.stack([indices // n**2, indices // n % n, indices % n], 1)


def mode_number(digits: Tensor) -> Tensor:
    """Return digits [N, 3] as one number, 0 to 999."""
    return digits @ torch.tensor([100, 10, 1], device=digits.device)
