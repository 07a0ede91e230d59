"""The figure by which treated runs are compared with the control: what the treated finding rests on, lower is better.

The figure is measured on the same real pictures for every run, once on all and once on each of ten disjoint parts. The
difference of two runs gets its 95 % interval from the differences of their parts (`metrics.intervals`), so that what
the real pictures of a part have in common cancels. The interval covers the choice of pictures, not that of the seed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganforge.data.images import ImageSet, Splits
from ganforge.evaluation.class_metrics import agreement
from ganforge.evaluation.evaluator import generate_images, random_subset
from ganforge.evaluation.examination import Reader
from ganforge.evaluation.features import Features
from ganforge.evaluation.translation import evaluation_pairs
from ganforge.experiment.experiment import Experiment, ProgressListener, count_work
from ganforge.generation.generator import Generator, load_generator
from ganforge.metrics.frechet import frechet_distance
from ganforge.metrics.intervals import SPLITS, Interval, interval_of_splits
from ganforge.metrics.memorisation import closer_probability, nearest_distances, repetition
from ganforge.randomness import random_generator
from ganforge.runs.folder import RunFolder

PICTURES = 2_560
"""Pictures of each run, and real ones: 256 in each of ten parts, the fewest for a Fréchet distance."""
FEWEST_IN_A_PART = 32
"""Smallest part of few real pictures; with fewer than two such parts there is no comparison."""
FEWEST = 320
"""Real pictures below which training images are added: ten of the smallest parts."""
TRAINING_IMAGES = 5_000
"""Training images among which copies are searched."""


Figure = Callable[[Features, Features, Features], float | None]
"""A figure of (real pictures, fakes, training pictures), lower is better; None where it cannot be had."""


@dataclass(frozen=True)
class Measured:
    """The figure of one run: of all pictures, and of each part."""

    value: float
    parts: tuple[float, ...]

    def better_than(self, other: "Measured") -> Interval:
        """Return the 95 % interval of the other run's figure minus this one's: above 0, this one is better."""
        differences = [theirs - ours for ours, theirs in zip(self.parts, other.parts, strict=True)]
        return interval_of_splits(other.value - self.value, differences)


@dataclass(frozen=True)
class Comparison:
    """The figure of several runs.

    Attributes:
        figure: its name in words.
        runs: one for each run, in their order; None where it could not be measured.
    """

    figure: str
    runs: tuple[Measured | None, ...]


def distance(real: Features, fake: Features, train: Features) -> float:
    """Fréchet distance of the features."""
    return frechet_distance(real.features, fake.features)


def not_as_asked(real: Features, fake: Features, train: Features) -> float | None:
    """Share of fakes that do not show the class that was asked for."""
    followed = agreement(fake)
    return None if followed is None else 1 - followed


def copies(real: Features, fake: Features, train: Features) -> float:
    """Probability that a fake is nearer to a training picture than a held-out real is; .5 without copying."""
    distances = [nearest_distances(features.features, train.features)[0] for features in (fake, real)]
    return closer_probability(*distances)


def repeats(real: Features, fake: Features, train: Features) -> float:
    """Probability that a fake is nearer to another fake than a real to another real; .5 without repetition."""
    return repetition(real.features, fake.features)


DISTANCE: tuple[str, Figure] = ("Fréchet distance", distance)
FIGURES: dict[str, tuple[str, Figure]] = {
    "label-ignored": ("share not as asked", not_as_asked),
    "memorising": ("nearer to training pictures than held-out ones are", copies),
    "discriminator-overfits": ("nearer to training pictures than held-out ones are", copies),
    "repetition": ("nearer to each other than real ones are", repeats),
}
"""The figure of each finding; all others rest on the Fréchet distance."""


def compare_runs(
    original: Experiment, reader: Reader, folders: Sequence[RunFolder], treated: str, watcher: ProgressListener
) -> Comparison:
    """Measure the figure of a finding for several runs on the data of one of them, on the same real pictures."""
    words, figure = FIGURES.get(treated, DISTANCE)
    reals = _real_pictures(original.splits, held_out=figure is copies)
    number_of_parts = min(SPLITS, len(reals) // FEWEST_IN_A_PART)
    generators = [load_generator(folder.path) for folder in folders]
    if number_of_parts < 2:
        return Comparison(words, (None,) * len(folders))
    watcher.say(f"comparing {len(reals):,} pictures of each run with as many real ones ...")
    on_progress = count_work(watcher, len(folders) + 1, "comparing the runs", "runs")
    real = reader.look(*_targets(original, reals))
    train = random_subset(original.splits.train, min(TRAINING_IMAGES, len(original.splits.train)), "treatment")
    known = reader.look(*_targets(original, train))
    on_progress(1)
    measured = []
    for generator in generators:
        measured.append(_measure(figure, real, _look(reader, generator, reals), known, number_of_parts))
        on_progress(1)
    if figure is not distance and None in measured:  # a run without labels cannot ignore them
        return compare_runs(original, reader, folders, "", watcher)
    return Comparison(words, tuple(measured))


def _real_pictures(splits: Splits, held_out: bool) -> ImageSet:
    """Return real pictures for the comparison: test images, and where these are few, validation images too.

    Where these are fewer than `FEWEST`, training images are added, unless all must be ``held_out``.
    """
    images = splits.test if len(splits.test) >= PICTURES else splits.test.concat(splits.validation)
    if len(images) < FEWEST and not held_out:
        images = images.concat(splits.train)
    return random_subset(images, min(PICTURES, len(images)), "reals")


def _targets(original: Experiment, images: ImageSet) -> tuple[Tensor, Tensor | None]:
    """Return the pictures that a generator should make, and their labels."""
    rule = original.recipe.pairs
    pictures = evaluation_pairs(rule, images).target if rule else images.images
    return pictures, images.labels if images.labelled else None


def _look(reader: Reader, generator: Generator, reals: ImageSet) -> Features:
    fakes = generate_images(generator, reals, len(reals), seed=0)
    return reader.look(fakes.images, fakes.labels if fakes.labelled else None)


def _measure(figure: Figure, real: Features, fake: Features, train: Features, parts: int) -> Measured | None:
    value = figure(real, fake, train)
    rows = torch.randperm(len(real), generator=random_generator("treatment", len(real))).tensor_split(parts)
    values = [figure(real[part], fake[part], train) for part in rows]
    if value is None or any(one is None for one in values):
        return None
    return Measured(value, tuple(one for one in values if one is not None))
