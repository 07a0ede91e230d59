"""IDX files, the format of MNIST and its successors: one array of bytes, integers or floats."""

import math
import string
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Literal

import numpy as np

from ganforge.data.normalize_arrays import Array, Found, RawSplits, to_image_sets
from ganforge.data.reading_rules import USUAL, ReadingRules, words_of
from ganforge.data.sources.array_names import place_of
from ganforge.data.sources.open_file import (
    FORMS,
    MOST_BYTES,
    PACKED_ENDINGS,
    listed,
    open_content,
    read_claimed,
    read_up_to,
)
from ganforge.data.sources.table_files import Reading, Source, bare_name, in_order
from ganforge.errors import UserError

Held = Literal["images", "labels"]
Files = dict[tuple[str, Held], "Source"]
"""The files of a set by part and content."""

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
DIMENSIONS: dict[Held, tuple[int, ...]] = {"images": (2, 3, 4), "labels": (1, 2)}
SILENT_WORDS = ("ubyte", "byte", "short", "int", "float", "double")

MNIST_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

EMNIST = string.digits + string.ascii_uppercase + string.ascii_lowercase
EMNIST_CLASSES = {
    "byclass": EMNIST,
    "bymerge": EMNIST[:36] + "abdefghnqrt",
    "balanced": EMNIST[:36] + "abdefghnqrt",
    "digits": string.digits,
    "mnist": string.digits,
    "letters": string.ascii_lowercase,
}
"""The character of each class in EMNIST's splits; only the labels of letters start at 1."""


def find_spelling(folder: Path, name: str) -> Path | None:
    """Find an IDX file in ``folder`` under any common spelling: compressed or not, with ``-idx`` or ``.idx``."""
    bare = bare_name(name)
    for stem in (bare, bare.replace("-idx", ".idx"), bare.replace(".idx", "-idx")):
        for spelling in (*(f"{stem}{ending}" for ending in PACKED_ENDINGS), stem):
            if (folder / spelling).is_file():
                return folder / spelling
    return None


# One file


def read_idx(path: Path, role: Held) -> Array:
    """Read one IDX file: images with 2 to 4 dimensions (2 means rows of pixels), or labels with 1 or 2.

    Raises:
        UserError: the file is missing, empty, truncated, too long, damaged, or not such a file.
    """
    with open_content(path) as stream:
        return read_idx_stream(stream, role, str(path))


def read_idx_stream(stream: IO[bytes], role: Held, where: str) -> Array:
    """Read one IDX file from a stream, as `read_idx`; ``where`` names it in messages.

    Memory is allocated for the actual content, not for the header's claim; at most one byte more than claimed is read.
    """
    start = read_up_to(stream, 4)
    if not start:
        raise UserError(f"{where}: is empty; download it again")
    if not is_idx(bytes(start)):
        raise UserError(f"{where}: is not an IDX file (it starts with {start.hex()}); {FORMS}")
    kind, dimensions = np.dtype(TYPES[start[2]]), start[3]
    if dimensions not in DIMENSIONS[role]:
        content_kind = "IDX labels" if dimensions == 1 else "IDX images" if dimensions in (3, 4) else "an IDX file"
        raise UserError(f"{where}: is {content_kind} of {dimensions} dimension(s), not IDX {role}; {FORMS}")
    header = read_up_to(stream, 4 * dimensions)
    if len(header) < 4 * dimensions:
        raise UserError(f"{where}: ends within its header; download it again")
    shape = struct.unpack(f">{dimensions}I", header)
    claimed = math.prod(shape) * kind.itemsize
    if claimed > MOST_BYTES:
        raise UserError(f"{where}: its header claims {claimed:,} bytes of content, over 8 GiB; download it again")
    return np.frombuffer(read_claimed(stream, claimed, where, "download it again"), kind).reshape(shape)


def is_idx(start: bytes) -> bool:
    """Return whether a file that starts with these four bytes is in IDX format."""
    return len(start) >= 4 and start[:2] == b"\0\0" and start[2] in TYPES and 1 <= start[3] <= 8


def labels_beside(path: Path) -> Path | None:
    """Find the label file of an image file: ``labels`` for ``images``, idx1 (or QMNIST's idx2-int) for idx3."""
    name = path.name.replace("images", "labels")
    if name == path.name:
        return None
    plain = name.replace("idx3", "idx1").replace("idx4", "idx1")
    return find_spelling(path.parent, plain) or find_spelling(path.parent, name.replace("idx3-ubyte", "idx2-int"))


# Sets of files


def read_idx_folder(folder: Path, name: str, rules: ReadingRules = USUAL) -> RawSplits:
    """Read a set of four files with MNIST's exact names: train and t10k, images and labels."""
    arrays: dict[str, tuple[Array, Array | None]] = {}
    for part, file_names in (("train", MNIST_FILES[:2]), ("test", MNIST_FILES[2:])):
        paths = [find_spelling(folder, file_name) for file_name in file_names]
        for file_name, path in zip(file_names, paths, strict=True):
            if path is None:
                raise UserError(f"{folder}: contains no {file_name}[.gz]; {FORMS}")
        images, labels = (read_idx(path, role) for path, role in zip(paths, DIMENSIONS, strict=True) if path)
        arrays[part] = images, labels
    return to_image_sets(arrays, str(folder), name, rules)


def read_idx_set(sources: Sequence[Source], where: str, rules: ReadingRules = USUAL) -> Reading:
    """Read the only set of a folder or zip: images and labels of one or several parts.

    Raises:
        UserError: there are several sets, two files have the same place, a part lacks a file, or a file is damaged.
    """
    of_set, files = _one_set(sources, where)
    parts = {part for part, _ in files}
    for part in sorted(parts):
        _check_complete(files, part, where)
    arrays: dict[str, tuple[Array, Array | None]] = {}
    for part in parts:
        images, labels = files[part, "images"], files.get((part, "labels"))
        arrays[part] = _read(images, "images"), _read(labels, "labels") if labels else None
    return as_published(in_order(arrays, where), of_set, rules)


def _one_set(sources: Sequence[Source], where: str) -> tuple[str, Files]:
    """Return the name of the only set and its files by part and content."""
    sets: dict[str, Files] = {}
    for source in sources:
        of_set, place = _place(source.name, source.part)
        files = sets.setdefault(of_set, {})
        if place in files:
            both = listed([files[place].name, source.name])
            raise UserError(f"{where}: {both} could both be the {' '.join(place)}; keep one of them")
        files[place] = source
    if len(sets) > 1:
        example = next(files[place].name for files in sets.values() for place in sorted(files) if place[1] == "images")
        raise UserError(
            f"{where}: contains several sets: {listed(sorted(name or 'one without a name' for name in sets))}; "
            f"give the path of one file of images, such as {example}"
        )
    return next(iter(sets.items()))


def _check_complete(files: Files, part: str, where: str) -> None:
    """Raise an error for labels without images, and for images without labels if another part has labels."""
    role: Held
    other: Held
    for role, other in (("images", "labels"), ("labels", "images")):
        needed = role == "images" or any(of == "labels" for _, of in files)
        if needed and (part, role) not in files:
            present = files[part, other].name
            missing = present.replace(other, role).replace(
                *(("idx1", "idx3") if role == "images" else ("idx3", "idx1"))
            )
            raise UserError(f"{where}: contains {present} but no {missing}; add it, or remove {present}")


def _read(source: Source, role: Held) -> Array:
    with source.opened() as stream:
        return read_idx_stream(stream, role, source.where)


def _place(name: str, part: str | None = None) -> tuple[str, tuple[str, Held]]:
    """Return a file's set, part and content (images or labels) by its name."""
    words = [w for w in words_of(bare_name(name.rpartition("/")[2])) if not w.startswith("idx")]
    words = [word for word in words if word not in SILENT_WORDS]
    place, of_set = part or "train", []
    role: Held = "images"
    for word in words:
        meaning = place_of(word, USUAL)
        if meaning.role in ("images", "labels") and word not in EMNIST_CLASSES:
            role = "labels" if meaning.role == "labels" else "images"
        elif meaning.part:
            place = meaning.part
        else:
            of_set.append(word)
    return "-".join(of_set), (place, role)


def set_name(path: Path) -> str:
    """Return the name of a file's set, such as emnist-letters, or ""."""
    return _place(path.name)[0]


def as_published(arrays: Found, of_set: str, rules: ReadingRules) -> Reading:
    """Correct the known deviations of EMNIST and QMNIST, which are recognised by their file names."""
    if rules.version > 1 and "emnist" in of_set:
        return _emnist(arrays, of_set)
    if rules.version > 1 and "qmnist" in of_set:
        first = {part: (x, y[:, 0] if y is not None and y.ndim == 2 else y) for part, (x, y) in arrays.items()}
        return Reading(first, notes=("labels: the first of QMNIST's eight columns, the digit",))
    return Reading(arrays)


def _emnist(arrays: Found, of_set: str) -> Reading:
    classes = next((EMNIST_CLASSES[word] for word in of_set.split("-") if word in EMNIST_CLASSES), "")
    first = 1 if classes == EMNIST_CLASSES["letters"] else 0
    upright = {part: (x.swapaxes(1, 2) if x.ndim == 3 else x, y) for part, (x, y) in arrays.items()}
    notes = ("images: transposed to upright, because EMNIST's files are transposed",)
    labels = [y for _, y in arrays.values() if y is not None and y.dtype.kind in "iu" and y.size]
    if not all(first <= y.min() and y.max() < first + len(classes) for y in labels):
        return Reading(upright, notes=notes)
    shifted = {part: (x, None if y is None else y.astype(np.int64) - first) for part, (x, y) in upright.items()}
    return Reading(shifted, tuple(classes), notes)
