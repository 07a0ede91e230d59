"""The engine that measures: sets of fakes against the same real images, with reference values."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from ganforge.data.images import ImageSet, Splits
from ganforge.errors import UserError
from ganforge.evaluation.class_metrics import class_rows
from ganforge.evaluation.downstream import downstream_accuracy
from ganforge.evaluation.features import FeatureExtractor, Features, kept_features
from ganforge.evaluation.label_swap import label_swap
from ganforge.evaluation.metric_table import (
    METRICS,
    Estimates,
    MetricValue,
    Values,
    compute_metrics,
    copying_metrics,
    metrics_with_intervals,
)
from ganforge.evaluation.protocol import Protocol
from ganforge.evaluation.result import Evaluation
from ganforge.evaluation.told_apart import told_apart
from ganforge.evaluation.translation import DRAWS, measure_results, results
from ganforge.evaluation.verdict_measurement import measurement
from ganforge.files import cache_folder, read_cached, write_cached
from ganforge.generation.generator import Generator
from ganforge.generation.grids import image_grid, png
from ganforge.judge.judge import OnProgress
from ganforge.metrics.measurement import Measurement
from ganforge.metrics.memorisation import nearest_distances
from ganforge.randomness import random_generator
from ganforge.runs.log import fitting

NEAREST = 10
"""Number of fakes in the image of suspected copies."""

REFERENCE_SETS = 4
"""Sets of n images for the reference values: unseen reals, and three kinds of worst-case fakes."""


Kind = Literal["quick", "slow", "translation"]
"""Metrics of an evaluation: those without training, those that train on fakes and on reals, those that tell apart."""


@dataclass(frozen=True)
class ReferenceValues:
    """Metrics by name of other sets in the place of the fakes.

    Attributes:
        real_reference: of other reals, as a perfect generator would reach.
        worst_case: of the worst possible fakes, which ``MetricSpec.worst_case`` names.
    """

    real_reference: Values
    worst_case: Values


class Evaluator:
    """Measures sets of fakes against the same real images.

    It owns the features of the real images, the reference values and their caches; the metrics are functions of these
    features. `compute` gives the values alone, `measure` what a verdict needs, `evaluate` all metrics with intervals
    and reference values.

    Args:
        extractor: the feature extractor.
        splits: the data. Fakes are compared with its ``split``, and with the training images to find copies.
        split: ``test`` or ``validation``.
        n: number of fakes, of reals, and of other reals.
        reals: the images to compare with, which the protocol then names; unless given, n images of the split.
        others: other reals, which take the place of the fakes; unless given, n training images.
        on_progress: called with the number of images just processed.
        on_reference: the same for the reference values, about ``REFERENCE_SETS`` · n images; unless given, on_progress.
        on_translation: the same for the results of an image-to-image generator.
        say: called with a sentence before each slow step.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        splits: Splits,
        split: str,
        n: int,
        *,
        reals: ImageSet | None = None,
        others: ImageSet | None = None,
        on_progress: OnProgress | None = None,
        on_reference: OnProgress | None = None,
        on_translation: OnProgress | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        whole_split, self._unseen = (
            (splits.test, splits.validation) if split == "test" else (splits.validation, splits.test)
        )
        self.extractor, self._splits, self._on_progress, self._say = extractor, splits, on_progress, say
        self._on_reference, self._on_translation = on_reference or on_progress, on_translation
        fingerprint = (whole_split if reals is None else reals).fingerprint
        self.protocol = Protocol(extractor.name, extractor.hash, splits.train.name, fingerprint, split, n)
        self.reals = random_subset(whole_split, n, "reals") if reals is None else reals
        self.others = other_reals(splits.train, n) if others is None else others
        self._real = extractor.look_at_set(self.reals, on_progress)
        self._other = extractor.look_at_set(self.others, on_progress)

    def compute(self, fakes: ImageSet) -> Values:
        """Return the metrics that need only the fakes and as many reals, by name; NaN where one is undefined."""
        return self._compare(self._extract(fakes))

    @cached_property
    def real_reference(self) -> Values:
        """The metrics of `compute` for other reals in the place of the fakes."""
        return self._compare(self._other)

    def measure(self, fakes: ImageSet) -> Measurement:
        """Return the measurement of a verdict, which needs a judge.

        Raises:
            UserError: images of another type or shape, or fewer than two fakes or reals.
        """
        if len(fakes) < 2 or len(self.reals) < 2:
            raise UserError(f"{len(fakes)} fakes and {len(self.reals)} reals: a measurement needs at least two of each")
        assert self.extractor.judge is not None
        return measurement(self.extractor.judge, self._real, self._extract(fakes), self._other)

    def evaluate(
        self, fakes: ImageSet, what: str, generator: Generator | None = None, slow: bool = False, seed: int = 0
    ) -> Evaluation:
        """Compute all metrics of n fakes, with reference values.

        Args:
            fakes: the fakes; of an image-to-image generator, the first results for the conditions of the reals.
            what: the source of the fakes.
            generator: their generator: the label swap and the metrics of image-to-image generators need it.
            slow: also train classifiers: on fakes and on reals, or, for an image-to-image generator, on both together.
            seed: of the generator's noise.
        """
        fake = self._extract(fakes)
        estimates = metrics_with_intervals(self._real, fake, len(self.extractor.class_names))
        estimates |= copying_metrics(self._train, self._real.features, fake.features)
        if generator is not None and generator.class_names and self.extractor.class_names:
            estimates |= label_swap(generator, self.extractor, self._on_progress)
        kind: Kind = "quick"
        if generator is not None and generator.recipe.pairs:
            kind = "translation" if slow else "quick"
            estimates |= self.translation(generator, slow=slow, seed=seed)[1]
        elif slow and fakes.labelled and self.reals.labelled:
            kind = "slow"
            self._say("training one small classifier on fakes and one on reals ...")
            estimates["train_on_generated"] = downstream_accuracy(fakes, self.reals)
            estimates["test_on_generated"] = downstream_accuracy(self.others, fakes)
        rows = class_rows(self._real, fake, self._other, self.extractor.class_names)
        note = generator.note if generator else {}
        notes = (self.extractor.note,) if self.extractor.note else ()
        return Evaluation(
            what, self.protocol, self._with_references(estimates, kind), rows, note.get("step"), note.get("seed"), notes
        )

    def translation(
        self, generator: Generator, *, slow: bool = True, seed: int = 0, on_progress: OnProgress | None = None
    ) -> tuple[Tensor, Estimates]:
        """Return the results of an image-to-image generator for the reals' conditions, and their own metrics.

        With ``slow`` also the share that classifiers tell from real pictures. Results: uint8 [DRAWS, n, C, H, W].
        ``on_progress``: as ``on_translation``, for this call.
        """
        on_progress = on_progress or self._on_translation
        self._say(f"drawing {DRAWS} results for each of {len(self.reals):,} conditions ...")
        judge = self.extractor.judge
        read = None if judge is None else lambda pictures: judge.look(pictures).classes
        draws, estimates = measure_results(generator, self.reals, seed=seed, read=read, on_progress=on_progress)
        if slow:
            self._say("training classifiers that tell results from real pictures ...")
            estimates["told_apart"] = told_apart(self.reals.images, draws[0], on_progress)
        return draws, estimates

    def nearest(self, fakes: ImageSet) -> bytes:
        """Return a PNG of the fakes nearest to a training image, each above that image."""
        distances, rows = nearest_distances(self._extract(fakes).features, self._train)
        closest = distances.argsort()[:NEAREST]
        pairs = torch.cat([fakes.images[closest], self._splits.train.gather(torch.from_numpy(rows[closest]))])
        return png(
            image_grid(pairs, NEAREST, caption="above: the fakes nearest to a training image, below: that image")
        )

    @cached_property
    def _train(self) -> Tensor:
        """Features [N, F] of all training images."""
        return kept_features(self.extractor, self._splits.train, self._on_progress)

    def _extract(self, images: ImageSet, on_progress: OnProgress | None = None) -> Features:
        labels = self.extractor.numbered(images) if images.labelled else None
        return self.extractor.look(images.images, labels, on_progress or self._on_progress)

    def _compare(self, fake: Features) -> Values:
        return compute_metrics(self._real, fake, len(self.extractor.class_names))

    def _with_references(self, estimates: Estimates, kind: Kind) -> tuple[MetricValue, ...]:
        """Return the metrics in the order of the table, with their reference values."""
        references = self._cached_references(kind)
        return tuple(
            MetricValue(
                name,
                *estimates[name],
                references.real_reference.get(name),
                references.worst_case.get(name),
                self.protocol.n,
            )
            for name in METRICS
            if name in estimates
        )

    def _cached_references(self, kind: Kind) -> ReferenceValues:
        """Return the reference values, from the cache folder if it has them."""
        file = cache_folder() / "evaluation" / f"{self.protocol.id}-{kind}.json"
        if cached := fitting(ReferenceValues, read_cached(file)):
            return cached
        self._say("measuring real images and hopeless fakes for reference (kept in the cache) ...")
        references = self._compute_references(kind)
        write_cached(file, asdict(references))
        return references

    def _compute_references(self, kind: Kind) -> ReferenceValues:
        """Compute the metrics of other reals and of worst-case fakes in the place of the fakes."""
        # not the other reals: these are training images, hence exact copies
        unseen = random_subset(self._unseen, min(self.protocol.n, len(self._unseen)), "unseen")
        real_reference = self.real_reference | self._copying_values(self._extract(unseen, self._on_reference))
        worst_case: Values = {}
        for name, images in self._worst_case_fakes().items():
            features = self._extract(images, self._on_reference)
            values = self._compare(features)
            if name == "training images":
                values |= self._copying_values(features)
            if kind == "slow" and name == "noise":
                values["train_on_generated"] = downstream_accuracy(images, self.reals)[0]
                values["test_on_generated"] = downstream_accuracy(self.others, images)[0]
            worst_case |= {metric: value for metric, value in values.items() if METRICS[metric].worst_case == name}
        if kind == "translation":
            real_reference["told_apart"] = told_apart(self.reals.images, self.others.images, self._on_reference)[0]
        if kind == "slow":
            real_reference["train_on_generated"] = downstream_accuracy(self.others, self.reals)[0]
            real_reference["test_on_generated"] = downstream_accuracy(self.others, unseen)[0]
        return ReferenceValues(_finite(real_reference), _finite(worst_case))

    def _copying_values(self, fake: Features) -> Values:
        estimates = copying_metrics(self._train, self._real.features, fake.features)
        return {name: value for name, (value, _) in estimates.items()}

    def _worst_case_fakes(self) -> dict[str, ImageSet]:
        """Return uniform noise, one training image of each class repeated, and training images."""
        others, n = self.others, self.protocol.n
        noise = torch.randint(
            256, others.images.shape, dtype=torch.uint8, generator=random_generator("evaluate", "bad")
        )
        labels = others.labels
        first_of_class = torch.stack([(labels == label).nonzero()[0, 0] for label in labels.unique()])
        return {
            "noise": ImageSet(noise, labels, others.class_names, "noise"),
            "one picture of each class": others.select(first_of_class[torch.arange(n) % len(first_of_class)]),
            "training images": others,
        }


def _finite(values: Values) -> Values:
    return {name: value for name, value in values.items() if math.isfinite(value)}


def other_reals(images: ImageSet, count: int) -> ImageSet:
    """Return ``count`` images of a fixed permutation as other reals; the first images may all be of one class."""
    permutation = torch.randperm(len(images), generator=random_generator("judge", "floor"))[:count]
    return images.select(permutation)


def random_subset(images: ImageSet, count: int, name: str) -> ImageSet:
    """Return ``count`` images of a fixed permutation; the first images of a folder may all be of one class."""
    if count == len(images):
        return images
    permutation = torch.randperm(len(images), generator=random_generator("evaluate", name))[:count]
    return images.select(permutation)


def generate_images(generator: Generator, reals: ImageSet, count: int, seed: int) -> ImageSet:
    """Return ``count`` fakes whose labels cycle through the classes.

    An image-to-image generator gets the conditions of ``reals``, the first ``count`` of them; a result has the label of
    its true picture.
    """
    if generator.recipe.pairs:
        return results(generator, reals.select(slice(0, count)), seed=seed)
    names = generator.class_names
    labels = torch.arange(count) % len(names) if names else torch.full((count,), -1)
    images = generator.sample_classes(count, labels if names else None, seed=seed)
    return ImageSet(images, labels, names, "fakes")
