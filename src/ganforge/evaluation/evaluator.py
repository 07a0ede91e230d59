"""All metrics of one set of fakes under one protocol, with their reference values."""

import math
from collections.abc import Callable

import torch

from ganforge.data.images import ImageSet, Splits
from ganforge.errors import RunFailed
from ganforge.evaluation.downstream import downstream_accuracy
from ganforge.evaluation.features import FeatureExtractor, Features, kept_features
from ganforge.evaluation.label_swap import label_swap
from ganforge.evaluation.metric_table import (
    METRICS,
    Estimates,
    Figure,
    class_metrics,
    compute_metrics,
    copying_figures,
    metrics_with_intervals,
)
from ganforge.evaluation.protocol import Protocol
from ganforge.evaluation.result import Evaluation
from ganforge.files import cache_folder, write_atomically
from ganforge.generation.generator import Generator
from ganforge.generation.grids import image_grid, png
from ganforge.json_text import parse_json, to_json
from ganforge.judge.judge import Report
from ganforge.judge.measure import other_reals
from ganforge.metrics.memorisation import nearest_distances
from ganforge.randomness import random_generator

NEAREST = 10
"""Number of fakes in the image of suspected copies."""


class Evaluator:
    """Measures sets of fakes against the same real images, under one protocol.

    Args:
        extractor: the feature extractor.
        splits: the data. Fakes are compared with its ``split``, and with the training images to find copies.
        split: ``test`` or ``validation``.
        n: number of fakes, and of reals.
        report: called with the number of images just processed.
        say: called with a sentence before each slow step.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        splits: Splits,
        split: str,
        n: int,
        report: Report | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        reals = splits.test if split == "test" else splits.validation
        self.extractor, self._splits, self._report, self._say = extractor, splits, report, say
        self.protocol = Protocol(extractor.name, extractor.hash, splits.train.name, reals.fingerprint, split, n)
        self._reals = random_subset(reals, n, "reals")
        self._others = other_reals(splits.train, n)  # the same images as in the verdict, for one floor
        unseen = splits.validation if split == "test" else splits.test
        self._unseen = random_subset(unseen, min(n, len(unseen)), "unseen")
        self._real, self._floor = (extractor.look_at_set(images, report) for images in (self._reals, self._others))
        self._train = kept_features(extractor, splits.train, report)

    def measure(self, fakes: ImageSet, what: str, generator: Generator | None = None, slow: bool = False) -> Evaluation:
        """Compute all metrics of n fakes; the label swap only with their conditional generator."""
        fake = self._extract(fakes)
        metrics = metrics_with_intervals(self._real, fake, len(self.extractor.class_names))
        metrics |= copying_figures(self._train, self._real.features, fake.features)
        if generator is not None and generator.class_names and self.extractor.class_names:
            metrics |= label_swap(generator, self.extractor, self._report)
        slow = slow and fakes.labelled and self._reals.labelled
        if slow:
            self._say("training one small classifier on fakes and one on reals ...")
            metrics["train_on_generated"] = downstream_accuracy(fakes, self._reals)
            metrics["test_on_generated"] = downstream_accuracy(self._others, fakes)
        references = self._cached_references(slow)
        figures = [
            Figure(name, value, interval, references.get(name), references.get(f"bad {name}"), self.protocol.n)
            for name, (value, interval) in sorted(metrics.items(), key=lambda item: list(METRICS).index(item[0]))
        ]
        rows = class_metrics(self._real, fake, self._floor, self.extractor.class_names)
        note = generator.note if generator else {}
        notes = (self.extractor.note,) if self.extractor.note else ()
        return Evaluation(what, self.protocol, tuple(figures), rows, note.get("step"), note.get("seed"), notes)

    def nearest(self, fakes: ImageSet) -> bytes:
        """Return a PNG of the fakes nearest to a training image, each above that image."""
        distances, rows = nearest_distances(self._extract(fakes).features, self._train)
        closest = distances.argsort()[:NEAREST]
        pairs = torch.cat([fakes.images[closest], self._splits.train.gather(torch.from_numpy(rows[closest]))])
        return png(
            image_grid(pairs, NEAREST, caption="above: the fakes nearest to a training image, below: that image")
        )

    def _extract(self, images: ImageSet) -> Features:
        return self.extractor.look(
            images.images, self.extractor.numbered(images) if images.labelled else None, self._report
        )

    def _cached_references(self, slow: bool) -> dict[str, float]:
        """Return the floors by name and the ceilings by "bad" and name, from the cache folder if it has them."""
        file = cache_folder() / "evaluation" / f"{self.protocol.id}-{'slow' if slow else 'quick'}.json"
        try:
            return dict(parse_json(file.read_bytes()))
        except (OSError, ValueError):
            self._say("measuring real images and hopeless fakes for reference (kept in the cache) ...")
            references = self._compute_references(slow)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, to_json(references).encode())
        except (OSError, RunFailed):
            pass  # without a cache the values are computed again next time
        return references

    def _compute_references(self, slow: bool) -> dict[str, float]:
        """Compute the metrics of other reals, then of worst-case fakes, instead of the fakes."""
        classes = len(self.extractor.class_names)
        references = compute_metrics(self._real, self._floor, classes)
        unseen_features = self._extract(self._unseen)  # not `_others`: these are training images, hence exact copies
        references |= _values(copying_figures(self._train, self._real.features, unseen_features.features))
        for bad, images in self._worst_case_fakes().items():
            features = self._extract(images)
            values = compute_metrics(self._real, features, classes)
            if bad == "training images":
                values |= _values(copying_figures(self._train, self._real.features, features.features))
            if slow and bad == "noise":
                values["train_on_generated"] = downstream_accuracy(images, self._reals)[0]
                values["test_on_generated"] = downstream_accuracy(self._others, images)[0]
            references |= {f"bad {name}": value for name, value in values.items() if METRICS[name].bad == bad}
        if slow:
            references["train_on_generated"] = downstream_accuracy(self._others, self._reals)[0]
            references["test_on_generated"] = downstream_accuracy(self._others, self._unseen)[0]
        return {name: value for name, value in references.items() if math.isfinite(value)}

    def _worst_case_fakes(self) -> dict[str, ImageSet]:
        """Return uniform noise, one training image of each class repeated, and training images."""
        others, n = self._others, self.protocol.n
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


def _values(metrics: Estimates) -> dict[str, float]:
    return {name: value for name, (value, _) in metrics.items()}


def random_subset(images: ImageSet, count: int, name: str) -> ImageSet:
    """Return ``count`` images of a fixed permutation; the first images of a folder may all be of one class."""
    if count == len(images):
        return images
    permutation = torch.randperm(len(images), generator=random_generator("evaluate", name))[:count]
    return images.select(permutation)


def generate_images(generator: Generator, count: int, seed: int) -> ImageSet:
    """Return ``count`` fakes whose labels cycle through the classes."""
    names = generator.class_names
    labels = torch.arange(count) % len(names) if names else torch.full((count,), -1)
    images = generator.sample_classes(count, labels if names else None, seed=seed)
    return ImageSet(images, labels, names, "fakes")
