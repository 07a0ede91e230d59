"""The sets beside MNIST as their makers publish them: IDX files, IDX files in a zip, rows of bytes in a tar.

Of an archive only the files of the expected names are read, and straight into memory: nothing is unpacked to the disk,
so no name within it leads anywhere. Counts, shapes and labels are checked because the makers gave a checksum of the
packed file only, and a user's copy may be unpacked or packed anew.
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

from ganforge.data.idx import Held, find_spelling, read_idx, read_idx_folder, read_idx_stream
from ganforge.data.images import ImageSet
from ganforge.data.normalize_arrays import Array, RawSplits
from ganforge.data.open_file import open_content
from ganforge.errors import UserError


@dataclass(frozen=True)
class DatasetSpec:
    """What a published set holds: its classes, its numbers of training and test images, and their shape [C, H, W].

    ``first`` is the label that its files give the first class.
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
    """Find a file of an unpacked archive: where the archive puts it, or in ``folder`` itself."""
    return find_spelling(folder, member) or find_spelling(folder, PurePosixPath(member).name)


def read_grey(form: DatasetSpec, folder: Path) -> RawSplits:
    """Read a set that has MNIST's form and MNIST's file names.

    Raises:
        UserError: a file is missing or damaged, or is not what was published.
    """
    found = read_idx_folder(folder, form.name)
    train, test = (
        _checked(part.images.numpy(), part.labels.numpy(), form, count, folder)
        for part, count in zip((found.train, found.test), form.counts, strict=True)
        if part
    )
    return _parts(train, test, form)


def read_letters(form: DatasetSpec, folder: Path) -> RawSplits:
    """Read the letters of EMNIST from its archive or, where that is not in ``folder``, from their four files.

    The files hold every picture transposed, column after column, and number a to z from 1: both are set right here.

    Raises:
        UserError: as `read_grey`.
    """
    archive = folder / LETTERS_ARCHIVE
    where = archive if archive.is_file() else folder
    read = _read_zipped if archive.is_file() else _read_unpacked
    train_images, train_labels, test_images, test_labels = (read(where, member) for member in LETTERS_MEMBERS)
    train = _checked(train_images.transpose(0, 2, 1)[:, None], train_labels, form, form.counts[0], where)
    test = _checked(test_images.transpose(0, 2, 1)[:, None], test_labels, form, form.counts[1], where)
    return _parts(train, test, form)


def read_cifar10(form: DatasetSpec, folder: Path) -> RawSplits:
    """Read the binary version of CIFAR-10 from its archive or, where that is not in ``folder``, from its six files.

    A row is a label and 3 × 32 × 32 pixels: all of red, then green, then blue, each row after row. The version for
    Python is a pickle and never looked at.

    Raises:
        UserError: as `read_grey`.
    """
    archive = find_spelling(folder, CIFAR10_ARCHIVE)
    counts = [form.counts[0] // 5] * 5 + [form.counts[1]]
    if archive:
        batches = _read_tar(archive, dict(zip(CIFAR10_MEMBERS, counts, strict=True)), form)
    else:
        batches = [_read_batch(folder, member, n, form) for member, n in zip(CIFAR10_MEMBERS, counts, strict=True)]

    def part(rows: Array, count: int) -> ImageSet:
        return _checked(rows[:, 1:].reshape(-1, *form.shape), rows[:, 0], form, count, archive or folder)

    return _parts(part(np.concatenate(batches[:5]), form.counts[0]), part(batches[5], form.counts[1]), form)


# Files and members of archives


def _read_unpacked(folder: Path, member: str) -> Array:
    return read_idx(find_member(folder, member) or folder / PurePosixPath(member).name, _held(member))


def _read_zipped(archive: Path, member: str) -> Array:
    with open_content(archive) as raw, zipfile.ZipFile(raw) as zipped:
        found = [info for info in zipped.infolist() if _is(member, info.filename)]
        if len(found) != 1:
            raise UserError(f"{archive}: holds {len(found)} files called {member}, where one is needed; get it again")
        with zipped.open(found[0]) as packed, gzip.GzipFile(fileobj=packed) as stream:
            where = f"{archive} [{member}]"
            return read_idx_stream(stream, _held(member), where)  # type: ignore[arg-type]  # as in `open_content`


def _held(member: str) -> Held:
    return "images" if "images" in member else "labels"


def _is(member: str, found: str) -> bool:
    """Say whether a name in an archive is that of a member, where its makers put it or at the top."""
    return found.removeprefix("./") in (member, PurePosixPath(member).name)


def _read_batch(folder: Path, member: str, count: int, form: DatasetSpec) -> Array:
    path = find_member(folder, member) or folder / PurePosixPath(member).name
    with open_content(path) as stream:
        return _read_rows(stream, count, form, str(path))


def _read_tar(archive: Path, counts: dict[str, int], form: DatasetSpec) -> list[Array]:
    """Read the members that ``counts`` names, each with its number of rows, in that order."""
    found: dict[str, Array] = {}
    try:
        with open_content(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            for entry in tar:
                name = next((member for member in counts if _is(member, entry.name)), None)
                content = tar.extractfile(entry) if name and entry.isfile() else None  # a link is no file
                if name and content:
                    found[name] = _read_rows(content, counts[name], form, f"{archive} [{name}]")
            while stream.read(1 << 20):
                pass  # only at its end does gzip compare its own checksum
    except tarfile.TarError as error:
        raise UserError(f"{archive}: is damaged or no tar ({' '.join(str(error).split())}); get it again") from error
    if missing := [member for member in counts if member not in found]:
        raise UserError(f"{archive}: holds no file called {missing[0]}; get it again")
    return [found[member] for member in counts]


def _read_rows(stream: IO[bytes], count: int, form: DatasetSpec, where: str) -> Array:
    """Read ``count`` rows of a label and an image, and not more than a byte beyond them."""
    row = 1 + int(np.prod(form.shape))
    content = stream.read(count * row + 1)
    if len(content) != count * row:
        held = f"more than {count * row:,}" if len(content) > count * row else f"{len(content):,}"
        raise UserError(f"{where}: holds {held} bytes, where {count:,} rows of {row:,} are needed; get it again")
    return np.frombuffer(content, np.uint8).reshape(count, row)


# What all end in


def _checked(images: Array, labels: Array, form: DatasetSpec, count: int, where: Path) -> ImageSet:
    """Make a set of images [N, C, H, W] and labels [N] once they are as many, as large and as labelled as published."""
    if images.shape != (count, *form.shape) or labels.shape != (count,):
        found, wanted = f"{list(images.shape)} with {len(labels):,} labels", [count, *form.shape]
        raise UserError(f"{where}: holds images {found}, where {form.name} has {wanted}; get it again")
    low, high, last = int(labels.min()), int(labels.max()), form.first + len(form.classes) - 1
    if low < form.first or high > last:
        raise UserError(
            f"{where}: labels run from {low} to {high}, where {form.name} has {form.first} to {last}; get it again"
        )
    kept = torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(labels.astype(np.int64) - form.first)
    return ImageSet(*kept, form.classes, form.name)


def _parts(train: ImageSet, test: ImageSet, form: DatasetSpec) -> RawSplits:
    return RawSplits(train, test=ImageSet(test.images, test.labels, test.class_names, f"{form.name} test"))
