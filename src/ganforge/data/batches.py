"""Batches as a pure function of (seed, index), so that resuming needs no saved position."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol, Self

import torch
from torch import Tensor

from ganforge.data.images import scale
from ganforge.data.pairs import PairRule
from ganforge.randomness import random_generator


class Batch(NamedTuple):
    """Images [N, C, H, W] in the recipe's pixel range, and the condition of each.

    Attributes:
        images: the images.
        condition: labels int64 [N], images [N, C, H, W] to translate, or None for a recipe without a condition.
    """

    images: Tensor
    condition: Tensor | None

    def repeated(self, draws: int) -> "Batch":
        """Return the first 1/``draws`` of the batch, ``draws`` times, as a batch of the same size."""
        if draws == 1:
            return self
        count = len(self.images) // draws
        first = (None if part is None else part[:count].repeat(draws, *[1] * (part.ndim - 1)) for part in self)
        images, condition = first
        assert images is not None
        return Batch(images, condition)


class Source(Protocol):
    """A data set to take batches from: an ImageSet, or a synthetic set (``data/synthetic.py``)."""

    def __len__(self) -> int: ...

    @property
    def labels(self) -> Tensor:
        """The class of each example, int64 [N]."""
        ...

    def gather(self, indices: Tensor) -> Tensor:
        """Return examples [M, C, H, W] at ``indices``: uint8 pixels, or floats that need no scaling."""
        ...

    def to(self, device: torch.device) -> Self:
        """Return the set on ``device``."""
        ...


class Stream(Protocol):
    """An endless sequence of batches by number."""

    def __getitem__(self, index: int) -> Batch:
        """Return batch number ``index``."""
        ...


Streams = Mapping[str, Stream]
"""The streams of a training run by name: always "real", and those that the recipe's terms declare."""

Order = Literal["shuffled", "fixed", "drawn"]
"""A new permutation in every epoch, the same order in every epoch, or sampling with replacement."""


class Batches:
    """An endless stream of batches in one of the orders above; a batch may span two epochs.

    With ``pairs`` the images become pairs of target and condition, each by its position in the stream: the same picture
    has another mask or other damage in every epoch.

    The whole data set is on the device as uint8 (on the CPU possibly in a file); a batch is one gather and one scaling.

    Raises:
        ValueError: the batch is larger than the data set.
    """

    def __init__(
        self,
        data: Source,
        batch_size: int,
        pixel_range: str,
        *,
        seed: int,
        labels: bool,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        stream: str = "real",
        order: Order = "shuffled",
        pairs: PairRule | None = None,
    ) -> None:
        if batch_size > len(data):
            raise ValueError(f"a batch of {batch_size} from {len(data)} images")
        self._data = data.to(device)
        self._labels = self._data.labels if labels else None
        self._batch_size, self._pixel_range, self._dtype = batch_size, pixel_range, dtype
        self._seed, self._stream, self._order, self._device = seed, stream, order, device
        self._pairs = pairs
        self._cached_permutation = (-1, torch.empty(0))  # epoch and permutation

    def __getitem__(self, index: int) -> Batch:
        """Return batch number ``index``, counted from 0 over all epochs."""
        if self._order == "drawn":
            random = random_generator(self._seed, "drawn", self._stream, index)
            indices = torch.randint(len(self._data), (self._batch_size,), generator=random).to(self._device)
        else:
            indices = self._indices(index * self._batch_size, self._batch_size)
        pixels = self._data.gather(indices)
        if self._pairs:
            positions = torch.arange(index * self._batch_size, (index + 1) * self._batch_size)
            pair = self._pairs.pairs(pixels, self._seed, positions)
            return Batch(*(scale(one, self._pixel_range, self._dtype) for one in pair))
        scaled = pixels.is_floating_point()
        images = pixels.to(self._dtype) if scaled else scale(pixels, self._pixel_range, self._dtype)
        return Batch(images, None if self._labels is None else self._labels[indices])

    def _indices(self, start: int, count: int) -> Tensor:
        epoch, offset = divmod(start, len(self._data))
        head = self._permutation(epoch)[offset : offset + count]
        if len(head) == count:
            return head
        return torch.cat([head, self._indices((epoch + 1) * len(self._data), count - len(head))])

    def _permutation(self, epoch: int) -> Tensor:
        if self._cached_permutation[0] != epoch:
            if self._order == "fixed":
                permutation = torch.arange(len(self._data))
            else:
                random = random_generator(self._seed, "order", self._stream, epoch)
                permutation = torch.randperm(len(self._data), generator=random)
            self._cached_permutation = (epoch, permutation.to(self._device))
        return self._cached_permutation[1]
