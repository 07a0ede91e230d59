"""Which images step n sees, as a pure function of (seed, n): there is no position to save or to lose."""

from typing import NamedTuple

import torch
from torch import Tensor

from ganforge.data.images import ImageSet, scale
from ganforge.randomness import random_generator


class Batch(NamedTuple):
    """Images [N, C, H, W] in the recipe's pixel range, and labels int64 [N] (None where the recipe uses none)."""

    images: Tensor
    labels: Tensor | None


class Batches:
    """An endless stream of batches: every epoch a fresh permutation, and a batch may cross an epoch's end.

    The whole data set lies on the device as uint8 (on the CPU also in a file); a batch is one gather and one scaling.

    Raises:
        ValueError: the batch is larger than the data.
    """

    def __init__(
        self,
        data: ImageSet,
        batch_size: int,
        pixel_range: str,
        *,
        seed: int,
        labels: bool,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        stream: str = "real",
    ) -> None:
        if batch_size > len(data):
            raise ValueError(f"a batch of {batch_size} from {len(data)} images")
        self._data = data.to(device)
        self._labels = self._data.labels if labels else None
        self._batch_size, self._pixel_range, self._dtype = batch_size, pixel_range, dtype
        self._seed, self._stream = seed, stream
        self._order = (-1, torch.empty(0))

    def __getitem__(self, index: int) -> Batch:
        """Return batch number ``index``, counted from 0 over all epochs."""
        chosen = self._chosen(index * self._batch_size, self._batch_size)
        images = scale(self._data.gather(chosen), self._pixel_range, self._dtype)
        return Batch(images, None if self._labels is None else self._labels[chosen])

    def _chosen(self, start: int, count: int) -> Tensor:
        epoch, offset = divmod(start, len(self._data))
        first = self._permutation(epoch)[offset : offset + count]
        if len(first) == count:
            return first
        return torch.cat([first, self._chosen((epoch + 1) * len(self._data), count - len(first))])

    def _permutation(self, epoch: int) -> Tensor:
        if self._order[0] != epoch:
            random = random_generator(self._seed, "order", self._stream, epoch)
            order = torch.randperm(len(self._data), generator=random)
            self._order = (epoch, order.to(self._data.images.device))
        return self._order[1]
