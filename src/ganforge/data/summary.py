"""A summary of a data set: counts, classes, copies, and warnings about problems for training."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganforge.data.images import ImageSet, Splits
from ganforge.data.normalize_arrays import is_grey

FEW_IMAGES = 1_000
SCARCE_CLASS = 1 / 5
"""A class below this fraction of its fair share (images / classes) is reported as scarce."""

MANY_COPIES = 0.01
NO_LABELS = "no labels: conditional recipes cannot be used; use an unconditional recipe"
GREY = "all training images are grey in three equal channels: networks and judges for grey images do not fit"
NARROW_RANGE = 64
DARK = 16
"""Highest level of data stored as small counts, such as 0..16."""


@dataclass(frozen=True)
class ClassCount:
    """One class of the training images: number of images, and share of the labelled images, 0..1."""

    name: str
    count: int
    share: float


@dataclass(frozen=True)
class Summary:
    """The summary of a data set; `dataclasses.asdict` converts it for JSON.

    Attributes:
        counts: images per split.
        pixel_min, pixel_max, pixel_mean, pixel_std: over all training pixels, 0..255.
        classes: one entry per class name, in index order.
        unlabelled: training images without a label.
        duplicates: training images that repeat an earlier one exactly.
        test_in_train: test images that are also training images.
        constant: training images with a single grey or colour level.
        warnings: problems for training, one sentence each.
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


def summarise(splits: Splits, on_progress: Callable[[int, int], None] | None = None) -> Summary:
    """Summarise a data set and warn about problems for training.

    Args:
        splits: the data.
        on_progress: receives the images read so far, and all that are read; an image is read several times.
    """
    train, test = splits.train, splits.test
    channels, height, width = train.shape
    passes = _Passes((3 + (channels == 3)) * len(train) + len(test), on_progress)
    levels = _histogram(passes.over(train))
    present = np.flatnonzero(levels)
    mean = float(levels @ np.arange(256) / levels.sum())
    std = float(np.sqrt(levels @ (np.arange(256) - mean) ** 2 / levels.sum()))
    hashes = _hashes(passes.over(train))
    distinct = set(hashes)
    constant = sum(_count_constant(chunk) for chunk in passes.over(train))
    counts = torch.bincount(train.labels[train.labels >= 0], minlength=len(train.class_names)).tolist()
    labelled = sum(counts)
    classes = [
        ClassCount(name, count, count / max(1, labelled)) for name, count in zip(train.class_names, counts, strict=True)
    ]
    summary = Summary(
        name=train.name,
        origin=splits.origin,
        counts={"train": len(train), "validation": len(splits.validation), "test": len(test)},
        channels=channels,
        height=height,
        width=width,
        pixel_min=int(present[0]),
        pixel_max=int(present[-1]),
        pixel_mean=mean,
        pixel_std=std,
        classes=classes,
        unlabelled=len(train) - labelled,
        duplicates=len(hashes) - len(distinct),
        test_in_train=sum(digest in distinct for digest in _hashes(passes.over(test))),
        constant=constant,
        warnings=[],
    )
    grey = channels == 3 and all(is_grey(chunk.cpu().numpy()) for chunk in passes.over(train))
    summary.warnings.extend(_image_warnings(summary) + [GREY] * grey + _label_warnings(summary))
    return summary


def lines_before_work(splits: Splits) -> list[str]:
    """Return notes on how the data was read and warnings about it, for display before training or evaluation."""
    return notes_and_warnings(splits, summarise(splits))


def notes_and_warnings(splits: Splits, summary: Summary, said: Sequence[str] = ()) -> list[str]:
    """Return the lines of `lines_before_work` from a summary, without the warnings that ``said`` sentences contain."""
    lines = [line for line in summary.warnings if line != NO_LABELS and not any(line in other for other in said)]
    return [*map(_note, splits.notes), *(f"warning: {line}" for line in lines)]


def lines_on_images(images: ImageSet, notes: Sequence[str]) -> list[str]:
    """Return notes on how images for evaluation were read and warnings about them."""
    present = np.flatnonzero(_histogram(images.chunks()))
    constant = sum(_count_constant(chunk) for chunk in images.chunks())
    warnings = level_warnings(int(present[0]), int(present[-1])) + _constant_warnings(constant, len(images))
    return [*map(_note, notes), *(f"warning: {line}" for line in warnings)]


def _note(line: str) -> str:
    return f"note: {line}"


class _Passes:
    """Passes over images in chunks, which report how many of ``total`` images were read in all passes so far."""

    def __init__(self, total: int, on_progress: Callable[[int, int], None] | None) -> None:
        self._done, self._total, self._on_progress = 0, total, on_progress

    def over(self, images: ImageSet) -> Iterator[Tensor]:
        """Yield the images of a set a chunk at a time."""
        for chunk in images.chunks():
            yield chunk
            self._done += len(chunk)
            if self._on_progress:
                self._on_progress(self._done, self._total)


def _histogram(chunks: Iterable[Tensor]) -> npt.NDArray[np.int64]:
    """Count each of the 256 levels; in chunks, because ``bincount`` converts every pixel to 8 bytes."""
    levels = np.zeros(256, np.int64)
    for chunk in chunks:
        levels += np.bincount(chunk.flatten().cpu().numpy(), minlength=256)
    return levels


def _count_constant(images: Tensor) -> int:
    flat = images.flatten(2)
    return int((flat.amin(2) == flat.amax(2)).all(1).sum())


def _hashes(chunks: Iterable[Tensor]) -> list[bytes]:
    return [
        hashlib.blake2b(image.data, digest_size=16).digest()
        for chunk in chunks
        for image in chunk.cpu().contiguous().numpy()
    ]


def _image_warnings(summary: Summary) -> list[str]:
    count = summary.counts["train"]
    return (
        few_warnings(count)
        + copy_warnings(summary)
        + _constant_warnings(summary.constant, count)
        + level_warnings(summary.pixel_min, summary.pixel_max)
    )


def few_warnings(count: int) -> list[str]:
    """Return a warning of few training images, or none."""
    if count >= FEW_IMAGES:
        return []
    return [f"only {count:,} training images: the discriminator may memorise them; collect {FEW_IMAGES:,} or more"]


def copy_warnings(summary: Summary) -> list[str]:
    """Return warnings of training images that are equal, and of test images among them."""
    count = summary.counts["train"]
    warnings = []
    if summary.duplicates == count - 1:
        warnings.append("all training images are identical: a GAN can only repeat this image; give varied images")
    elif summary.duplicates > MANY_COPIES * count:
        warnings.append(
            f"{summary.duplicates:,} of {count:,} images are exact copies of others: a GAN draws them too often; "
            "remove the copies"
        )
    if summary.test_in_train > MANY_COPIES * summary.counts["test"]:
        warnings.append(
            f"{summary.test_in_train:,} of {summary.counts['test']:,} test images are also training images: "
            "metrics on them will look better than they are; remove them from one part"
        )
    return warnings


def _constant_warnings(constant: int, count: int) -> list[str]:
    if not constant:
        return []
    return [f"{constant:,} of {count:,} images have a single level throughout: remove them"]


def level_warnings(low: int, high: int) -> list[str]:
    """Return a warning of pixels that use a small part of 0..255, or none."""
    if high - low >= NARROW_RANGE:
        return []
    if high <= 1:
        return [f"pixels range from {low} to {high}, probably 0/1 pixels; --levels 0,1 reads them as such"]
    if high <= DARK:
        return [f"pixels range from {low} to {high} of 255, nearly black; --levels {low},{high} if {high} is white"]
    return [
        f"pixels range only from {low} to {high} of 0..255: the contrast is too weak to learn from; "
        f"--levels LOW,HIGH sets the levels of the files that are black and white"
    ]


def _label_warnings(summary: Summary) -> list[str]:
    count = summary.counts["train"]
    if summary.unlabelled == count:
        return [NO_LABELS]
    warnings = []
    if summary.unlabelled:
        warnings.append(
            f"{summary.unlabelled:,} of {count:,} images have no label: recipes that need a label for every image "
            "cannot be used"
        )
    return warnings + class_warnings(summary)


def class_warnings(summary: Summary) -> list[str]:
    """Return warnings of classes without images, or with few, of a set with labels."""
    if not summary.classes:
        return []
    warnings = []
    present = [entry for entry in summary.classes if entry.count]
    missing = [entry.name for entry in summary.classes if not entry.count]
    if len(present) == 1:
        warnings.append(f"all labelled images are of one class ({present[0].name}): a conditional recipe has no effect")
    if missing:
        warnings.append(f"no training image of {_listed(missing)}: a generator cannot learn a class without images")
    smallest_share = SCARCE_CLASS / len(summary.classes)
    if scarce := [f"{entry.name} ({entry.count:,})" for entry in present if entry.share < smallest_share]:
        warnings.append(f"few training images of {_listed(scarce)}: a generator will learn such a class badly")
    return warnings


def _listed(names: list[str]) -> str:
    first_names = ", ".join(names[:10])
    return f"class{'es' if len(names) > 1 else ''} {first_names}" + (
        f" and {len(names) - 10} more" if len(names) > 10 else ""
    )
