"""The data sets of the benchmarks and their metrics: points in the plane, and digits stacked as colours."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganforge.data.batches import Batches, Order, Source
from ganforge.data.load import load
from ganforge.data.synthetic import Mixture, Stacks, mode_number
from ganforge.errors import UserError
from ganforge.generation.grids import image_grid
from ganforge.judge.shipped import load_judge
from ganforge.metrics.modes import mode_coverage
from ganforge.recipes.recipe import Recipe
from ganforge.training.state import DTYPES

Figures = dict[str, float | None]
"""Metric values by name; None where a metric is undefined, such as the spread of modes that no sample hits."""

FLOOR_DRAWS = 20
FULL = "_full_contrast"
"""Suffix of the metrics of pictures that were stretched to full contrast."""
BLOCK = 5_000
"""Images stretched in one block."""
WITHIN = 3.0
"""A point is of high quality within this many standard deviations of the nearest centre."""


class Problem(ABC):
    """A data set with known modes.

    Attributes:
        shape: of an example, (C, H, W); the networks are built for it.
    """

    shape: tuple[int, int, int]

    @property
    @abstractmethod
    def modes(self) -> int:
        """The number of modes."""

    @abstractmethod
    def refuse(self, recipe: Recipe) -> None:
        """Raise UserError if a recipe cannot be trained on this problem."""

    @abstractmethod
    def batches(self, recipe: Recipe, seed: int) -> Batches:
        """Return the stream of real examples."""

    @abstractmethod
    def figures(self, samples: Tensor) -> Figures:
        """Measure samples: points float [N, 2, 1, 1], or stacks uint8 [N, 3, H, W]."""

    @abstractmethod
    def figures_of_real(self, count: int, seed: int) -> Figures:
        """Measure ``count`` real examples in the same way."""

    def floor(self, count: int) -> Figures:
        """Return the metrics of ``count`` real examples, the best possible result, as a mean over draws."""
        draws = [self.figures_of_real(count, seed) for seed in range(FLOOR_DRAWS)]
        return {name: sum(draw[name] or 0.0 for draw in draws) / FLOOR_DRAWS for name in draws[0]}

    def picture(self, samples: Tensor) -> Image.Image:
        """Return a picture of some samples: a sheet of 100 images."""
        return image_grid(samples[:100], 10)

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What the metrics depend on besides the samples: results with different identities are not comparable."""


@dataclass(frozen=True)
class Points(Problem):
    """Points of a mixture of normal distributions; ``count`` training points are drawn once."""

    mixture: Mixture
    count: int = 100_000
    shape = (2, 1, 1)

    @property
    def modes(self) -> int:
        """The number of centres."""
        return len(self.mixture.centres)

    def refuse(self, recipe: Recipe) -> None:
        """Refuse bounded outputs and conditional recipes: points lie anywhere in the plane and have no class."""
        if recipe.uses_classes or recipe.generator.output != "linear":
            raise UserError(
                f"{recipe.name} cannot draw the points of {self.mixture.name}: it takes an unconditional recipe with "
                'generator.family = "mlp" and generator.output = "linear", such as gan-2d'
            )
        if recipe.discriminator is not None and recipe.discriminator.family == "dcgan":
            raise UserError(f"{recipe.name}: a discriminator of family dcgan halves images, and a point is one pixel")

    def batches(self, recipe: Recipe, seed: int) -> Batches:
        """Return points drawn with the seed, in a fresh order every epoch."""
        return batches_of(self.mixture.points(self.count, seed), recipe, seed, "shuffled")

    def figures(self, samples: Tensor) -> Figures:
        """Count modes by the points of high quality alone, as Lin et al. 2018 do.

        ``high_quality`` is their share in percent. ``std_ratio`` is their standard deviation within modes, around the
        mean of each mode, over that of real points of high quality: 1 is ideal, below 1 the modes are too narrow.
        """
        points = samples.flatten(1).double()
        modes, distances = self.mixture.nearest(points)
        good = distances <= WITHIN
        coverage = mode_coverage(torch.where(good, modes, -1), self.modes)
        return {
            "modes": coverage.modes,
            "high_quality": 100 * float(good.double().mean()),
            "reverse_kl": coverage.reverse_kl if coverage.modes else None,
            "std_ratio": self._std_ratio(points[good], modes[good]),
        }

    def figures_of_real(self, count: int, seed: int) -> Figures:
        """Draw from the mixture itself."""
        return self.figures(self.mixture.points(count, seed).points)

    def _std_ratio(self, points: Tensor, modes: Tensor) -> float | None:
        counts = torch.bincount(modes, minlength=self.modes)
        degrees_of_freedom = len(points) - int((counts > 0).sum())
        if degrees_of_freedom < 1:
            return None
        sums = torch.zeros(self.modes, 2, dtype=torch.float64).index_add_(0, modes, points)
        means = sums / counts.clamp_min(1)[:, None]
        std = ((points - means[modes]).square().sum() / (2 * degrees_of_freedom)).sqrt()
        # Variance of a normal distribution in the plane, truncated at t standard deviations:
        # 1 - (t²/2) exp(-t²/2) / (1 - exp(-t²/2)); .949 at t = 3.
        exponent = WITHIN**2 / 2
        truncated_variance = 1 - exponent * np.exp(-exponent) / (1 - np.exp(-exponent))
        return float(std / (self.mixture.std * truncated_variance**0.5))

    def picture(self, samples: Tensor) -> Image.Image:
        """Return samples as black dots on a white square, which reaches 1.3 times as far as the centres."""
        width, reach = 512, 1.3 * float(self.mixture.centres.abs().max())
        pixel_indices = ((samples.flatten(1).double() / reach + 1) * (width / 2)).floor().long()
        inside = ((pixel_indices >= 0) & (pixel_indices < width)).all(1)
        pixels = np.full((width, width), 255, np.uint8)
        x, y = pixel_indices[inside].numpy().T
        pixels[width - 1 - y, x] = 0
        return Image.fromarray(pixels)

    def identity(self) -> dict[str, Any]:
        """The mixture and the number of points."""
        return {"data": self.mixture.name, "modes": self.modes, "std": self.mixture.std, "points": self.count}


@dataclass(frozen=True)
class StackedDigits(Problem):
    """Stacked MNIST: 1,000 modes, the three-digit numbers that the judge of digits reads from the three colours.

    ``images``: "train" takes the 60,000 training digits, "all" also the 10,000 of the test split. ``kept``: the number
    of stacks that are drawn once and used in a fixed order; None draws new stacks for every batch.
    """

    images: Literal["train", "all"]
    kept: int | None
    shape = (3, 28, 28)
    modes = 1000

    @cached_property
    def _stacks(self) -> Stacks:
        splits = load("mnist", images="all")
        return Stacks(splits.train if self.images == "train" else splits.train.concat(splits.test))

    def refuse(self, recipe: Recipe) -> None:
        """Refuse conditional recipes and recipes without a discriminator: stacks are used without labels."""
        if recipe.uses_classes or recipe.generator.output == "linear" or recipe.discriminator is None:
            raise UserError(
                f"{recipe.name} cannot draw stacked digits: take an unconditional GAN for pictures, such as dcgan"
            )

    def batches(self, recipe: Recipe, seed: int) -> Batches:
        """Return stacks that are drawn once, in fixed order, or new stacks for every batch."""
        if self.kept:
            return batches_of(self._stacks.some(self.kept, seed), recipe, seed, "fixed")
        return batches_of(self._stacks, recipe, seed, "drawn")

    def figures(self, samples: Tensor) -> Figures:
        """Count the modes that the judge reads at least once in N samples, and their reverse KL to even shares.

        Both are repeated with every colour stretched to full contrast (`stretched`): the judge reads faint digits as
        one and the same class, which looks like mode collapse but is not.
        """
        digits = samples.flatten(0, 1)[:, None]
        classes = (load_judge().look(images).classes.unflatten(0, (-1, 3)) for images in _plain_and_stretched(digits))
        return self._figures(*map(mode_number, classes))

    def figures_of_real(self, count: int, seed: int) -> Figures:
        """Measure stacks of real digits; the judge reads each digit of the pool only once, with the same result."""
        digits = self._stacks.digits
        return self._figures(
            *(Stacks(replace(digits, labels=labels)).some(count, seed).labels for labels in self._readings)
        )

    @cached_property
    def _readings(self) -> list[Tensor]:
        """The judge's class of every digit, as it is and at full contrast."""
        return [load_judge().look(images).classes for images in _plain_and_stretched(self._stacks.digits.images)]

    def _figures(self, plain: Tensor, full: Tensor) -> Figures:
        """Return the metrics of the numbers [N] read from stacks as they are, and at full contrast."""
        coverage, full_coverage = (mode_coverage(numbers, self.modes) for numbers in (plain, full))
        return {
            "modes": coverage.modes,
            "reverse_kl": coverage.reverse_kl,
            f"modes{FULL}": full_coverage.modes,
            f"reverse_kl{FULL}": full_coverage.reverse_kl,
        }

    def identity(self) -> dict[str, Any]:
        """The digits, how they are stacked, and the judge."""
        digits = self._stacks.digits
        return {"data": digits.name, "fingerprint": digits.fingerprint, "kept": self.kept, "judge": load_judge().hash}


def _plain_and_stretched(digits: Tensor) -> list[Tensor]:
    return [digits, torch.cat([stretched(block) for block in digits.split(BLOCK)])]


def stretched(images: Tensor) -> Tensor:
    """Return uint8 images [N, 1, H, W] at full contrast: the median becomes 0, the 99th percentile 255."""
    levels = images.flatten(1).float()
    low = levels.median(1, keepdim=True).values
    high = levels.kthvalue(math.ceil(0.99 * levels.shape[1]), 1, keepdim=True).values
    scaled = ((levels - low) / (high - low).clamp_min(1)).clamp(0, 1) * 255
    return scaled.round().to(torch.uint8).view_as(images)


def batches_of(source: Source, recipe: Recipe, seed: int, order: Order) -> Batches:
    """Return a stream of a problem's examples, without labels."""
    return Batches(
        source,
        recipe.batch_size,
        recipe.pixel_range,
        seed=seed,
        labels=False,
        device=torch.device(recipe.run.device),
        dtype=DTYPES[recipe.run.precision],
        order=order,
    )
