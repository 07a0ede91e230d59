"""Every figure of one set of fakes, taken under one protocol."""

import math
from collections.abc import Callable

import torch

from ganforge.data.images import ImageSet, Splits
from ganforge.errors import RunFailed
from ganforge.evaluation.downstream import learned
from ganforge.evaluation.features import FeatureExtractor, Features, kept_features
from ganforge.evaluation.label_swap import label_swap
from ganforge.evaluation.metric_table import (
    METRICS,
    Figure,
    Found,
    class_figures,
    compute_metrics,
    copying_figures,
    plain_figures,
)
from ganforge.evaluation.protocol import Protocol
from ganforge.evaluation.report import Evaluation
from ganforge.files import cache_folder, write_atomically
from ganforge.json_text import parse_json, to_json
from ganforge.judge.judge import Report
from ganforge.judge.measure import other_reals
from ganforge.metrics.memorisation import nearest_distances
from ganforge.randomness import random_generator
from ganforge.sampling import Generator, image_grid, png

NEAREST = 10
"""Fakes that the sheet of suspected copies shows."""


class Evaluator:
    """Real images, and who looks: measures one set of fakes after another under one protocol.

    Args:
        eye: who looks.
        splits: the data; fakes are held against ``split`` of them, and copies are looked for in the training images.
        split: ``test`` or ``validation``.
        n: so many fakes against so many reals.
        report: told the number of images that were just looked at.
        say: told in a sentence what is done next, where it takes long.
    """

    def __init__(
        self,
        eye: FeatureExtractor,
        splits: Splits,
        split: str,
        n: int,
        report: Report | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        reals = splits.test if split == "test" else splits.validation
        self.eye, self._splits, self._report, self._say = eye, splits, report, say
        self.protocol = Protocol(eye.name, eye.hash, splits.train.name, reals.fingerprint, split, n)
        self._reals = random_subset(reals, n, "reals")
        self._others = other_reals(splits.train, n)  # those of the verdict: one floor
        unseen = splits.validation if split == "test" else splits.test
        self._unseen = random_subset(unseen, min(n, len(unseen)), "unseen")
        self._real, self._floor = (eye.look_at_set(images, report) for images in (self._reals, self._others))
        self._train = kept_features(eye, splits.train, report)

    def measure(self, fakes: ImageSet, what: str, generator: Generator | None = None, slow: bool = False) -> Evaluation:
        """Take every figure of ``fakes``, n of them; what needs a generator to ask is left out without one."""
        fake = self._look(fakes)
        found = plain_figures(self._real, fake, len(self.eye.class_names))
        found |= copying_figures(self._train, self._real.features, fake.features)
        if generator is not None and generator.class_names and self.eye.class_names:
            found |= label_swap(generator, self.eye, self._report)
        slow = slow and fakes.labelled and self._reals.labelled
        if slow:
            self._say("training a small classifier on the fakes, and one on reals ...")
            found["train_on_generated"] = learned(fakes, self._reals)
            found["test_on_generated"] = learned(self._others, fakes)
        beside = self._kept_beside(slow)
        figures = [
            Figure(name, value, interval, beside.get(name), beside.get(f"bad {name}"), self.protocol.n)
            for name, (value, interval) in sorted(found.items(), key=lambda item: list(METRICS).index(item[0]))
        ]
        rows = class_figures(self._real, fake, self._floor, self.eye.class_names)
        note = generator.note if generator else {}
        notes = (self.eye.note,) if self.eye.note else ()
        return Evaluation(what, self.protocol, tuple(figures), rows, note.get("step"), note.get("seed"), notes)

    def nearest(self, fakes: ImageSet) -> bytes:
        """Return a sheet (PNG) of the fakes that are nearest to a training image, above these images."""
        distances, rows = nearest_distances(self._look(fakes).features, self._train)
        closest = distances.argsort()[:NEAREST]
        pairs = torch.cat([fakes.images[closest], self._splits.train.gather(torch.from_numpy(rows[closest]))])
        return png(
            image_grid(pairs, NEAREST, caption="above: the fakes nearest to a training image, below: that image")
        )

    def _look(self, images: ImageSet) -> Features:
        return self.eye.look(images.images, self.eye.numbered(images) if images.labelled else None, self._report)

    def _kept_beside(self, slow: bool) -> dict[str, float]:
        """Return floors by name and ceilings by ``bad`` and name: taken once, then kept in the cache folder."""
        file = cache_folder() / "evaluation" / f"{self.protocol.id}-{'slow' if slow else 'quick'}.json"
        try:
            return dict(parse_json(file.read_bytes()))
        except (OSError, ValueError):
            self._say("measuring what perfect and hopeless fakes would get (kept for the next time) ...")
            beside = self._beside(slow)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, to_json(beside).encode())
        except (OSError, RunFailed):
            pass  # what cannot be kept is taken again next time
        return beside

    def _beside(self, slow: bool) -> dict[str, float]:
        """Put other reals, then hopeless fakes, in the place of the fakes."""
        classes = len(self.eye.class_names)
        beside = compute_metrics(self._real, self._floor, classes)
        unseen = self._look(self._unseen)  # the other reals are training images: copies of themselves
        beside |= _values(copying_figures(self._train, self._real.features, unseen.features))
        for bad, images in self._hopeless().items():
            view = self._look(images)
            values = compute_metrics(self._real, view, classes)
            if bad == "training images":
                values |= _values(copying_figures(self._train, self._real.features, view.features))
            if slow and bad == "noise":
                values["train_on_generated"] = learned(images, self._reals)[0]
                values["test_on_generated"] = learned(self._others, images)[0]
            beside |= {f"bad {name}": value for name, value in values.items() if METRICS[name].bad == bad}
        if slow:
            beside["train_on_generated"] = learned(self._others, self._reals)[0]
            beside["test_on_generated"] = learned(self._others, self._unseen)[0]
        return {name: value for name, value in beside.items() if math.isfinite(value)}

    def _hopeless(self) -> dict[str, ImageSet]:
        """Pixels of pure noise; one training image of each class again and again; training images themselves."""
        others, n = self._others, self.protocol.n
        noise = torch.randint(
            256, others.images.shape, dtype=torch.uint8, generator=random_generator("evaluate", "bad")
        )
        labels = others.labels
        firsts = torch.stack([(labels == label).nonzero()[0, 0] for label in labels.unique()])
        return {
            "noise": ImageSet(noise, labels, others.class_names, "noise"),
            "one picture of each class": others.select(firsts[torch.arange(n) % len(firsts)]),
            "training images": others,
        }


def _values(found: Found) -> dict[str, float]:
    return {name: value for name, (value, _) in found.items()}


def random_subset(images: ImageSet, count: int, name: str) -> ImageSet:
    """Return ``count`` images by lot, always the same: the first ones of a folder may all be of one class."""
    if count == len(images):
        return images
    lot = torch.randperm(len(images), generator=random_generator("evaluate", name))[:count]
    return images.select(lot)


def generate_images(generator: Generator, count: int, seed: int) -> ImageSet:
    """Draw pictures whose labels go round the classes."""
    names = generator.class_names
    asked = torch.arange(count) % len(names) if names else torch.full((count,), -1)
    images = generator.sample_classes(count, asked if names else None, seed=seed)
    return ImageSet(images, asked, names, "fakes")
