"""Arrays as they were found become sets: the one place where layout, pixel type and labels are settled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganforge.data.images import ImageSet
from ganforge.data.rules import USUAL, ReadingRules
from ganforge.errors import UserError

Array = npt.NDArray[Any]
Found = Mapping[str, tuple[Array, Array | None]]
"""Images and labels as they were found, by part: train, and where there are any, validation and test."""

SMALLEST, LARGEST = 8, 64
MOST_CLASSES = 1000


@dataclass(frozen=True)
class Parts:
    """What a source holds: images to train on and, where its makers set some apart, images to validate and test on.

    ``shuffled`` says that the training images already lie in the order in which they are to be cut. ``notes`` say in
    one line each how the source was read where it could have been read otherwise.
    """

    train: ImageSet
    validation: ImageSet | None = None
    test: ImageSet | None = None
    shuffled: bool = False
    notes: tuple[str, ...] = ()


def settle(
    found: Found,
    where: str,
    name: str,
    rules: ReadingRules = USUAL,
    notes: Sequence[str] = (),
    class_names: Sequence[str] = (),
) -> Parts:
    """Settle layout, pixels and labels, over all parts at once so that one scale holds for every part.

    ``notes``: what the reader has to say of the source; lines of this function's own follow. ``class_names``: of the
    classes 0, 1, …, where the source tells them; the labels then count from 0.
    """
    images = {part: channels_first(pixels, where) for part, (pixels, _) in found.items()}
    train = images["train"]
    for part, pixels in images.items():
        if pixels.shape[1:] != train.shape[1:] or pixels.dtype != train.dtype:
            kinds = f"{pixels.dtype} {list(pixels.shape)} and its train images {train.dtype} {list(train.shape)}"
            raise UserError(f"{where}: its {part} images are {kinds}; make them alike")
        if len(pixels) < (2 if part == "train" else 1):
            raise UserError(f"{where}: {len(pixels)} {part} image(s); a GAN needs at least two different images")
    counts = {part: len(pixels) for part, pixels in images.items()}
    labels, classes = settle_labels({part: found[part][1] for part in found}, counts, where, rules, class_names)
    joined = torch.from_numpy(_to_uint8(np.concatenate(list(images.values())), where))
    sets, start = {}, 0
    for part, pixels in images.items():
        title = name if part == "train" else f"{name} {part}"
        sets[part] = ImageSet(joined[start : start + len(pixels)], labels[part], classes, title)
        start += len(pixels)
    return Parts(sets["train"], sets.get("validation"), sets.get("test"), notes=tuple(notes))


def channels_first(images: Array, where: str) -> Array:
    """Lay images out as [N, C, H, W] and refuse counts of channels and sizes that no network here is made for."""
    shape = list(images.shape)
    if images.ndim not in (3, 4):
        raise UserError(
            f"{where}: images must be [N, H, W], [N, H, W, C] or [N, C, H, W], these are {shape}; reshape them"
        )
    if images.ndim == 3:
        images = images[:, None]
    elif shape[3] in (1, 3) and shape[1] not in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    elif shape[1] not in (1, 3):
        raise UserError(
            f"{where}: images have {min(shape[1], shape[3])} channels {shape}; only 1 (grey) and 3 (RGB) work"
        )
    height, width = images.shape[2:]
    if not (SMALLEST <= height <= LARGEST and SMALLEST <= width <= LARGEST):
        raise UserError(f"{where}: images are {width}×{height} px; {SMALLEST} to {LARGEST} px a side work, resize them")
    return images


def _to_uint8(images: Array, where: str) -> Array:
    """Map pixels to 0..255: truth values, whole numbers in 0..255, or floats in 0..1, -1..1 or 0..255."""
    if images.dtype == np.uint8 or images.size == 0:
        return images
    if images.dtype.kind not in "biuf":
        raise UserError(f"{where}: pixels are of type {images.dtype}; save them as uint8 in 0..255")
    if images.dtype.kind == "b":
        return images.astype(np.uint8) * np.uint8(255)
    low, high = images.min(), images.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UserError(f"{where}: some pixels are NaN or infinite; repair or drop those images")
    if images.dtype.kind == "f":
        # The hair's breadth lets through what normalising in float32 leaves beside the ends.
        if high <= 1 + 1e-5 and low >= -1 - 1e-5:
            images = images.astype(np.float32)
            images = (images + 1) * 127.5 if low < -1e-5 else images * 255
        elif low < 0 or high > 255:
            raise UserError(f"{where}: pixels run from {low:g} to {high:g}; scale them to 0..1 or to 0..255 first")
        return np.rint(images).clip(0, 255).astype(np.uint8)
    if low < 0 or high > 255:
        raise UserError(f"{where}: pixels run from {low} to {high}; scale them to 0..255 first")
    return images.astype(np.uint8)


def settle_labels(
    found: Mapping[str, Array | None], counts: Mapping[str, int], where: str, rules: ReadingRules, names: Sequence[str]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Settle the labels of all parts, of which ``counts`` gives the numbers of images, and the names of the classes."""
    labels = {part: _labels(found[part], count, where) for part, count in counts.items()}
    highest = max(int(part.max()) for part in labels.values())
    return labels, tuple(names) if highest < len(names) else tuple(map(str, range(highest + 1)))


def _labels(labels: Array | None, count: int, where: str) -> Tensor:
    """Check labels and return them as int64 [N]; -1 throughout where there are none."""
    if labels is None:
        return torch.full((count,), -1)
    if labels.dtype.kind not in "biuf":
        raise UserError(f"{where}: labels are of type {labels.dtype}; give whole numbers from 0, or -1 where unknown")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise UserError(f"{where}: {count} images need {count} labels, one number each; found {list(labels.shape)}")
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == np.rint(labels)).all()):
        raise UserError(f"{where}: some labels are not whole numbers; give 0, 1, 2, …, or -1 where unknown")
    low, high = (0, 0) if count == 0 else (int(labels.min()), int(labels.max()))
    if low < -1 or high >= MOST_CLASSES:
        raise UserError(
            f"{where}: labels run from {low} to {high}; they must be 0 to {MOST_CLASSES - 1}, or -1 if unknown"
        )
    return torch.from_numpy(labels.astype(np.int64))
