"""Raw arrays become ImageSets: the layout, pixel levels, channels and labels of all readers are normalised here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ganforge.data.axis_order import channels_first
from ganforge.data.class_labels import encode_labels
from ganforge.data.images import ImageSet
from ganforge.data.pixel_levels import choose_levels, to_levels
from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.errors import UserError

Array = npt.NDArray[Any]
Found = Mapping[str, tuple[Array, Array | None]]
"""Raw images and labels by part: train and, if present, validation and test."""

GREY_IN_COLOUR = "all pictures are grey, though saved in colour: read as grey; --colour keeps three channels"


@dataclass(frozen=True)
class RawSplits:
    """The contents of a source: training images and, if the source has such parts, validation and test images.

    ``shuffled``: the training images are already in the order in which they are split. ``notes``: lines on how
    ambiguous data was interpreted.
    """

    train: ImageSet
    validation: ImageSet | None = None
    test: ImageSet | None = None
    shuffled: bool = False
    notes: tuple[str, ...] = ()


def to_image_sets(
    arrays: Found,
    where: str,
    name: str,
    rules: ReadingRules = USUAL,
    notes: Sequence[str] = (),
    class_names: Sequence[str] | None = None,
) -> RawSplits:
    """Normalise layout, pixel levels, channels and labels of all parts together, so that all share one scale.

    Args:
        arrays: raw images and labels.
        where: the name of the source in messages.
        name: the name of the set.
        rules: as `ReadingRules`.
        notes: the reader's notes; this function appends its own.
        class_names: the names of the classes 0, 1, …, if the source has them.

    Raises:
        UserError: images or labels cannot be used.
    """
    images: dict[str, Array] = {}
    all_notes = list(notes)
    for part, (pixels, _) in arrays.items():
        images[part], note = channels_first(pixels, where)
        all_notes.append(note)
    _refuse_mismatched_parts(images, where)
    counts = {part: len(pixels) for part, pixels in images.items()}
    labels, classes, note = encode_labels(
        {part: labels for part, (_, labels) in arrays.items()}, counts, where, rules, class_names
    )
    all_notes.append(note)
    levels, note = _to_levels(np.concatenate(list(images.values())), where, rules)
    all_notes.append(note)
    levels, note = _normalize_channels(levels, rules)
    all_notes.append(note)
    joined = torch.from_numpy(np.ascontiguousarray(levels))
    sets, start = {}, 0
    for part, count in counts.items():
        title = name if part == "train" else f"{name} {part}"
        sets[part] = ImageSet(joined[start : start + count], labels[part], classes, title)
        start += count
    lines = tuple(dict.fromkeys(line for line in all_notes if line))
    return RawSplits(sets["train"], sets.get("validation"), sets.get("test"), notes=lines)


def _refuse_mismatched_parts(images: Mapping[str, Array], where: str) -> None:
    train = images["train"]
    for part, pixels in images.items():
        if pixels.shape[1:] != train.shape[1:] or pixels.dtype != train.dtype:
            kinds = f"{pixels.dtype} {list(pixels.shape)} and its train images {train.dtype} {list(train.shape)}"
            raise UserError(f"{where}: its {part} images are {kinds}; make them alike")
        if len(pixels) < (2 if part == "train" else 1):
            raise UserError(f"{where}: {len(pixels)} {part} image(s); a GAN needs at least two different images")


def _to_levels(images: Array, where: str, rules: ReadingRules) -> tuple[Array, str]:
    """Map pixels to 0..255 by their type and range, or by the user's levels."""
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


def _normalize_channels(images: Array, rules: ReadingRules) -> tuple[Array, str]:
    """Reduce three channels that are equal in the whole set to one, or expand one to three if the user chose colour."""
    if rules.colour and images.shape[1] == 1:
        return images.repeat(3, 1), ""
    if rules.version > 1 and images.shape[1] == 3 and not rules.colour and len(images) and is_grey(images):
        return images[:, :1], GREY_IN_COLOUR
    return images, ""


def is_grey(images: Array, tolerance: int = 0) -> bool:
    """Return whether the three channels of uint8 images [N, 3, H, W] differ by at most ``tolerance`` everywhere."""
    for start in range(0, len(images), 1024):
        block = images[start : start + 1024]
        if np.any(block.max(1) - block.min(1) > tolerance):
            return False
    return True
