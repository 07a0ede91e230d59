"""What is to be learned, and what is measured of samples: points of a plane, or digits stacked as colours."""

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
from ganforge.judge.shipped import load_judge
from ganforge.metrics.modes import mode_coverage
from ganforge.recipes.recipe import Recipe
from ganforge.sampling import image_grid
from ganforge.training.state import DTYPES

Figures = dict[str, float | None]
"""Figures by name; None where a figure has no meaning, such as the spread of modes that no sample hits."""

FLOOR_DRAWS = 20
FULL = "_full_contrast"
"""Behind the name of a figure of pictures that were stretched to full contrast."""
BLOCK = 5_000
"""Images stretched at once."""
WITHIN = 3.0
"""A point is of high quality where it lies within so many standard deviations of the nearest centre."""


class Problem(ABC):
    """A data set whose modes are known.

    Attributes:
        shape: what the players are built for.
    """

    shape: tuple[int, int, int]

    @property
    @abstractmethod
    def modes(self) -> int:
        """How many there are to be found."""

    @abstractmethod
    def refuse(self, recipe: Recipe) -> None:
        """Raise UserError where a recipe cannot be played here."""

    @abstractmethod
    def batches(self, recipe: Recipe, seed: int) -> Batches:
        """What the discriminator is shown."""

    @abstractmethod
    def figures(self, samples: Tensor) -> Figures:
        """Measure samples: points float [N, 2, 1, 1], or stacks uint8 [N, 3, H, W]."""

    @abstractmethod
    def figures_of_real(self, count: int, seed: int) -> Figures:
        """Measure so many real examples in the same way."""

    def floor(self, count: int) -> Figures:
        """Return what so many real examples have: the best that any generator can, a mean over draws."""
        draws = [self.figures_of_real(count, seed) for seed in range(FLOOR_DRAWS)]
        return {name: sum(draw[name] or 0.0 for draw in draws) / FLOOR_DRAWS for name in draws[0]}

    @abstractmethod
    def picture(self, samples: Tensor) -> Image.Image:
        """Show some samples."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What the figures depend on besides samples: two results with another identity do not compare."""


@dataclass(frozen=True)
class Points(Problem):
    """Find the centres of a mixture, after so many points that are drawn once."""

    mixture: Mixture
    count: int = 100_000
    shape = (2, 1, 1)

    @property
    def modes(self) -> int:
        """One for each centre."""
        return len(self.mixture.centres)

    def refuse(self, recipe: Recipe) -> None:
        """Points lie anywhere in the plane, and have no class."""
        if recipe.uses_classes or recipe.generator.output != "linear":
            raise UserError(
                f"{recipe.name} cannot draw the points of {self.mixture.name}: it takes an unconditional recipe with "
                'generator.family = "mlp" and generator.output = "linear", such as gan-2d'
            )
        if recipe.discriminator is not None and recipe.discriminator.family == "dcgan":
            raise UserError(f"{recipe.name}: a discriminator of family dcgan halves images, and a point is one pixel")

    def batches(self, recipe: Recipe, seed: int) -> Batches:
        """Points drawn with the seed, in a fresh order every epoch."""
        return batches_of(self.mixture.points(self.count, seed), recipe, seed, "shuffled")

    def figures(self, samples: Tensor) -> Figures:
        """Count as Lin et al. 2018 do, by the points of high quality alone.

        ``high_quality`` is their share in percent. ``std_ratio``: the standard deviation within the modes, around
        each mode's own mean, over what that of real points of high quality is: 1 is right, below 1 is shrunken.
        """
        points = samples.flatten(1).double()
        modes, distances = self.mixture.nearest(points)
        good = distances <= WITHIN
        found = mode_coverage(torch.where(good, modes, -1), self.modes)
        return {
            "modes": found.modes,
            "high_quality": 100 * float(good.double().mean()),
            "reverse_kl": found.reverse_kl if found.modes else None,
            "std_ratio": self._std_ratio(points[good], modes[good]),
        }

    def figures_of_real(self, count: int, seed: int) -> Figures:
        """Draw from the mixture itself."""
        return self.figures(self.mixture.points(count, seed).points)

    def _std_ratio(self, points: Tensor, modes: Tensor) -> float | None:
        counts = torch.bincount(modes, minlength=self.modes)
        free = len(points) - int((counts > 0).sum())
        if free < 1:
            return None
        sums = torch.zeros(self.modes, 2, dtype=torch.float64).index_add_(0, modes, points)
        means = sums / counts.clamp_min(1)[:, None]
        std = ((points - means[modes]).square().sum() / (2 * free)).sqrt()
        # The variance of a plane's normal distribution that is cut at t standard deviations:
        # 1 - (t²/2) exp(-t²/2) / (1 - exp(-t²/2)); .949 at 3.
        half = WITHIN**2 / 2
        cut = 1 - half * np.exp(-half) / (1 - np.exp(-half))
        return float(std / (self.mixture.std * cut**0.5))

    def picture(self, samples: Tensor) -> Image.Image:
        """Samples as black dots on white, a square 1.3 times as wide as the centres lie."""
        side, reach = 512, 1.3 * float(self.mixture.centres.abs().max())
        places = ((samples.flatten(1).double() / reach + 1) * (side / 2)).floor().long()
        inside = ((places >= 0) & (places < side)).all(1)
        pixels = np.full((side, side), 255, np.uint8)
        x, y = places[inside].numpy().T
        pixels[side - 1 - y, x] = 0
        return Image.fromarray(pixels)

    def identity(self) -> dict[str, Any]:
        """The mixture and how many points there are."""
        return {"data": self.mixture.name, "modes": self.modes, "std": self.mixture.std, "points": self.count}


@dataclass(frozen=True)
class StackedDigits(Problem):
    """Find all 1,000 numbers of three digits in stacked MNIST, as the judge of digits reads each colour.

    ``images``: "train" takes the 60,000 training digits, "all" the 10,000 of the test split too. ``kept``: how many
    stacks are drawn once and shown in a fixed order; None draws every batch anew.
    """

    images: Literal["train", "all"]
    kept: int | None
    shape = (3, 28, 28)

    @property
    def modes(self) -> int:
        """Three digits."""
        return 1000

    @cached_property
    def _stacks(self) -> Stacks:
        splits = load("mnist", images="all")
        return Stacks(splits.train if self.images == "train" else splits.train.concat(splits.test))

    def refuse(self, recipe: Recipe) -> None:
        """Stacks are shown without their number."""
        if recipe.uses_classes or recipe.generator.output == "linear" or recipe.discriminator is None:
            raise UserError(
                f"{recipe.name} cannot draw stacked digits: take an unconditional GAN for pictures, such as dcgan"
            )

    def batches(self, recipe: Recipe, seed: int) -> Batches:
        """Stacks that were drawn once, in their order, or every batch anew."""
        if self.kept:
            return batches_of(self._stacks.some(self.kept, seed), recipe, seed, "fixed")
        return batches_of(self._stacks, recipe, seed, "drawn")

    def figures(self, samples: Tensor) -> Figures:
        """Modes that the judge reads at least once, and their reverse KL beside even shares, after N samples.

        Both once more where every colour was stretched to full contrast (`stretched`): a judge that cannot read grey on
        grey calls it all the same digit, which looks like a collapse and is none.
        """
        digits = samples.flatten(0, 1)[:, None]
        read = (load_judge().look(images).classes.unflatten(0, (-1, 3)) for images in _both(digits))
        return self._figures(*map(mode_number, read))

    def figures_of_real(self, count: int, seed: int) -> Figures:
        """Stack digits of the same pool; the judge reads each of them once, which is as good as in every stack."""
        digits = self._stacks.digits
        return self._figures(
            *(Stacks(replace(digits, labels=read)).some(count, seed).labels for read in self._readings)
        )

    @cached_property
    def _readings(self) -> list[Tensor]:
        """What the judge reads from every digit, as it is and at full contrast."""
        return [load_judge().look(images).classes for images in _both(self._stacks.digits.images)]

    def _figures(self, plain: Tensor, full: Tensor) -> Figures:
        """Count the numbers [N] that were read from stacks as they are, and at full contrast."""
        found, at_full = (mode_coverage(numbers, self.modes) for numbers in (plain, full))
        return {
            "modes": found.modes,
            "reverse_kl": found.reverse_kl,
            f"modes{FULL}": at_full.modes,
            f"reverse_kl{FULL}": at_full.reverse_kl,
        }

    def picture(self, samples: Tensor) -> Image.Image:
        """A hundred of them."""
        return image_grid(samples[:100], 10)

    def identity(self) -> dict[str, Any]:
        """The digits, how they are stacked, and the judge."""
        digits = self._stacks.digits
        return {"data": digits.name, "fingerprint": digits.fingerprint, "kept": self.kept, "judge": load_judge().hash}


def _both(digits: Tensor) -> list[Tensor]:
    return [digits, torch.cat([stretched(block) for block in digits.split(BLOCK)])]


def stretched(images: Tensor) -> Tensor:
    """Return uint8 images [N, 1, H, W] at full contrast: their median becomes 0, the level that 1 % exceed 255."""
    levels = images.flatten(1).float()
    low = levels.median(1, keepdim=True).values
    high = levels.kthvalue(math.ceil(0.99 * levels.shape[1]), 1, keepdim=True).values
    found = ((levels - low) / (high - low).clamp_min(1)).clamp(0, 1) * 255
    return found.round().to(torch.uint8).view_as(images)


def batches_of(source: Source, recipe: Recipe, seed: int, order: Order) -> Batches:
    """Make a stream of a problem's examples, without labels."""
    return Batches(
        source,
        recipe.batch_size,
        recipe.pixel_range,
        seed=seed,
        labels=False,
        device=torch.device(recipe.device),
        dtype=DTYPES[recipe.precision],
        order=order,
    )
