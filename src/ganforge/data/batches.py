"""Which images step n sees, as a pure function of (seed, n): there is no position to save or to lose."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol, Self

import torch
from torch import Tensor

from ganforge.data.images import scale
from ganforge.randomness import random_generator


class Batch(NamedTuple):
    """Images [N, C, H, W] in the recipe's pixel range, and labels int64 [N] (None where the recipe uses none)."""

    images: Tensor
    labels: Tensor | None


class Source(Protocol):
    """What batches are taken from: an ImageSet, or one of the made-up sets of ``data/toy.py``."""

    def __len__(self) -> int: ...

    @property
    def labels(self) -> Tensor:
        """The class of each example, int64 [N]."""
        ...

    def gather(self, indices: Tensor) -> Tensor:
        """Examples [M, C, H, W] at ``indices``: pixels as uint8, or floats that need no scaling."""
        ...

    def to(self, device: torch.device) -> Self:
        """The set on ``device``."""
        ...


class Stream(Protocol):
    """Batches without end, by number."""

    def __getitem__(self, index: int) -> Batch:
        """Return batch number ``index``."""
        ...


Streams = Mapping[str, Stream]
"""The streams of one game by name: "real" always, others as terms declare them."""

Order = Literal["shuffled", "fixed", "drawn"]
"""Every epoch a fresh permutation, every epoch the same order, or each example drawn anew from all of them."""


class Batches:
    """An endless stream of batches in one of the orders above; a batch may cross an epoch's end.

    The whole data set lies on the device as uint8 (on the CPU also in a file); a batch is one gather and one scaling.

    Raises:
        ValueError: the batch is larger than the data.
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
    ) -> None:
        if batch_size > len(data):
            raise ValueError(f"a batch of {batch_size} from {len(data)} images")
        self._data = data.to(device)
        self._labels = self._data.labels if labels else None
        self._batch_size, self._pixel_range, self._dtype = batch_size, pixel_range, dtype
        self._seed, self._stream, self._kind, self._device = seed, stream, order, device
        self._order = (-1, torch.empty(0))

    def __getitem__(self, index: int) -> Batch:
        """Return batch number ``index``, counted from 0 over all epochs."""
        if self._kind == "drawn":
            random = random_generator(self._seed, "drawn", self._stream, index)
            chosen = torch.randint(len(self._data), (self._batch_size,), generator=random).to(self._device)
        else:
            chosen = self._chosen(index * self._batch_size, self._batch_size)
        taken = self._data.gather(chosen)
        ready = taken.is_floating_point()
        images = taken.to(self._dtype) if ready else scale(taken, self._pixel_range, self._dtype)
        return Batch(images, None if self._labels is None else self._labels[chosen])

    def _chosen(self, start: int, count: int) -> Tensor:
        epoch, offset = divmod(start, len(self._data))
        first = self._permutation(epoch)[offset : offset + count]
        if len(first) == count:
            return first
        return torch.cat([first, self._chosen((epoch + 1) * len(self._data), count - len(first))])

    def _permutation(self, epoch: int) -> Tensor:
        if self._order[0] != epoch:
            if self._kind == "fixed":
                order = torch.arange(len(self._data))
            else:
                random = random_generator(self._seed, "order", self._stream, epoch)
                order = torch.randperm(len(self._data), generator=random)
            self._order = (epoch, order.to(self._device))
        return self._order[1]
