"""Pixels that stay in a file: mapped, read where they are asked for, and let go again."""

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
    """Images uint8 [N, C, H, W] in one file, from byte ``offset`` on; opened, but not read before they are used.

    ``images`` is mapped and read-only: a view of it costs nothing, and writing into it ends the process. Looking
    through it makes pages resident, which `let_go` ends; `read` leaves none behind, and random rows come faster by it.

    Raises:
        OSError, ValueError: there is no such file, or it is too short.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], offset: int = 0) -> None:
        self.path, self._offset = path, offset
        self._row = int(np.prod(shape[1:], dtype=np.int64))
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self._descriptor)
        self._map = mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ)
        flat = np.frombuffer(self._map, np.uint8, shape[0] * self._row, offset)
        with warnings.catch_warnings():
            # A private writable mapping would spare the warning, but counts as memory that the machine must have.
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            self.images = torch.from_numpy(flat.reshape(shape))

    def read(self, rows: Tensor) -> Tensor:
        """Read the images at ``rows`` (int64 [M]) into memory, uint8 [M, C, H, W].

        Raises:
            RunFailed: the file was cut short meanwhile.
        """
        if not hasattr(os, "preadv"):  # Windows
            return self.images[rows]
        read = torch.empty(len(rows), *self.images.shape[1:], dtype=torch.uint8)
        view, size = memoryview(read.numpy().data).cast("B"), self._row
        for place, row in enumerate(rows.tolist()):
            target = view[place * size : (place + 1) * size]
            if os.preadv(self._descriptor, [target], self._offset + row * size) < size:
                raise RunFailed(f"{self.path} was cut short while it was in use; start again, it will be made anew")
        return read

    def release_pages(self) -> None:
        """Let the system take back every page that was looked at; the next look brings it again."""
        if hasattr(self._map, "madvise"):  # not on Windows
            self._map.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True)
class MemmapSlice:
    """The images ``start`` to ``stop`` (exclusive) of a file."""

    file: MemmapImages
    start: int
    stop: int

    def part(self, start: int, stop: int) -> "MemmapSlice":
        """Return a span within this one, counted from its start."""
        return MemmapSlice(self.file, self.start + start, self.start + stop)

    def is_adjacent(self, other: "MemmapSlice | None") -> bool:
        """Say whether ``other`` begins where this one ends."""
        return other is not None and other.file is self.file and other.start == self.stop

    def read(self, rows: Tensor) -> Tensor:
        """Read the images at ``rows``, counted from the start of the span."""
        return self.file.read(rows + self.start)

    def recall(self) -> str | None:
        """Return the fingerprint that was remembered for these images, if one was."""
        try:
            known = self._note.read_text(encoding="ascii")
        except (OSError, ValueError):
            return None
        return known if len(known) == 64 else None

    def remember(self, fingerprint: str) -> None:
        """Remember the fingerprint beside the file; where nothing can be written it will be computed again."""
        with suppress(RunFailed):
            write_atomically(self._note, fingerprint.encode())

    @property
    def _note(self) -> Path:
        return self.file.path.with_name(f"{self.start}-{self.stop}.sha256")
