"""Sets in NumPy files: a .npy, a .npz, or several of them; nothing is ever unpickled.

Images and labels are identified by the arrays' names, else by their shapes. Only headers are read for this.
"""

import math
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np

from ganforge.data.axis_order import LARGEST, SMALLEST
from ganforge.data.class_labels import MOST_CLASSES
from ganforge.data.normalize_arrays import Array
from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.data.sources.array_names import NOWHERE, Place, nameless, place_of
from ganforge.data.sources.open_file import MOST_BYTES, listed, one_line, read_claimed
from ganforge.data.sources.table_files import Reading, Source, in_order
from ganforge.errors import UserError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class StoredArray:
    """The header of an array in a file: its name in messages, place in the set, shape and type.

    ``key`` is the name within an archive, "" for a .npy file.
    """

    name: str
    key: str
    place: Place
    shape: Shape
    dtype: np.dtype[Any]
    source: Source
    read: Callable[[], Array]

    def __str__(self) -> str:
        """Return the name and shape, for messages."""
        return f"{one_line(self.name)} {list(self.shape)}"

    @property
    def part(self) -> str:
        """The part of the set; train if the name does not say."""
        return self.place.part or "train"


@dataclass(frozen=True)
class Chosen:
    """The arrays with images and labels of each part, the array of class names, and notes on ambiguous choices."""

    parts: dict[str, tuple[StoredArray, StoredArray | None]]
    names: StoredArray | None = None
    notes: tuple[str, ...] = ()


def read_arrays(sources: Sequence[Source], where: str, rules: ReadingRules) -> Reading:
    """Read the images and labels from NumPy files.

    Raises:
        UserError: the arrays are ambiguous, a needed array holds objects, or a file is damaged.
    """
    chosen = choose(stored_arrays(sources, rules), where, rules)
    arrays = {part: (x.read(), y.read() if y else None) for part, (x, y) in chosen.parts.items()}
    return named_classes(arrays, chosen)


def named_classes(arrays: dict[str, tuple[Any, Array | None]], chosen: Chosen) -> Reading:
    """Add the class names if they match the labels; named labels that start at 1 are shifted to start at 0."""
    if not chosen.names:
        return Reading(arrays, notes=chosen.notes)
    names = tuple(str(name) for name in chosen.names.read().ravel().tolist())
    labels = [y for _, y in arrays.values() if y is not None]
    first = next((start for start in (0, 1) if all(_are_class_numbers(y, start, len(names)) for y in labels)), None)
    if not labels or first is None or len(set(names)) < len(names):
        note = f"{chosen.names.name}: ignored, because its {len(names)} names do not match the labels"
        return Reading(arrays, notes=(*chosen.notes, note))
    shifted = {part: (x, y - first if y is not None and first else y) for part, (x, y) in arrays.items()}
    return Reading(shifted, names, chosen.notes)


def _are_class_numbers(labels: Array, first: int, classes: int) -> bool:
    """Return whether labels index ``classes`` classes, counted from ``first``, or have one column for each class."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        return first == 0 and labels.shape[1] == classes
    if labels.dtype.kind not in "iuf" or labels.size == 0:
        return False
    low, high = labels.min(), labels.max()
    return bool(low >= (-1, 1)[first] and high < first + classes)


# Identification of arrays


def choose(arrays: Sequence[StoredArray], where: str, rules: ReadingRules) -> Chosen:
    """Choose images and labels by name, else by shape if only one choice is possible.

    Raises:
        UserError: two arrays have the same place, or no array can be identified as the images.
    """
    if not arrays:
        raise UserError(f"{where}: contains no array; save one named images and, if there are labels, one named labels")
    images, notes = _images(arrays, where, rules)
    parts, used = {}, []
    for part, x in images.items():
        y = _labels(arrays, x, where)
        parts[part] = x, y
        used += [x.name, *([y.name] if y else [])]
        if y and nameless(y.key):
            notes.append(f"labels: array {y.name}, the only one that matches array {x.name}")
    names = _class_names(arrays, used, rules)
    unused = [array.name for array in arrays if array.name not in (*used, names.name if names else "")]
    if unused and rules.version > 1:
        notes.append(f"other arrays are ignored: {listed(unused)}")
    return Chosen(in_order(parts, where), names, tuple(notes))


def _images(arrays: Sequence[StoredArray], where: str, rules: ReadingRules) -> tuple[dict[str, StoredArray], list[str]]:
    """Choose the images of each part, with a note if the choice is by shape."""
    if len(arrays) == 1:
        return {"train": arrays[0]}, []
    named = _by_part([a for a in arrays if a.place.role == "images"], where)
    if rules.version == 1 and "train" not in named:
        raise UserError(
            f"{where}: no array is named images or x_train, only {listed([a.name for a in arrays])}; rename one"
        )
    if named:
        return named, []
    without_role = [array for array in arrays if array.place.role is None]
    for can_be_images in (_is_stack, _is_rows):
        candidates = [array for array in without_role if can_be_images(array)]
        if candidates and len({array.part for array in candidates}) == len(candidates):
            notes = [f"images: array {array.name}, the only one with {_kind(array)}" for array in candidates]
            return {array.part: array for array in candidates}, notes
        if candidates:
            break
    raise UserError(
        f"{where}: cannot tell which array holds the images; its arrays are {listed(list(map(str, arrays)))}; "
        "name the array of images 'images', and the array of labels 'labels'"
    )


def _kind(array: StoredArray) -> str:
    return "pictures" + ("" if array.part == "train" else f" for {array.part}")


def _by_part(candidates: list[StoredArray], where: str) -> dict[str, StoredArray]:
    """Choose one array for each part; of several with such a name, the one with the shape of images."""
    chosen = {}
    for part in dict.fromkeys(array.part for array in candidates):
        of_part = [array for array in candidates if array.part == part]
        matching = [a for a in of_part if _is_stack(a)] or [a for a in of_part if _is_rows(a)] or of_part
        chosen[part] = _only(matching, "images" if part == "train" else f"{part} images", where)
    return chosen


def _labels(arrays: Sequence[StoredArray], images: StoredArray, where: str) -> StoredArray | None:
    """Choose the labels of images by name, or, for arrays without names, the only array with a matching shape."""
    count = _count(images)
    named = [a for a in arrays if a.place.role == "labels" and a.part == images.part and not _lists_names(a, count)]
    if named:
        return _only(named, "labels" if images.part == "train" else f"{images.part} labels", where)
    if not nameless(images.key):
        return None
    unnamed = [a for a in arrays if a.source is images.source and a is not images and nameless(a.key)]
    matching = [array for array in unnamed if _is_labels(array, count)]
    return matching[0] if len(matching) == 1 else None


def _only(candidates: list[StoredArray], what: str, where: str) -> StoredArray:
    if len(candidates) > 1:
        raise UserError(f"{where}: {listed([a.name for a in candidates])} could all be the {what}; keep one of them")
    return candidates[0]


def _class_names(arrays: Sequence[StoredArray], used: list[str], rules: ReadingRules) -> StoredArray | None:
    if rules.version == 1:
        return None
    lists = [
        array
        for array in arrays
        if array.name not in used and (array.place.role == "names" or _lists_names(array, -1)) and _is_text(array)
    ]
    return lists[0] if len(lists) == 1 else None


def _lists_names(array: StoredArray, count: int) -> bool:
    """Return whether an array named labels or classes holds words, but not one for each of ``count`` images."""
    return array.place.role == "labels" and _is_text(array) and array.shape[0] != count


def _is_text(array: StoredArray) -> bool:
    return array.dtype.kind in "US" and len(array.shape) == 1 and 1 <= array.shape[0] <= MOST_CLASSES


def _is_stack(array: StoredArray) -> bool:
    """Return whether an array can be images [N, H, W], [N, H, W, C], [N, C, H, W] or [H, W, C, N], by its header."""
    shape = array.shape
    if array.dtype.kind not in "biuf" or len(shape) not in (3, 4):
        return False
    layouts = (
        [shape]
        if len(shape) == 3
        else [shape[:3]] * (shape[3] in (1, 3))
        + [(shape[0], *shape[2:])] * (shape[1] in (1, 3))
        + [(shape[3], *shape[:2])] * (shape[2] in (1, 3))
    )
    return any(count > 1 and height >= SMALLEST and width >= SMALLEST for count, height, width in layouts)


def _is_rows(array: StoredArray) -> bool:
    """Return whether an array can be square images as flat rows."""
    if array.dtype.kind not in "biuf" or len(array.shape) != 2:
        return False
    count, pixels = array.shape
    return count > 1 and SMALLEST**2 <= pixels <= LARGEST**2 and math.isqrt(pixels) ** 2 == pixels


def _is_labels(array: StoredArray, count: int) -> bool:
    """Return whether an array can be labels of ``count`` images: [N], [N, 1], or [N, K] with a column per class."""
    if array.dtype.kind not in "biufUS" or not array.shape or array.shape[0] != count:
        return False
    return len(array.shape) == 1 or (len(array.shape) == 2 and array.shape[1] <= MOST_CLASSES and not _is_rows(array))


def _count(images: StoredArray) -> int:
    """Return the number of images, which is the last axis of [H, W, C, N]."""
    images_last = (
        len(images.shape) == 4 and images.shape[2] in (1, 3) and not {1, 3} & {images.shape[1], images.shape[3]}
    )
    return images.shape[3] if images_last else images.shape[0] if images.shape else 0


# Files and members of archives


def holds_arrays(source: Source) -> bool:
    """Return whether a file holds an array that can be images, by its headers.

    Raises:
        UserError: the file is damaged.
    """
    return any(_is_stack(array) or _is_rows(array) for array in _arrays_in(source, USUAL))


def stored_arrays(sources: Sequence[Source], rules: ReadingRules) -> list[StoredArray]:
    """Read the headers of all arrays in the files.

    Raises:
        UserError: a file is damaged.
    """
    arrays = [array for source in sources for array in _arrays_in(source, rules)]
    single_file = len(sources) == 1
    return [array if single_file else _placed_by_file(array, arrays, rules) for array in arrays]


def _placed_by_file(array: StoredArray, arrays: Sequence[StoredArray], rules: ReadingRules) -> StoredArray:
    """Complete an array's place by its file's name: the part, and the role if it is the file's only array."""
    by_file = place_of(array.source.stem, rules)
    only_array = sum(other.source is array.source for other in arrays) == 1
    part = array.place.part or by_file.part or array.source.part
    role = array.place.role or (by_file.role if only_array else None)
    name = f"{array.source.name} [{array.key}]" if array.key else array.source.name
    return replace(array, name=name, place=Place(part, role))


def _arrays_in(source: Source, rules: ReadingRules) -> Iterator[StoredArray]:
    with source.opened() as stream:
        if source.size == 0:
            raise UserError(f"{source.where}: is empty; save it again")
        start = stream.read(2)
        stream.seek(0)
        if start != b"PK":
            yield _stored_array(source, stream, rules)
            return
        with zipfile.ZipFile(stream) as archive:
            for member in archive.infolist():
                if member.filename.endswith(".npy"):
                    with archive.open(member) as content:
                        yield _stored_array(source, content, rules, member)


def _stored_array(
    source: Source, stream: IO[bytes], rules: ReadingRules, member: zipfile.ZipInfo | None = None
) -> StoredArray:
    """Read the header of a .npy from ``stream``: a file, or a member of an archive."""
    key = member.filename.removesuffix(".npy") if member else ""
    name, place = (key, place_of(key, rules)) if member else (source.name, NOWHERE)
    where = f"{source.where} [{one_line(key)}]" if member else source.where
    shape, _, dtype = npy_header(stream, where)

    def read() -> Array:
        with source.opened() as content:
            if not member:
                return read_npy(content, where)
            with zipfile.ZipFile(content) as archive, archive.open(member) as unpacked:
                return read_npy(unpacked, where)

    return StoredArray(name, key, place, shape, dtype, source, read)


def npy_header(stream: IO[bytes], where: str) -> tuple[Shape, bool, np.dtype[Any]]:
    """Read the header of a .npy: shape, whether the order is column-major, and type.

    Raises:
        UserError: the version is not one of plain arrays.
    """
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise UserError(f"{where}: is a .npy of version {version}, not of a plain array; save a numeric array")
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, column_first, dtype = read_header(stream)
    return shape, column_first, dtype


def read_npy(stream: IO[bytes], where: str) -> Array:
    """Read one .npy; unlike ``np.load``, memory is allocated for the actual content, not for the header's claim.

    Raises:
        UserError: the array holds objects, or more or fewer bytes than its header claims.
    """
    shape, column_first, dtype = npy_header(stream, where)
    claimed = claimed_bytes(shape, dtype, where)
    if claimed > MOST_BYTES:
        raise UserError(f"{where}: its header claims {claimed:,} bytes, over 8 GiB; save fewer images, as uint8")
    content = read_claimed(stream, claimed, where, "save it again")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if column_first else "C")


def claimed_bytes(shape: Shape, dtype: np.dtype[Any], where: str) -> int:
    """Return the number of bytes of an array by its header.

    Raises:
        UserError: the elements are pickled objects, or the shape is invalid.
    """
    if dtype.hasobject:
        raise UserError(f"{where}: holds pickled Python objects, which are never loaded; save a numeric array")
    if any(length < 0 for length in shape):
        raise UserError(f"{where}: its header claims the shape {list(shape)}; save it again")
    return math.prod(shape) * dtype.itemsize
