"""ImageSet, the common form of image data, and the scaling of pixels."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ganforge.data.kinds import Kind
from ganforge.data.parts import Parts
from ganforge.data.storage.memmap import MemmapSlice
from ganforge.errors import UserError

PIXEL_RANGES = {"0..1": (0.0, 1.0), "-1..1": (-1.0, 1.0)}
"""The pixel ranges of recipes, by name."""


@dataclass(frozen=True)
class ImageSet:
    """Images with their labels.

    Attributes:
        images: uint8 [N, C, H, W], 0 is black and 255 is white.
        labels: int64 [N], class index, or -1 for an unlabelled image.
        class_names: the name of each class, in index order; empty for unlabelled images.
        name: the name of the set in messages and run folders.
        span: the position of the pixels in a file, if ``images`` is a view of the file.
        parts: the meaning of the channels of pairs and clips; None for single pictures.
        kind: what the images stand for, if not for pictures: sounds or signals.

    Raises:
        UserError: shapes or types do not match, labels are out of range, or the set is empty.
    """

    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...] = ()
    name: str = field(default="images")
    span: MemmapSlice | None = field(default=None, repr=False, compare=False)
    parts: Parts | None = None
    kind: Kind | None = None

    def __post_init__(self) -> None:
        """Check shapes, types and label range."""
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            shape = list(self.images.shape)
            raise UserError(f"{self.name}: images must be uint8 [N, C, H, W]; these are {self.images.dtype} {shape}")
        if len(self.images) == 0:
            raise UserError(f"{self.name}: contains no image; give at least two")
        if self.labels.shape != self.images.shape[:1] or self.labels.dtype != torch.int64:
            shape = list(self.labels.shape)
            raise UserError(f"{self.name}: {len(self)} images need {len(self)} labels, int64 [N]; found {shape}")
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < -1 or (high >= max(len(self.class_names), 0) and high >= 0):
            raise UserError(
                f"{self.name}: labels run from {low} to {high}, but there are {len(self.class_names)} classes; "
                f"labels must be 0 to {len(self.class_names) - 1}, or -1 where unknown"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    @property
    def labelled(self) -> bool:
        """Whether every image has a label."""
        return bool(self.class_names) and bool((self.labels >= 0).all())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of shape, pixels and labels; sets with the same fingerprint hold the same data."""
        if self.span and (stored := self.span.recall()):
            return stored
        digest = hashlib.sha256(repr((self.shape, len(self), self.class_names)).encode())
        for chunk in self.chunks():
            digest.update(np.ascontiguousarray(chunk.cpu().numpy()).data)
        digest.update(np.ascontiguousarray(self.labels.cpu().numpy()).data)
        if self.span:
            self.span.remember(digest.hexdigest())
        return digest.hexdigest()

    def chunks(self, count: int = 4096) -> Iterator[Tensor]:
        """Yield the images ``count`` at a time, for passes over a set that may not fit into memory."""
        for chunk in torch.split(self.images, count):
            try:
                yield chunk
            finally:  # also when the caller stops early
                if self.span:
                    self.span.file.release_pages()

    def gather(self, indices: Tensor) -> Tensor:
        """Return the images at ``indices`` (int64 [M]), in memory."""
        # index_select copies whole images; advanced indexing copies pixel by pixel and takes nine times as long
        return self.span.read(indices) if self.span else self.images.index_select(0, indices)

    def select(self, indices: Tensor | slice, name: str | None = None) -> "ImageSet":
        """Return the images at ``indices`` as a new set; a slice of a set in a file stays in the file."""
        if isinstance(indices, Tensor):
            gathered, labels = self.gather(indices), self.labels[indices]
            return replace(self, images=gathered, labels=labels, name=name or self.name, span=None)
        start, stop, step = indices.indices(len(self))
        span = self.span.part(start, stop) if self.span and step == 1 else None
        images, labels = self.images[indices], self.labels[indices]
        return replace(self, images=images, labels=labels, name=name or self.name, span=span)

    def concat(self, other: "ImageSet") -> "ImageSet":
        """Return both sets as one with the name of this set; adjacent parts of a file stay in the file."""
        labels = torch.cat([self.labels, other.labels])
        if self.span and other.span and self.span.is_adjacent(other.span):
            span = MemmapSlice(self.span.file, self.span.start, other.span.stop)
            images = span.file.images[span.start : span.stop]
            return replace(self, images=images, labels=labels, span=span)
        return replace(self, images=torch.cat([self.images, other.images]), labels=labels, span=None)

    def to(self, device: torch.device) -> "ImageSet":
        """Return the set on ``device``; on the CPU a set in a file stays in the file."""
        if self.images.device == device:
            return self
        return replace(self, images=self.images.to(device), labels=self.labels.to(device), span=None)


@dataclass(frozen=True)
class Splits:
    """A data set in three parts: training, validation (for choices) and test (for reported results).

    ``origin`` is a phrase that names the source of the data. ``notes`` are lines on how ambiguous data was interpreted.
    """

    train: ImageSet
    validation: ImageSet
    test: ImageSet
    origin: str = ""
    notes: tuple[str, ...] = ()

    def called(self, name: str) -> "Splits":
        """Return the same data under another name."""
        return replace(
            self,
            train=replace(self.train, name=name),
            validation=replace(self.validation, name=f"{name} validation"),
            test=replace(self.test, name=f"{name} test"),
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the fingerprints of the three parts."""
        parts = self.train.fingerprint + self.validation.fingerprint + self.test.fingerprint
        return hashlib.sha256(parts.encode()).hexdigest()


def scale(images: Tensor, pixel_range: str, dtype: torch.dtype = torch.float32) -> Tensor:
    """Map uint8 pixels to floats: 0 to the low end, 255 to the high end of ``pixel_range``."""
    low, high = PIXEL_RANGES[pixel_range]
    scaled = images.to(dtype).mul_((high - low) / 255)
    return scaled.add_(low) if low else scaled


def unscale(pixels: Tensor, pixel_range: str) -> Tensor:
    """Map floats in ``pixel_range`` back to uint8, rounded to the nearest level and clipped to 0..255."""
    low, high = PIXEL_RANGES[pixel_range]
    return pixels.sub(low).mul_(255 / (high - low)).round_().clamp_(0, 255).to(torch.uint8)
