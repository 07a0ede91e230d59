"""Sets that were turned into pixels once: a file of pixels and labels with its header, opened in no time."""

import errno
import hashlib
import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import torch
from filelock import FileLock
from pydantic import ValidationError

from ganforge.data.images import ImageSet
from ganforge.data.memmap import MemmapImages, MemmapSlice
from ganforge.data.normalize_arrays import RawSplits
from ganforge.errors import RunFailed, UserError
from ganforge.files import cache_folder, temporary, write_atomically
from ganforge.settings import Settings

PIXELS, HEADER = "pixels.bin", "header.json"
PARTS = ("train", "validation", "test")
VERSION = 2
"""Part of every key: whoever changes what is written raises it."""


class Header(Settings):
    """What the pixels are: how many for each part, in this order, their shape [C, H, W], and what was done to them.

    ``note`` is for the sentence that says where the data came from, ``notes`` are those of `RawSplits`.
    """

    counts: dict[str, int]
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    note: str
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """The images of all parts."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Key:
    """The name of a cached set: what was asked for, and in which state it was found."""

    asked: str
    state: str

    @classmethod
    def of(cls, asked: Iterable[object], state: Iterable[str]) -> "Key":
        """Hash both to a name."""
        return cls(_hash(repr(part) for part in (VERSION, *asked)), _hash(state))

    def __str__(self) -> str:
        return f"{self.asked}-{self.state}"


def _hash(lines: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=10)
    for line in lines:
        digest.update(line.encode(errors="surrogateescape") + b"\n")
    return digest.hexdigest()


Fill = Callable[[IO[bytes]], tuple[Header, npt.NDArray[np.int64]]]
"""Writes the pixels of all images into a file and returns their header and labels."""


def cached(key: Key, name: str, fill: Fill) -> tuple[RawSplits, str]:
    """Open the set of this key, made by ``fill`` if it is not there or damaged; return it with its header's note.

    It is made in a folder beside and bears its name only once it is whole; what was made of an earlier state of the
    same source goes. Two processes take turns; where the file system knows no locks, both make it, and one is kept.

    Raises:
        UserError: the cache cannot be written; or whatever ``fill`` raises.
    """
    sets = cache_folder() / "pictures"
    folder = sets / str(key)
    if found := _open(folder, name):
        return found
    try:
        sets.mkdir(parents=True, exist_ok=True)
        with _turn(sets / f".{key.asked}.lock"):
            found = _open(folder, name) or _made(folder, key, name, fill)
    except (OSError, RunFailed) as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full" if full else getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{sets}: the pixels cannot be written there ({why}); make room, or set GANFORGE_CACHE to another folder"
        ) from error
    if not found:
        raise UserError(f"{folder}: was removed while it was made; start again")
    return found


@contextmanager
def _turn(lock: Path) -> Iterator[None]:
    """Wait until no other process makes a set of this source."""
    turn = FileLock(lock)
    with suppress(OSError, NotImplementedError):
        turn.acquire()
    try:
        yield
    finally:
        turn.release()


def _made(folder: Path, key: Key, name: str, fill: Fill) -> tuple[RawSplits, str] | None:
    for other in folder.parent.glob(f"{key.asked}-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    with temporary(folder.parent) as beside:
        beside.mkdir()
        _make(beside, fill)
        try:
            os.rename(beside, folder)
        except OSError:
            if not _open(folder, name):  # damaged; else another process was quicker, where there are no locks
                shutil.rmtree(folder, ignore_errors=True)
                os.rename(beside, folder)
    return _open(folder, name)


def _make(folder: Path, fill: Fill) -> None:
    with (folder / PIXELS).open("w+b") as file:
        header, labels = fill(file)
        file.seek(header.count * math.prod(header.shape))
        file.truncate()
        file.write(labels.tobytes())
        file.flush()
        os.fsync(file.fileno())
    write_atomically(folder / HEADER, header.model_dump_json().encode())


def _open(folder: Path, name: str) -> tuple[RawSplits, str] | None:
    """Open a set, or return None where it is missing or damaged."""
    with suppress(OSError, ValueError, ValidationError):
        header = Header.model_validate_json((folder / HEADER).read_bytes())
        path, size = folder / PIXELS, header.count * math.prod(header.shape)
        if min(header.shape) < 1 or header.counts.keys() - set(PARTS) or path.stat().st_size != size + 8 * header.count:
            return None
        labels = torch.from_numpy(np.fromfile(path, np.int64, offset=size))
        file, sets, start = MemmapImages(path, (header.count, *header.shape)), {}, 0
        for part in PARTS:
            if count := header.counts.get(part, 0):
                span = MemmapSlice(file, start, start + count)
                title = name if part == "train" else f"{name} {part}"
                pixels, known = file.images[span.start : span.stop], labels[span.start : span.stop]
                sets[part] = ImageSet(pixels, known, header.class_names, title, span)
                start += count
        return RawSplits(
            sets["train"], sets.get("validation"), sets.get("test"), shuffled=True, notes=header.notes
        ), header.note
    return None
