"""The setups of the ablations: three data sets, each with its base recipe and its metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
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
from ganforge.evaluation.metric_table import compute_metrics, copying_metrics
from ganforge.evaluation.protocol import VERSION
from ganforge.judge.shipped import load_judge
from ganforge.recipes.recipe import Recipe


@dataclass(frozen=True)
class Ring(Points):
    """Points with one more metric, which a generator cannot satisfy by a part of the task.

    ``misplaced``: the total variation distance, in percent, between the histograms of samples and real points over the
    modes and "no mode", i.e. the share of samples that would have to move. One mode hit perfectly gives 87; all modes
    hit evenly, by a tenth of the samples, give 89.
    """

    def figures(self, samples: Tensor) -> Figures:
        """Return the benchmark's metrics and ``misplaced``."""
        modes, distances = self.mixture.nearest(samples.flatten(1))
        cells = torch.where(distances <= WITHIN, modes, self.modes)
        shares = torch.bincount(cells, minlength=self.modes + 1).double() / len(cells)
        good = 1 - float(torch.exp(torch.tensor(-(WITHIN**2) / 2, dtype=torch.float64)))
        real = torch.tensor([good / self.modes] * self.modes + [1 - good], dtype=torch.float64)
        return {"misplaced": 50 * float((shares - real).abs().sum()), **super().figures(samples)}


@dataclass(frozen=True)
class Digits(Problem):
    """Unconditional MNIST digits, learned from all training images or from a random subset of ``few``.

    Metrics use the judge's features and the validation images: the test images are reserved for final claims.
    """

    few: int | None = None
    shape = (1, 28, 28)
    modes = 10

    @cached_property
    def _splits(self) -> Splits:
        return load("mnist")

    @cached_property
    def _permutation(self) -> Tensor:
        return shuffled(len(self._splits.train), "techniques")

    @cached_property
    def _training_images(self) -> ImageSet:
        train = self._splits.train
        return train if self.few is None else train.select(self._permutation[: self.few], f"{train.name}-{self.few}")

    @cached_property
    def _extractor(self) -> FeatureExtractor:
        return FeatureExtractor(load_judge())

    @cached_property
    def _real(self) -> Features:
        validation = self._splits.validation
        return self._extractor.look(random_subset(validation, len(validation), "reals").images)

    @cached_property
    def _training_features(self) -> Tensor:
        return self._extractor.look(self._training_images.images).features

    def refuse(self, recipe: Recipe) -> None:
        """Refuse conditional recipes and recipes for points: the digits are used without labels."""
        if recipe.uses_classes or recipe.generator.output == "linear":
            raise UserError(f"{recipe.name}: take an unconditional recipe for pictures, such as vanilla")

    def batches(self, recipe: Recipe, seed: int) -> Batches:
        """Return the training images, in a fresh order every epoch."""
        return batches_of(self._training_images, recipe, seed, "shuffled")

    def figures(self, samples: Tensor) -> Figures:
        """Compare fakes with equally many validation images (docs/measuring.md); there must be enough of these.

        With ``few``, also ``copying``: the probability that a fake is nearer to a training image than a validation
        image is.
        """
        real, fake = self._real[torch.arange(len(samples))], self._extractor.look(samples)
        values = compute_metrics(real, fake, len(self._extractor.class_names))
        figures: Figures = {
            name: values[name] for name in ("frechet_distance", "recall", "coverage", "class_spread", "classes_present")
        }
        if self.few is not None:
            figures["copying"] = copying_metrics(self._training_features, real.features, fake.features)["copying"][0]
        return {name: None if value is None or value != value else value for name, value in figures.items()}

    def figures_of_real(self, count: int, seed: int) -> Figures:
        """Measure training images in place of fakes; with ``few``, images outside the training subset."""
        return self.figures(self._splits.train.gather(self._permutation[len(self._permutation) - count :]))

    def floor(self, count: int) -> Figures:
        """Return the metrics of a single draw, which is large and always the same."""
        return self.figures_of_real(count, 0)

    def identity(self) -> dict[str, Any]:
        """The images, the judge, and the version of the metrics."""
        identity = {
            "data": self._training_images.name,
            "fingerprint": self._training_images.fingerprint,
            "judge": load_judge().hash,
        }
        return identity | {"version": VERSION}


@dataclass(frozen=True)
class AblationSetup:
    """A data set with its base recipe.

    Attributes:
        data: its name on the command line.
        protocol: problem, recipe and length of the base, number of samples.
        changes: ``field=value`` changes that turn the recipe into the base.
        better: the direction of each metric (`MetricSpec.better`), in the order of the columns; the first metric
            decides whether a technique helps.
    """

    data: str
    protocol: BenchmarkSpec
    changes: tuple[str, ...]
    better: Mapping[str, str]

    @property
    def primary_metric(self) -> str:
        """The metric that decides: a single one, fixed in advance, to avoid multiple comparisons."""
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
    """The base recipe of all rows, its changes and its length."""

    recipe: str
    changes: tuple[str, ...]
    steps: int


def _setup(
    data: str, about: str, problem: Problem, base: Base, samples: int, better: Mapping[str, str]
) -> AblationSetup:
    quick = max(1, base.steps // 20)
    name = f"techniques on {data}"
    protocol = BenchmarkSpec(name, about, problem, base.recipe, base.steps, SEEDS, samples, 0, quick, published={})
    return AblationSetup(data, protocol, base.changes, better)


# Small networks, so that hundreds of runs take hours rather than weeks; the lengths bring them close to convergence.
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
        "averaging.half_life=0",
        "averaging.ramp=0",
        "schedule.lr_decay_start=0",
        "run.precision=fp32",
    ),
    3_000,
)

ABLATION_SETUPS = {
    setup.data: setup
    for setup in (
        _setup("ring", "8 normal distributions on a circle", Ring(ring()), ON_POINTS, 10_000, POINTS),
        _setup("mnist", "MNIST's 55,000 training images", Digits(), ON_PICTURES, 5_000, PICTURES),
        _setup("mnist-500", "500 of MNIST's training images", Digits(500), ON_PICTURES, 5_000, {**PICTURES, **COPIES}),
    )
}
"""The setups by name of the data set."""
