"""Where techniques are tried: three data sets, each with the base that all changes are made to and its figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from ganforge.benchmarks.problems import WITHIN, Figures, Points, Problem, batches_of
from ganforge.benchmarks.protocols import BenchmarkSpec
from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet, Splits
from ganforge.data.load import load
from ganforge.data.splits import shuffled
from ganforge.data.synthetic import ring
from ganforge.errors import UserError
from ganforge.evaluation.evaluator import random_subset
from ganforge.evaluation.features import FeatureExtractor, Features
from ganforge.evaluation.metric_table import compute_metrics, copying_figures
from ganforge.evaluation.protocol import VERSION
from ganforge.judge.shipped import load_judge
from ganforge.recipes.recipe import Recipe
from ganforge.sampling import image_grid


@dataclass(frozen=True)
class Ring(Points):
    """Points, with one figure more that no generator can please by a part of the task.

    ``misplaced``: the share of the samples, in percent, that would have to move to another mode, or into one, for
    every mode to have what it has of real points: the total variation distance of the two histograms over the modes
    and "no mode". A single mode hit perfectly has 87; all modes hit evenly, by a tenth of the samples, have 89.
    """

    def figures(self, samples: Tensor) -> Figures:
        """Measure as the benchmark does, and count what is misplaced."""
        modes, distances = self.mixture.nearest(samples.flatten(1))
        cells = torch.where(distances <= WITHIN, modes, self.modes)
        shares = torch.bincount(cells, minlength=self.modes + 1).double() / len(cells)
        good = 1 - float(torch.exp(torch.tensor(-(WITHIN**2) / 2, dtype=torch.float64)))
        real = torch.tensor([good / self.modes] * self.modes + [1 - good], dtype=torch.float64)
        return {"misplaced": 50 * float((shares - real).abs().sum()), **super().figures(samples)}


@dataclass(frozen=True)
class Digits(Problem):
    """Draw MNIST's digits, after all of its training images or so many of them by lot; nothing is asked for by class.

    Measured on the judge's features beside validation images: the test images are left for final claims.
    """

    few: int | None = None
    shape = (1, 28, 28)

    @property
    def modes(self) -> int:
        """Ten digits."""
        return 10

    @cached_property
    def _splits(self) -> Splits:
        return load("mnist")

    @cached_property
    def _lot(self) -> Tensor:
        return shuffled(len(self._splits.train), "techniques")

    @cached_property
    def _shown(self) -> ImageSet:
        """What the discriminator is shown."""
        train = self._splits.train
        return train if self.few is None else train.select(self._lot[: self.few], f"{train.name}-{self.few}")

    @cached_property
    def _eye(self) -> FeatureExtractor:
        return FeatureExtractor(load_judge())

    @cached_property
    def _real(self) -> Features:
        validation = self._splits.validation
        return self._eye.look(random_subset(validation, len(validation), "reals").images)

    @cached_property
    def _known(self) -> Tensor:
        return self._eye.look(self._shown.images).features

    def refuse(self, recipe: Recipe) -> None:
        """Digits are shown without their labels."""
        if recipe.uses_classes or recipe.generator.output == "linear":
            raise UserError(f"{recipe.name}: takes an unconditional recipe for pictures, such as vanilla")

    def batches(self, recipe: Recipe, seed: int) -> Batches:
        """The training images, in a fresh order every epoch."""
        return batches_of(self._shown, recipe, seed, "shuffled")

    def figures(self, samples: Tensor) -> Figures:
        """Hold fakes, no more than there are validation images, against as many of these (docs/measuring.md).

        With ``few``: copying too, as the chance that a fake lies nearer to one of these than a validation image does.
        """
        real, fake = self._real[torch.arange(len(samples))], self._eye.look(samples)
        values = compute_metrics(real, fake, len(self._eye.class_names))
        found: Figures = {
            name: values[name] for name in ("frechet_distance", "recall", "coverage", "class_spread", "classes_present")
        }
        if self.few is not None:
            found["copying"] = copying_figures(self._known, real.features, fake.features)["copying"][0]
        return {name: None if value is None or value != value else value for name, value in found.items()}

    def figures_of_real(self, count: int, seed: int) -> Figures:
        """Put other training images in the place of the fakes: none that the discriminator is shown of a few."""
        return self.figures(self._splits.train.gather(self._lot[len(self._lot) - count :]))

    def floor(self, count: int) -> Figures:
        """One draw: its images are many, and always the same."""
        return self.figures_of_real(count, 0)

    def picture(self, samples: Tensor) -> Image.Image:
        """A hundred of them."""
        return image_grid(samples[:100], 10)

    def identity(self) -> dict[str, Any]:
        """The images, the judge, and the version of the figures."""
        known = {"data": self._shown.name, "fingerprint": self._shown.fingerprint, "judge": load_judge().hash}
        return known | {"version": VERSION}


@dataclass(frozen=True)
class AblationSetup:
    """A data set with the base.

    Attributes:
        data: what the command line calls it.
        protocol: problem, the base's recipe and length, the number of samples.
        changes: to that recipe, to make it the base.
        better: where each figure should be (``Kind.better``), in the order of the columns; by the first one it is
            decided whether a technique helps.
    """

    data: str
    protocol: BenchmarkSpec
    changes: tuple[str, ...]
    better: Mapping[str, str]

    @property
    def primary_metric(self) -> str:
        """The figure that decides: one, told beforehand, for with many figures something always helps."""
        return next(iter(self.better))


POINTS = {"misplaced": "low", "modes": "high", "high_quality": "high", "reverse_kl": "low", "std_ratio": "1"}
PICTURES = {
    "frechet_distance": "low",
    "recall": "high",
    "coverage": "high",
    "class_spread": "1",
    "classes_present": "high",
}
COPIES = {"copying": "half"}
SEEDS = 3


class Base(NamedTuple):
    """What all changes are made to."""

    recipe: str
    changes: tuple[str, ...]
    steps: int


def _arena(
    data: str, about: str, problem: Problem, base: Base, samples: int, better: Mapping[str, str]
) -> AblationSetup:
    quick = max(1, base.steps // 20)
    name = f"techniques on {data}"
    protocol = BenchmarkSpec(name, about, problem, base.recipe, base.steps, SEEDS, samples, 0, quick, published={})
    return AblationSetup(data, protocol, base.changes, better)


# Small nets, so that hundreds of runs take hours and not weeks, at lengths that take them near to where they will come.
ON_POINTS = Base(
    "gan-2d",
    (
        "generator.hidden=[128,128]",
        "generator.batch_norm=false",
        "generator.init.scheme=glorot-uniform",
        "discriminator.hidden=[128,128]",
        "discriminator.deep_without_batch_norm=false",
        "discriminator.init.scheme=glorot-uniform",
        "generator_lr=3e-4",
        "discriminator_lr=3e-4",
    ),
    4_000,
)
ON_PICTURES = Base(
    "forge-1-unconditional",
    (
        "generator.filters=16",
        "discriminator.filters=12",
        "batch_size=32",
        "penalties={}",
        "ema_half_life=0",
        "ema_ramp=0",
        "lr_decay_start=0",
        "precision=fp32",
    ),
    3_000,
)

ABLATION_SETUPS = {
    arena.data: arena
    for arena in (
        _arena("ring", "8 normal distributions on a circle", Ring(ring()), ON_POINTS, 10_000, POINTS),
        _arena("mnist", "MNIST's 55,000 training images", Digits(), ON_PICTURES, 5_000, PICTURES),
        _arena("mnist-500", "500 of MNIST's training images", Digits(500), ON_PICTURES, 5_000, {**PICTURES, **COPIES}),
    )
}
"""The data sets by name."""
