"""Arrays as they were found become sets: the one place where layout, pixel levels, grey and labels are settled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ganforge.data.class_labels import MOST_CLASSES, settle_labels
from ganforge.data.images import ImageSet
from ganforge.data.layouts import LARGEST, SMALLEST, channels_first
from ganforge.data.pixel_levels import choose_levels, to_levels
from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.errors import UserError

__all__ = [
    "GREY_IN_COLOUR",
    "LARGEST",
    "MOST_CLASSES",
    "SMALLEST",
    "Array",
    "Found",
    "RawSplits",
    "is_grey",
    "to_image_sets",
]

Array = npt.NDArray[Any]
Found = Mapping[str, tuple[Array, Array | None]]
"""Images and labels as they were found, by part: train, and where there are any, validation and test."""

GREY_IN_COLOUR = "all pictures are grey, though saved in colour: read as grey; --colour keeps three channels"


@dataclass(frozen=True)
class RawSplits:
    """What a source holds: images to train on and, where its makers set some apart, images to validate and test on.

    ``shuffled`` says that the training images already lie in the order in which they are to be cut. ``notes`` say in
    one line each how the source was read where it could have been read otherwise.
    """

    train: ImageSet
    validation: ImageSet | None = None
    test: ImageSet | None = None
    shuffled: bool = False
    notes: tuple[str, ...] = ()


def to_image_sets(
    found: Found,
    where: str,
    name: str,
    rules: ReadingRules = USUAL,
    notes: Sequence[str] = (),
    class_names: Sequence[str] | None = None,
) -> RawSplits:
    """Settle layout, pixels, grey and labels, over all parts at once so that one scale holds for every part.

    Args:
        found: what was found.
        where: what to call the source in messages.
        name: what to call the set.
        rules: as `ReadingRules`.
        notes: what the reader has to say of the source; lines of this function's own follow.
        class_names: what numbers of classes stand for, where the source says so.

    Raises:
        UserError: images or labels cannot be used.
    """
    images: dict[str, Array] = {}
    said = list(notes)
    for part, (pixels, _) in found.items():
        images[part], note = channels_first(pixels, where)
        said.append(note)
    _refuse_unlike(images, where)
    counts = {part: len(pixels) for part, pixels in images.items()}
    labels, classes, note = settle_labels(
        {part: labels for part, (_, labels) in found.items()}, counts, where, rules, class_names
    )
    said.append(note)
    levels, note = _to_levels(np.concatenate(list(images.values())), where, rules)
    said.append(note)
    levels, note = _settle_channels(levels, rules)
    said.append(note)
    joined = torch.from_numpy(np.ascontiguousarray(levels))
    sets, start = {}, 0
    for part, count in counts.items():
        title = name if part == "train" else f"{name} {part}"
        sets[part] = ImageSet(joined[start : start + count], labels[part], classes, title)
        start += count
    lines = tuple(dict.fromkeys(line for line in said if line))
    return RawSplits(sets["train"], sets.get("validation"), sets.get("test"), notes=lines)


def _refuse_unlike(images: Mapping[str, Array], where: str) -> None:
    train = images["train"]
    for part, pixels in images.items():
        if pixels.shape[1:] != train.shape[1:] or pixels.dtype != train.dtype:
            kinds = f"{pixels.dtype} {list(pixels.shape)} and its train images {train.dtype} {list(train.shape)}"
            raise UserError(f"{where}: its {part} images are {kinds}; make them alike")
        if len(pixels) < (2 if part == "train" else 1):
            raise UserError(f"{where}: {len(pixels)} {part} image(s); a GAN needs at least two different images")


def _to_levels(images: Array, where: str, rules: ReadingRules) -> tuple[Array, str]:
    """Map pixels to 0..255 by their type and range, or as the user says."""
    if images.dtype.kind not in "biuf":
        raise UserError(f"{where}: pixels are of type {images.dtype}; save them as uint8 in 0..255")
    if images.size == 0:
        return images.astype(np.uint8), ""
    low, high = float(images.min()), float(images.max())
    try:
        levels, note = choose_levels(images.dtype.kind, low, high, rules.levels)
    except ValueError as reason:
        raise UserError(f"{where}: {reason}") from None
    return to_levels(images, levels), note


def _settle_channels(images: Array, rules: ReadingRules) -> tuple[Array, str]:
    """Keep one channel of three that are equal in the whole set, or three of one where colour is asked for."""
    if rules.colour and images.shape[1] == 1:
        return images.repeat(3, 1), ""
    if rules.version > 1 and images.shape[1] == 3 and not rules.colour and len(images) and is_grey(images):
        return images[:, :1], GREY_IN_COLOUR
    return images, ""


def is_grey(images: Array, tolerance: int = 0) -> bool:
    """Say whether the three channels of uint8 images [N, 3, H, W] differ nowhere by more than a ``tolerance``."""
    for start in range(0, len(images), 1024):
        block = images[start : start + 1024]
        if np.any(block.max(1) - block.min(1) > tolerance):
            return False
    return True
