"""Tables become a set: rows of pixels with their labels, from one file or from several that belong together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ganforge.data.array_names import place_of
from ganforge.data.columns import part_of_value
from ganforge.data.normalize_arrays import Array
from ganforge.data.open_file import listed
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.table_files import Reading, Source, in_order
from ganforge.errors import UserError


@dataclass(frozen=True)
class Table:
    """What one file holds: images [N, …], labels [N] and the part of each row [N], each None where it has none."""

    source: Source
    images: Array | None
    labels: Array | None = None
    parts: Array | None = None
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()

    def part(self, rules: ReadingRules) -> str | None:
        """Return the part that the file's name or folder tells."""
        return place_of(self.source.stem, rules).part or self.source.part


def join(tables: Sequence[Table], where: str, rules: ReadingRules) -> Reading:
    """Put the tables of a set together: parts by files' names or by a column, labels from a file of their own.

    Raises:
        UserError: no table holds images, or two hold those of one part.
    """
    of_images = [table for table in tables if table.images is not None]
    notes = [note for table in of_images for note in table.notes]
    if not of_images:
        raise UserError(
            f"{where}: {listed([table.source.name for table in tables])} holds no columns of pixels; "
            "a table of images has a column for each pixel, or one called pixels with all of them"
        )
    if len(tables) == 1:
        return _by_column(tables[0], where, notes)
    parts: dict[str, Table] = {}
    for table in of_images:
        part = table.part(rules) or "train"
        if part in parts:
            both = listed([parts[part].source.name, table.source.name])
            raise UserError(f"{where}: {both} could both be the {part} part; name them train and test, or give one")
        parts[part] = table
    used = {part: _labelled(table, tables, part, rules) for part, table in parts.items()}
    left = [t.source.name for t in tables if t.images is None and not any(t.labels is u.labels for u in used.values())]
    if left:
        notes.append(f"left, because it holds no pixels: {listed(left)}")
    if len(used) == 1:
        return _by_column(used.popitem()[1], where, notes)
    found = {part: (_images(table), table.labels) for part, table in used.items()}
    return Reading(in_order(found, where), of_images[0].class_names, tuple(notes))


def squares(rows: Array) -> Array:
    """Lay out rows of pixels [N, side²] as images [N, side, side]."""
    side = math.isqrt(rows.shape[1])
    return rows.reshape(-1, side, side)


def narrowed(pixels: Array) -> Array:
    """Keep whole numbers in as few bytes as they need."""
    if pixels.dtype.kind not in "iu" or pixels.dtype.itemsize == 1:
        return pixels
    low, high = (pixels.min(), pixels.max()) if pixels.size else (0, 0)
    if low >= 0 and high <= 255:
        return pixels.astype(np.uint8)
    return pixels.astype(np.int32) if low >= -(2**31) and high < 2**31 else pixels


def _images(table: Table) -> Array:
    assert table.images is not None
    return table.images


def _labelled(table: Table, tables: Sequence[Table], part: str, rules: ReadingRules) -> Table:
    """Give a table without labels those of the one file that has nothing else, for the same part and as many rows."""
    if table.labels is not None:
        return table
    beside = [
        other
        for other in tables
        if other.images is None and other.labels is not None and (other.part(rules) or "train") == part
    ]
    fitting = [other for other in beside if other.labels is not None and len(other.labels) == len(_images(table))]
    return replace(table, labels=fitting[0].labels) if len(fitting) == 1 else table


def _by_column(table: Table, where: str, notes: list[str]) -> Reading:
    """Cut one table into the parts that its column of parts tells, or take it whole."""
    images = _images(table)
    if table.parts is None:
        return Reading({"train": (images, table.labels)}, table.class_names, tuple(notes))
    told = {str(value): part_of_value(str(value)) for value in np.unique(table.parts)}
    if unknown := [value for value, part in told.items() if part is None]:
        raise UserError(f"{where}: {listed(unknown)} names no part; train, validation and test do")
    of_row = np.array([told[value] for value in table.parts.tolist()])
    found = {}
    for part in dict.fromkeys(of_row.tolist()):
        rows = of_row == part
        found[part] = images[rows], None if table.labels is None else table.labels[rows]
    return Reading(in_order(found, where), table.class_names, tuple(notes))
