"""A cache of decoded image sets: one file of pixels and labels with a JSON header, opened by memory mapping."""

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
from ganforge.data.normalize_arrays import RawSplits
from ganforge.data.reading_rules import PARTS
from ganforge.data.storage.memmap import MemmapImages, MemmapSlice
from ganforge.errors import RunFailed, UserError
from ganforge.files import cache_folder, temporary, write_atomically
from ganforge.settings import Settings

PIXELS, HEADER = "pixels.bin", "header.json"
VERSION = 2
"""The version of the cache format, a part of every key; increase it when the written content changes."""


class Header(Settings):
    """The header of a cached set: image counts of the parts in file order, shape [C, H, W], class names and notes.

    ``note`` describes content and processing for the note on the source; ``notes`` are those of `RawSplits`.
    """

    counts: dict[str, int]
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    note: str
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """The number of images in all parts."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Key:
    """The name of a cached set: hashes of the request (source and rules) and of the state of the source files."""

    request: str
    state: str

    @classmethod
    def of(cls, request: Iterable[object], state: Iterable[str]) -> "Key":
        """Return the key with both hashes."""
        return cls(_hash(repr(part) for part in (VERSION, *request)), _hash(state))

    def __str__(self) -> str:
        return f"{self.request}-{self.state}"


def _hash(lines: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=10)
    for line in lines:
        digest.update(line.encode(errors="surrogateescape") + b"\n")
    return digest.hexdigest()


Fill = Callable[[IO[bytes]], tuple[Header, npt.NDArray[np.int64]]]
"""A function that writes the pixels of all images to a file and returns the header and the labels."""


def cached(key: Key, name: str, fill: Fill) -> tuple[RawSplits, str]:
    """Open the cached set of this key, or create it with ``fill`` if it is missing or damaged; return it and its note.

    The set is written to a temporary folder and renamed when complete. Sets of earlier states of the same source are
    deleted. A file lock serialises processes; without file locks each process creates the set and one copy is kept.

    Raises:
        UserError: the cache cannot be written, or ``fill`` raises it.
    """
    sets = cache_folder() / "pictures"
    folder = sets / str(key)
    if cached_set := _open(folder, name):
        return cached_set
    try:
        sets.mkdir(parents=True, exist_ok=True)
        with _locked(sets / f".{key.request}.lock"):
            cached_set = _open(folder, name) or _create(folder, key, name, fill)
    except (OSError, RunFailed) as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        cause = "the disk is full" if full else getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{sets}: pixels cannot be written ({cause}); free some space, or set GANFORGE_CACHE to another folder"
        ) from error
    if not cached_set:
        raise UserError(f"{folder}: was deleted while it was written; run the command again")
    return cached_set


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a source while its set is written; a file system without locks is tolerated."""
    file_lock = FileLock(path)
    with suppress(OSError, NotImplementedError):
        file_lock.acquire()
    try:
        yield
    finally:
        file_lock.release()


def _create(folder: Path, key: Key, name: str, fill: Fill) -> tuple[RawSplits, str] | None:
    for other in folder.parent.glob(f"{key.request}-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    with temporary(folder.parent) as staging:
        staging.mkdir()
        _write(staging, fill)
        try:
            os.rename(staging, folder)
        except OSError:
            if not _open(folder, name):  # a damaged set; otherwise another process created it first
                shutil.rmtree(folder, ignore_errors=True)
                os.rename(staging, folder)
    return _open(folder, name)


def _write(folder: Path, fill: Fill) -> None:
    with (folder / PIXELS).open("w+b") as file:
        header, labels = fill(file)
        file.seek(header.count * math.prod(header.shape))
        file.truncate()
        file.write(labels.tobytes())
        file.flush()
        os.fsync(file.fileno())
    write_atomically(folder / HEADER, header.model_dump_json().encode())


def _open(folder: Path, name: str) -> tuple[RawSplits, str] | None:
    """Open a cached set and return it with its note, or None if it is missing or damaged."""
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
                pixels, part_labels = file.images[span.start : span.stop], labels[span.start : span.stop]
                sets[part] = ImageSet(pixels, part_labels, header.class_names, title, span)
                start += count
        return RawSplits(
            sets["train"], sets.get("validation"), sets.get("test"), shuffled=True, notes=header.notes
        ), header.note
    return None
