"""Large .npy files: copied once into the cache in split order, and never loaded whole."""

from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganforge.data.axis_order import channels_first
from ganforge.data.class_labels import encode_labels
from ganforge.data.normalize_arrays import RawSplits
from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.data.sources.arrays import (
    Chosen,
    StoredArray,
    choose,
    claimed_bytes,
    named_classes,
    npy_header,
    stored_arrays,
)
from ganforge.data.sources.fetch import Report
from ganforge.data.sources.open_file import refusing_damage, title_of
from ganforge.data.sources.readers import holds_tables, one_set
from ganforge.data.sources.table_files import Source, single
from ganforge.data.splits import order_in_file
from ganforge.data.storage.memmap import MemmapImages
from ganforge.data.storage.pixel_cache import Header, Key, cached
from ganforge.errors import UserError

LARGE = 2**30
"""Size in bytes above which a .npy is not loaded into memory."""

CHUNK_IMAGES = 4096
"""Number of images copied at a time."""


def is_large(path: Path, rules: ReadingRules = USUAL) -> bool:
    """Return whether a path is a large .npy, or a folder of arrays that contains one."""
    return any(source.path and source.size > LARGE for source in _sources(path, rules))


def read_large(path: Path, rules: ReadingRules = USUAL, reading: Report | None = None) -> tuple[RawSplits, str] | None:
    """Read large .npy files of uint8 images, and the labels next to them.

    Returns None if the type, a column-major order or an archive requires the reader of small files.

    Raises:
        UserError: a header, the images or the labels cannot be used, or the cache cannot be written.
    """
    sources = _sources(path, rules)
    chosen = choose(stored_arrays(sources, rules), str(path), rules)
    files = {part: _memory_map(array) for part, (array, _) in chosen.parts.items()}
    mapped = {part: file for part, file in files.items() if file is not None}
    if len(mapped) < len(files):
        return None
    channels_first_views = {part: channels_first(file.images.numpy(), str(path)) for part, file in mapped.items()}
    shapes = {images.shape[1:] for images, _ in channels_first_views.values()}
    if len(shapes) > 1:
        raise UserError(f"{path}: its parts have images of different shapes {sorted(shapes)}; save all with one shape")
    if any(len(images) != len(mapped[part].images) for part, (images, _) in channels_first_views.items()):
        return None  # the images are along the last axis

    def fill(file: IO[bytes]) -> tuple[Header, npt.NDArray[np.int64]]:
        labels, class_names, notes = _labels(chosen, mapped, path, rules)
        order, counts = order_in_file([part for part in mapped for _ in range(len(mapped[part].images))], labels, rules)
        _copy(file, mapped, order, counts, path, reading)
        lines = filter(None, (*notes, *(note for _, note in channels_first_views.values())))
        header = Header(
            counts=counts,
            shape=shapes.pop(),
            class_names=class_names,
            note=f"{len(order):,} images",
            notes=tuple(dict.fromkeys(lines)),
        )
        return header, labels[order].numpy()

    return cached(Key.of(("npy", str(path.resolve()), rules), _state(sources)), title_of(path), fill)


def _copy(
    file: IO[bytes],
    mapped: dict[str, MemmapImages],
    order: Tensor,
    counts: dict[str, int],
    path: Path,
    reading: Report | None,
) -> None:
    """Copy images in part order, each part from its own file if it has one, else from the training file."""
    first, starts = 0, {}
    for part, images in mapped.items():
        starts[part] = first
        first += len(images.images)
    done = 0
    for part, rows in zip(counts, torch.split(order, list(counts.values())), strict=True):
        source = part if part in mapped else "train"
        for chunk in torch.split(rows - starts[source], CHUNK_IMAGES):
            file.write(np.ascontiguousarray(channels_first(mapped[source].read(chunk).numpy(), str(path))[0]).data)
            done += len(chunk)
            if reading:
                reading(f"copying {path.name}", done, len(order))


def _sources(path: Path, rules: ReadingRules) -> list[Source]:
    """Return the array files of a path: the file itself, or those in a folder."""
    if path.is_file():
        return [single(path, "arrays")] if path.suffix.lower() == ".npy" else []
    if rules.version == 1 or not holds_tables(path, rules):
        return []
    kind, sources = one_set(path, rules)
    return sources if kind == "arrays" else []


def _state(sources: list[Source]) -> list[str]:
    files = [(source, source.path.stat()) for source in sources if source.path]
    if len(files) == 1:
        return [f"{stat.st_size}\0{stat.st_mtime_ns}" for _, stat in files]
    return [f"{source.name}\0{stat.st_size}\0{stat.st_mtime_ns}" for source, stat in files]


def _memory_map(array: StoredArray) -> MemmapImages | None:
    """Memory-map the images of a .npy, or return None if they are not uncompressed uint8 in row-major order."""
    path = array.source.path
    if path is None or array.key:
        return None
    with refusing_damage(path), path.open("rb") as stream:
        if stream.read(6) != b"\x93NUMPY":  # it is compressed
            return None
        stream.seek(0)
        shape, column_first, dtype = npy_header(stream, str(path))
        start = stream.tell()
    if dtype != np.uint8 or column_first:
        return None
    claimed, actual = claimed_bytes(shape, dtype, str(path)), path.stat().st_size - start
    if claimed != actual:
        raise UserError(
            f"{path}: its header claims {claimed:,} bytes of content but it holds {actual:,}; save it again"
        )
    return MemmapImages(path, shape, start)


def _labels(
    chosen: Chosen, images: dict[str, MemmapImages], path: Path, rules: ReadingRules
) -> tuple[Tensor, tuple[str, ...], tuple[str, ...]]:
    """Return the labels of all parts, int64 [N], the class names, and notes."""
    raw = {part: (None, labels.read() if labels else None) for part, (_, labels) in chosen.parts.items()}
    reading = named_classes(raw, chosen)
    counts = {part: len(file.images) for part, file in images.items()}
    labels = {part: of_part for part, (_, of_part) in reading.arrays.items()}
    encoded, class_names, note = encode_labels(labels, counts, str(path), rules, reading.class_names or None)
    return torch.cat([encoded[part] for part in images]), class_names, (*reading.notes, note)
