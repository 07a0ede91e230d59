"""Images in a file on the disk: memory-mapped, read on demand, and released from memory again."""

import mmap
import os
import warnings
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganforge.errors import RunFailed
from ganforge.files import write_atomically


class MemmapImages:
    """Images uint8 [N, C, H, W] stored in one file from byte ``offset`` on and read on demand.

    ``images`` is a read-only memory map: slicing it copies nothing, and writing to it crashes the process. Access makes
    its pages resident until `release_pages`. `read` leaves no resident pages and is faster for random rows.

    Raises:
        OSError, ValueError: the file does not exist or is too short.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], offset: int = 0) -> None:
        self.path, self._offset = path, offset
        self._row = int(np.prod(shape[1:], dtype=np.int64))
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self._descriptor)
        self._map = mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ)
        flat = np.frombuffer(self._map, np.uint8, shape[0] * self._row, offset)
        with warnings.catch_warnings():
            # A private writable map would avoid the warning, but the system counts it as committed memory.
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            self.images = torch.from_numpy(flat.reshape(shape))

    def read(self, rows: Tensor) -> Tensor:
        """Read the images at ``rows`` (int64 [M]) into memory, uint8 [M, C, H, W].

        Raises:
            RunFailed: the file was cut short after it was opened.
        """
        if not hasattr(os, "preadv"):  # Windows
            return self.images[rows]
        images = torch.empty(len(rows), *self.images.shape[1:], dtype=torch.uint8)
        view, size = memoryview(images.numpy().data).cast("B"), self._row
        for index, row in enumerate(rows.tolist()):
            target = view[index * size : (index + 1) * size]
            if os.preadv(self._descriptor, [target], self._offset + row * size) < size:
                raise RunFailed(
                    f"{self.path} was cut short while it was in use; run the command again (a cached file is recreated)"
                )
        return images

    def release_pages(self) -> None:
        """Release the resident pages of the map; the next access reads them from the file again."""
        if hasattr(self._map, "madvise"):  # not on Windows
            self._map.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True)
class MemmapSlice:
    """The images from ``start`` to ``stop`` (exclusive) of a file."""

    file: MemmapImages
    start: int
    stop: int

    def part(self, start: int, stop: int) -> "MemmapSlice":
        """Return the slice from ``start`` to ``stop``, relative to the start of this one."""
        return MemmapSlice(self.file, self.start + start, self.start + stop)

    def is_adjacent(self, other: "MemmapSlice | None") -> bool:
        """Tell whether ``other`` is of the same file and begins where this slice ends."""
        return other is not None and other.file is self.file and other.start == self.stop

    def read(self, rows: Tensor) -> Tensor:
        """Read the images at ``rows``, relative to the start of the slice."""
        return self.file.read(rows + self.start)

    def recall(self) -> str | None:
        """Return the fingerprint stored for these images, or None."""
        try:
            fingerprint = self._fingerprint_path.read_text(encoding="ascii")
        except (OSError, ValueError):
            return None
        return fingerprint if len(fingerprint) == 64 else None

    def remember(self, fingerprint: str) -> None:
        """Store the fingerprint next to the file; if that fails, it is computed again next time."""
        with suppress(RunFailed):
            write_atomically(self._fingerprint_path, fingerprint.encode())

    @property
    def _fingerprint_path(self) -> Path:
        return self.file.path.with_name(f"{self.start}-{self.stop}.sha256")
