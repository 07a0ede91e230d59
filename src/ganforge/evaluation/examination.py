"""What an examination during a training sees in pictures: numbers from features of fakes, of training and of held-out
images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ganforge.data.images import ImageSet
from ganforge.evaluation.class_metrics import agreement, class_agreement, none_if_nan, shares_of
from ganforge.evaluation.features import Features
from ganforge.evaluation.small_reader import Source
from ganforge.judge.judge import Judge, Predictions
from ganforge.metrics.copying_test import copying_test
from ganforge.metrics.frechet import frechet_distance
from ganforge.metrics.memorisation import twin_share
from ganforge.metrics.modes import confident_share
from ganforge.metrics.neighbours import recall
from ganforge.metrics.rank import effective_rank
from ganforge.metrics.spread import total_spread, within_class_spread
from ganforge.metrics.thresholds import FEWEST_FOR_FRECHET, FEWEST_FOR_RECALL

FEWEST_FOR_COPYING = 5
"""Smallest number of held-out images for the test of copying; of 5 unhit ones among 100, p can be 1e-4."""
NEIGHBOURS = 5
BLOCK = 256
"""Rows of each kind for recall, Fréchet distance and repetition, which depend on the number of rows."""


class Reader(Protocol):
    """A source of features: a judge, or a small network."""

    @property
    def source(self) -> Source:
        """Where the features come from."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes that are read; empty where none are."""
        ...

    def look(self, images: Tensor, labels: Tensor | None = None) -> Features:
        """Return the features of uint8 images [N, C, H, W]; ``labels`` are indices of ``class_names``."""
        ...

    def look_at_set(self, images: ImageSet) -> Features:
        """Return the features of real images, with their labels if all have one and classes are read."""
        ...


@dataclass(frozen=True)
class JudgeReader:
    """A judge whose classes have the numbers of the data's classes.

    Attributes:
        judge: the judge.
        class_names: names of the data's classes, else of the judge's.
    """

    judge: Judge
    class_names: tuple[str, ...]
    source: Source = "judge"

    def look(self, images: Tensor, labels: Tensor | None = None) -> Features:
        """Return the features of uint8 images [N, C, H, W]; a class that the data do not have is read as none, -1."""
        return self._features(self.judge.look(images), labels)

    def look_at_set(self, images: ImageSet) -> Features:
        """Return the features of real images, with their labels; the judge keeps them in memory for the next call."""
        return self._features(self.judge.look_at_set(images), images.labels if images.labelled else None)

    def _features(self, seen: Predictions, labels: Tensor | None) -> Features:
        classes = torch.tensor(
            [self.class_names.index(name) if name in self.class_names else -1 for name in self.judge.class_names]
        )[seen.classes]
        return Features(seen.features, classes, seen.confidence, seen.spread_features, labels)


@dataclass(frozen=True)
class Reals:
    """The real images of all examinations of a run.

    Attributes:
        train: features of training images, in random order; labels where they have some.
        held_out: features of images that the generator was not trained on, in random order.
        pixels: of the training images, uint8 [N, C, H, W].
    """

    train: Features
    held_out: Features
    pixels: Tensor


def look_at_pictures(
    reader: Reader, reals: Reals, pictures: Tensor, labels: Tensor | None = None, *, from_pictures: bool = False
) -> dict[str, Any]:
    """Return the fields of `ganforge.diagnosis.case.Signals` that follow from pictures.

    Args:
        reader: gives the features; the same as those of the reals.
        reals: the real images.
        pictures: fakes, uint8 [N, C, H, W].
        labels: the class asked for in each; None without.
        from_pictures: whether the fakes were made from held-out pictures: they then resemble held-out pictures, and the
            test of copying does not apply.
    """
    fake = reader.look(pictures, labels)
    # equal numbers of fakes, of training images and, where there are so many, of held-out ones
    rows = torch.arange(min(len(fake), len(reals.train)))
    real, fakes, others = reals.train[rows], fake[rows], reals.held_out[rows[: len(reals.held_out)]]
    assert real.spread_features is not None
    assert fakes.spread_features is not None
    real_pixels = reals.pixels[: len(rows)]
    return {
        "features": reader.source,
        "spread": none_if_nan(total_spread(real.spread_features, fakes.spread_features)),
        "pixel_spread": none_if_nan(total_spread(_flat(real_pixels), _flat(pictures))),
        **_class_fields(reader.class_names, real, others, fake),
        "recall": _mean_of_blocks(_recall, real, fakes, FEWEST_FOR_RECALL),
        "recall_real_reference": _mean_of_blocks(_recall, real, others, FEWEST_FOR_RECALL),
        "frechet": _mean_of_blocks(frechet_distance, real, fakes, FEWEST_FOR_FRECHET),
        "frechet_real_reference": _mean_of_blocks(frechet_distance, real, others, FEWEST_FOR_FRECHET),
        "repetition": _mean_of_blocks(twin_share, real, fakes, 2),
        "repetition_on_real": _mean_of_blocks(twin_share, real, others, FEWEST_FOR_RECALL),
        "effective_rank": _relative_rank(real.features, fakes.features),
        **({} if from_pictures else _copying_fields(reals, fake)),
        **_level_fields("", pictures),
        **_level_fields("real_", real_pixels),
    }


def _class_fields(names: tuple[str, ...], real: Features, others: Features, fake: Features) -> dict[str, Any]:
    if not names:
        return {}
    assert real.confidence is not None
    assert fake.confidence is not None
    labels = None if fake.labels is None or real.labels is None else (real.labels, fake.labels)
    classes = labels or (real.classes, fake.classes)
    spread = within_class_spread(real.spread_features, classes[0], fake.spread_features, classes[1], len(names))  # type: ignore[arg-type]
    return {
        "class_spread": tuple(none_if_nan(ratio) for ratio in spread.tolist()),
        "class_shares": tuple(_shares(fake, len(names))),
        "real_class_shares": tuple(_shares(real, len(names))),
        "confident": confident_share(fake.confidence),
        "confident_on_real": confident_share(real.confidence),
        "label_agreement": agreement(fake),
        # a small network may know the labels of few training images by heart
        "agreement_on_real": agreement(others if len(others) >= FEWEST_FOR_RECALL else real),
        "class_agreement": tuple(class_agreement(fake, k) for k in range(len(names)))
        if fake.labels is not None
        else (),
    }


def _shares(features: Features, classes: int) -> list[float]:
    """Return the share of each class among all images; images read as no class of the data count in none."""
    assert features.classes is not None
    known = features.classes >= 0
    if not bool(known.any()):
        return [0.0] * classes
    shares = shares_of(features[known], classes, 0.0) * float(known.float().mean())
    return [float(share) for share in shares]


def _mean_of_blocks(
    metric: Callable[[Tensor, Tensor], float], real: Features, other: Features, fewest: int
) -> float | None:
    """Return a metric of equally many rows of both, as the mean over blocks of `BLOCK` rows; None below ``fewest``.

    These metrics depend on the number of rows: blocks of one size make examinations of many and of few pictures
    comparable.
    """
    count = min(len(real), len(other))
    if count < fewest:
        return None
    size = min(count, BLOCK)
    blocks = [slice(start, start + size) for start in range(0, count - size + 1, size)]
    return sum(metric(real.features[block], other.features[block]) for block in blocks) / len(blocks)


def _recall(real: Tensor, other: Tensor) -> float:
    return recall(real, other, NEIGHBOURS)


def _relative_rank(real: Tensor, fake: Tensor) -> float | None:
    rank = effective_rank(real)
    return effective_rank(fake) / rank if rank else None


def _copying_fields(reals: Reals, fake: Features) -> dict[str, float]:
    if min(len(reals.train), len(reals.held_out)) < FEWEST_FOR_COPYING:
        return {}
    test = copying_test(reals.train.features, reals.held_out.features, fake.features)
    return {"nearer_to_training": test.nearer_to_training, "copying_p": test.p_value}


def _level_fields(prefix: str, pixels: Tensor) -> dict[str, float]:
    """Return the 1st and the 99th percentile of pixels, from the counts of the 256 levels."""
    shares = torch.bincount(pixels.flatten().int(), minlength=256).cumsum(0) / pixels.numel()
    low, high = (int((shares >= share).int().argmax()) for share in (0.01, 0.99))
    return {f"{prefix}low": float(low), f"{prefix}high": float(high)}


def _flat(pixels: Tensor) -> Tensor:
    return pixels.flatten(1).float()
