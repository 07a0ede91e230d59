"""What is in a data set, in numbers and in words: counts, classes, copies, and what training would suffer from."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganforge.data.images import ImageSet, Splits
from ganforge.data.normalize_arrays import is_grey

FEW_IMAGES = 1_000
SCARCE_CLASS = 1 / 5
"""A class with less than this part of its fair share (images / classes) is hardly learned."""

MANY_COPIES = 0.01
NO_LABELS = "no labels: recipes that ask for a class (conditional ones) cannot be used"
NARROW_RANGE = 64
DARK = 16
"""Levels of small counts, as 0..16, reach no higher."""


@dataclass(frozen=True)
class ClassCount:
    """One class of the training images: how many there are and which share of the labelled ones, 0..1."""

    name: str
    count: int
    share: float


@dataclass(frozen=True)
class Summary:
    """A data set described; `dataclasses.asdict` makes it ready for JSON.

    Attributes:
        counts: images per split.
        pixel_min, pixel_max, pixel_mean, pixel_std: over all training pixels, 0..255.
        classes: one entry per class name, in index order.
        unlabelled: training images without a label.
        duplicates: training images that repeat an earlier one exactly.
        test_in_train: test images that are also training images.
        constant: training images of one single grey or colour level.
        warnings: what training would suffer from, one sentence each.
    """

    name: str
    origin: str
    counts: dict[str, int]
    channels: int
    height: int
    width: int
    pixel_min: int
    pixel_max: int
    pixel_mean: float
    pixel_std: float
    classes: list[ClassCount]
    unlabelled: int
    duplicates: int
    test_in_train: int
    constant: int
    warnings: list[str]


def summarise(splits: Splits) -> Summary:
    """Describe a data set and say what training on it would suffer from."""
    train, test = splits.train, splits.test
    channels, height, width = train.shape
    levels = _histogram(train)
    seen = np.flatnonzero(levels)
    mean = float(levels @ np.arange(256) / levels.sum())
    spread = float(np.sqrt(levels @ (np.arange(256) - mean) ** 2 / levels.sum()))
    hashes = _hashes(train)
    distinct = set(hashes)
    constant = sum(_constant(piece) for piece in train.chunks())
    counts = torch.bincount(train.labels[train.labels >= 0], minlength=len(train.class_names)).tolist()
    labelled = sum(counts)
    classes = [
        ClassCount(name, count, count / max(1, labelled)) for name, count in zip(train.class_names, counts, strict=True)
    ]
    numbers = Summary(
        name=train.name,
        origin=splits.origin,
        counts={"train": len(train), "validation": len(splits.validation), "test": len(test)},
        channels=channels,
        height=height,
        width=width,
        pixel_min=int(seen[0]),
        pixel_max=int(seen[-1]),
        pixel_mean=mean,
        pixel_std=spread,
        classes=classes,
        unlabelled=len(train) - labelled,
        duplicates=len(hashes) - len(distinct),
        test_in_train=sum(digest in distinct for digest in _hashes(test)),
        constant=constant,
        warnings=[],
    )
    numbers.warnings.extend(_image_warnings(numbers) + _grey_warnings(train) + _label_warnings(numbers))
    return numbers


def lines_before_work(splits: Splits) -> list[str]:
    """Say in a line each, before training or measuring, how data were read and what they suffer from."""
    found = summarise(splits)
    return [*map(_note, splits.notes), *(f"warning: {line}" for line in found.warnings if line != NO_LABELS)]


def lines_on_images(images: ImageSet, notes: Sequence[str]) -> list[str]:
    """Say in a line each how images that are to be measured were read, and what is odd about them."""
    seen = np.flatnonzero(_histogram(images))
    constant = sum(_constant(piece) for piece in images.chunks())
    warnings = _level_warnings(int(seen[0]), int(seen[-1])) + _constant_warnings(constant, len(images))
    return [*map(_note, notes), *(f"warning: {line}" for line in warnings)]


def _note(line: str) -> str:
    return f"note: {line}"


def _histogram(images: ImageSet) -> npt.NDArray[np.int64]:
    """Count how often each of the 256 levels occurs; in pieces, because counting widens every pixel to 8 bytes."""
    levels = np.zeros(256, np.int64)
    for piece in images.chunks():
        levels += np.bincount(piece.flatten().cpu().numpy(), minlength=256)
    return levels


def _constant(images: Tensor) -> int:
    flat = images.flatten(2)
    return int((flat.amin(2) == flat.amax(2)).all(1).sum())


def _hashes(images: ImageSet) -> list[bytes]:
    return [
        hashlib.blake2b(image.data, digest_size=16).digest()
        for piece in images.chunks()
        for image in piece.cpu().contiguous().numpy()
    ]


def _image_warnings(it: Summary) -> list[str]:
    count = it.counts["train"]
    warnings = []
    if count < FEW_IMAGES:
        warnings.append(
            f"only {count:,} images to train on: the discriminator may learn them by heart; "
            f"collect {FEW_IMAGES:,} or more"
        )
    if it.duplicates == count - 1:
        warnings.append("all training images are the same: a GAN can only learn to repeat it")
    elif it.duplicates > MANY_COPIES * count:
        warnings.append(
            f"{it.duplicates:,} of {count:,} images are exact copies of others: what is copied is overlearned"
        )
    if it.test_in_train > MANY_COPIES * it.counts["test"]:
        warnings.append(
            f"{it.test_in_train:,} of {it.counts['test']:,} test images are also trained on: "
            "numbers measured on them will look better than they are"
        )
    return warnings + _constant_warnings(it.constant, count) + _level_warnings(it.pixel_min, it.pixel_max)


def _constant_warnings(constant: int, count: int) -> list[str]:
    if not constant:
        return []
    return [f"{constant:,} of {count:,} images are of one level throughout and show nothing: drop them"]


def _level_warnings(low: int, high: int) -> list[str]:
    if high - low >= NARROW_RANGE:
        return []
    if high <= 1:
        return [f"pixels run from {low} to {high}: they look like 0/1 pixels; --levels 0,1 reads them so"]
    if high <= DARK:
        return [f"pixels run from {low} to {high} of 255, nearly black; --levels {low},{high} if {high} is white"]
    return [
        f"pixels run only from {low} to {high}, a sliver of 0..255: contrast is too weak to learn from; "
        f"--levels LOW,HIGH says which levels of the files are black and white"
    ]


def _grey_warnings(images: ImageSet) -> list[str]:
    if images.shape[0] == 3 and all(is_grey(piece.cpu().numpy()) for piece in images.chunks()):
        return ["all training images are grey, kept in three equal channels: networks and judges for grey do not fit"]
    return []


def _label_warnings(it: Summary) -> list[str]:
    count = it.counts["train"]
    if it.unlabelled == count:
        return [NO_LABELS]
    warnings = []
    if it.unlabelled:
        warnings.append(
            f"{it.unlabelled:,} of {count:,} images have no label: "
            "recipes that need a class for every image cannot be used"
        )
    present = [entry for entry in it.classes if entry.count]
    missing = [entry.name for entry in it.classes if not entry.count]
    if len(present) == 1:
        warnings.append(
            f"all labelled images are of one class ({present[0].name}): a conditional recipe has nothing to choose"
        )
    if missing:
        warnings.append(f"no training image of {_listed(missing)}: a generator cannot draw what it never saw")
    fair = SCARCE_CLASS / len(it.classes)
    if scarce := [f"{entry.name} ({entry.count:,})" for entry in present if entry.share < fair]:
        warnings.append(f"few training images of {_listed(scarce)}: they will be drawn badly or not at all")
    return warnings


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:10])
    return f"class{'es' if len(names) > 1 else ''} {shown}" + (
        f" and {len(names) - 10} more" if len(names) > 10 else ""
    )
