"""Readers for the published data sets other than MNIST: IDX files, IDX files in a zip, and rows of bytes in a tar.

Only members with the expected names are read from an archive, directly into memory. Nothing is unpacked to the disk, so
a member's name cannot write outside a folder. Counts, shapes and labels are checked because only the packed files have
a published checksum, and a user's copy may be unpacked or repacked.
"""

import gzip
import string
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
import torch

from ganforge.data.images import ImageSet
from ganforge.data.normalize_arrays import Array, RawSplits
from ganforge.data.sources.idx import Held, find_spelling, read_idx, read_idx_folder, read_idx_stream
from ganforge.data.sources.open_file import open_content
from ganforge.errors import UserError


@dataclass(frozen=True)
class DatasetSpec:
    """The content of a published data set: class names, numbers of training and test images, and image shape [C, H, W].

    ``first`` is the label of the first class in its files.
    """

    name: str
    classes: tuple[str, ...]
    counts: tuple[int, int] = (60_000, 10_000)
    shape: tuple[int, int, int] = (1, 28, 28)
    first: int = 0


FASHION = DatasetSpec(
    "fashion",
    ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
KMNIST = DatasetSpec("kmnist", ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"))
LETTERS = DatasetSpec("emnist-letters", tuple(string.ascii_lowercase), counts=(124_800, 20_800), first=1)
CIFAR10 = DatasetSpec(
    "cifar10",
    ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    counts=(50_000, 10_000),
    shape=(3, 32, 32),
)

LETTERS_ARCHIVE, CIFAR10_ARCHIVE = "gzip.zip", "cifar-10-binary.tar.gz"
LETTERS_MEMBERS = tuple(
    f"gzip/emnist-letters-{part}-{kind}-ubyte.gz"
    for part in ("train", "test")
    for kind in ("images-idx3", "labels-idx1")
)
CIFAR10_MEMBERS = tuple(
    f"cifar-10-batches-bin/{batch}.bin" for batch in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch")
)


def find_member(folder: Path, member: str) -> Path | None:
    """Return the path of an unpacked member, at its path in the archive or directly in ``folder``, or None."""
    return find_spelling(folder, member) or find_spelling(folder, PurePosixPath(member).name)


def read_grey(spec: DatasetSpec, folder: Path) -> RawSplits:
    """Read a data set that has MNIST's file format and file names.

    Raises:
        UserError: a file is missing, damaged, or different from the published one.
    """
    splits = read_idx_folder(folder, spec.name)
    train, test = (
        _checked(part.images.numpy(), part.labels.numpy(), spec, count, folder)
        for part, count in zip((splits.train, splits.test), spec.counts, strict=True)
        if part
    )
    return _raw_splits(train, test, spec)


def read_letters(spec: DatasetSpec, folder: Path) -> RawSplits:
    """Read EMNIST letters from the archive in ``folder``, or from the four unpacked files if there is no archive.

    The files store every image transposed (column-major) and number a to z from 1. The images are returned upright and
    the labels start at 0.

    Raises:
        UserError: as for `read_grey`.
    """
    archive = folder / LETTERS_ARCHIVE
    where = archive if archive.is_file() else folder
    read = _read_zipped if archive.is_file() else _read_unpacked
    train_images, train_labels, test_images, test_labels = (read(where, member) for member in LETTERS_MEMBERS)
    train = _checked(train_images.transpose(0, 2, 1)[:, None], train_labels, spec, spec.counts[0], where)
    test = _checked(test_images.transpose(0, 2, 1)[:, None], test_labels, spec, spec.counts[1], where)
    return _raw_splits(train, test, spec)


def read_cifar10(spec: DatasetSpec, folder: Path) -> RawSplits:
    """Read the binary version of CIFAR-10 from the archive in ``folder``, or from the six unpacked files.

    A row is a label and 3 × 32 × 32 pixels: the red plane, then green, then blue, each in row-major order. The Python
    version is a pickle and is never read.

    Raises:
        UserError: as for `read_grey`.
    """
    archive = find_spelling(folder, CIFAR10_ARCHIVE)
    counts = [spec.counts[0] // 5] * 5 + [spec.counts[1]]
    if archive:
        batches = _read_tar(archive, dict(zip(CIFAR10_MEMBERS, counts, strict=True)), spec)
    else:
        batches = [_read_batch(folder, member, n, spec) for member, n in zip(CIFAR10_MEMBERS, counts, strict=True)]

    def part(rows: Array, count: int) -> ImageSet:
        return _checked(rows[:, 1:].reshape(-1, *spec.shape), rows[:, 0], spec, count, archive or folder)

    return _raw_splits(part(np.concatenate(batches[:5]), spec.counts[0]), part(batches[5], spec.counts[1]), spec)


# Files and members of archives


def _read_unpacked(folder: Path, member: str) -> Array:
    return read_idx(find_member(folder, member) or folder / PurePosixPath(member).name, _content_kind(member))


def _read_zipped(archive: Path, member: str) -> Array:
    with open_content(archive) as raw, zipfile.ZipFile(raw) as zipped:
        matches = [info for info in zipped.infolist() if _is_member(member, info.filename)]
        if len(matches) != 1:
            raise UserError(f"{archive}: holds {len(matches)} files called {member}, expected one; get it again")
        with zipped.open(matches[0]) as packed, gzip.GzipFile(fileobj=packed) as stream:
            where = f"{archive} [{member}]"
            return read_idx_stream(stream, _content_kind(member), where)  # type: ignore[arg-type]  # as in `open_content`


def _content_kind(member: str) -> Held:
    return "images" if "images" in member else "labels"


def _is_member(member: str, name: str) -> bool:
    """Tell whether a name in an archive is that of ``member``, at its published path or at the top level."""
    return name.removeprefix("./") in (member, PurePosixPath(member).name)


def _read_batch(folder: Path, member: str, count: int, spec: DatasetSpec) -> Array:
    path = find_member(folder, member) or folder / PurePosixPath(member).name
    with open_content(path) as stream:
        return _read_rows(stream, count, spec, str(path))


def _read_tar(archive: Path, counts: dict[str, int], spec: DatasetSpec) -> list[Array]:
    """Read the members named by the keys of ``counts``, in that order; the values are their numbers of rows."""
    rows: dict[str, Array] = {}
    try:
        with open_content(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            for entry in tar:
                name = next((member for member in counts if _is_member(member, entry.name)), None)
                content = tar.extractfile(entry) if name and entry.isfile() else None  # links are skipped
                if name and content:
                    rows[name] = _read_rows(content, counts[name], spec, f"{archive} [{name}]")
            while stream.read(1 << 20):
                pass  # gzip verifies its checksum only at the end of the stream
    except tarfile.TarError as error:
        raise UserError(f"{archive}: is damaged or not a tar ({' '.join(str(error).split())}); get it again") from error
    if missing := [member for member in counts if member not in rows]:
        raise UserError(f"{archive}: holds no file called {missing[0]}; get it again")
    return [rows[member] for member in counts]


def _read_rows(stream: IO[bytes], count: int, spec: DatasetSpec, where: str) -> Array:
    """Read exactly ``count`` rows, each a label and an image; at most one byte more is read from the stream."""
    row = 1 + int(np.prod(spec.shape))
    content = stream.read(count * row + 1)
    if len(content) != count * row:
        size = f"more than {count * row:,}" if len(content) > count * row else f"{len(content):,}"
        raise UserError(f"{where}: holds {size} bytes, expected {count:,} rows of {row:,}; get it again")
    return np.frombuffer(content, np.uint8).reshape(count, row)


# Checks common to all formats


def _checked(images: Array, labels: Array, spec: DatasetSpec, count: int, where: Path) -> ImageSet:
    """Return a set of images [N, C, H, W] and labels [N] whose count, shape and label range are the published ones."""
    if images.shape != (count, *spec.shape) or labels.shape != (count,):
        actual, expected = f"{list(images.shape)} with {len(labels):,} labels", [count, *spec.shape]
        raise UserError(f"{where}: holds images {actual}, where {spec.name} has {expected}; get it again")
    low, high, last = int(labels.min()), int(labels.max()), spec.first + len(spec.classes) - 1
    if low < spec.first or high > last:
        raise UserError(
            f"{where}: labels run from {low} to {high}, where {spec.name} has {spec.first} to {last}; get it again"
        )
    tensors = torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(labels.astype(np.int64) - spec.first)
    return ImageSet(*tensors, spec.classes, spec.name)


def _raw_splits(train: ImageSet, test: ImageSet, spec: DatasetSpec) -> RawSplits:
    return RawSplits(train, test=ImageSet(test.images, test.labels, test.class_names, f"{spec.name} test"))
