"""Combination of tables into one set: rows of pixels and labels from one or several files."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ganforge.data.normalize_arrays import Array
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.sources.array_names import place_of
from ganforge.data.sources.columns import part_of_value
from ganforge.data.sources.open_file import listed
from ganforge.data.sources.table_files import Reading, Source, in_order
from ganforge.errors import UserError


@dataclass(frozen=True)
class Table:
    """The content of one file: images [N, …], labels [N] and the part of each row [N]; each may be None."""

    source: Source
    images: Array | None
    labels: Array | None = None
    parts: Array | None = None
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()

    def part(self, rules: ReadingRules) -> str | None:
        """Return the part by the file's name or folder, or None."""
        return place_of(self.source.stem, rules).part or self.source.part


def join(tables: Sequence[Table], where: str, rules: ReadingRules) -> Reading:
    """Combine the tables of a set: parts by file name or by a column, labels possibly from a separate file.

    Raises:
        UserError: no table has images, or two tables have images of the same part.
    """
    image_tables = [table for table in tables if table.images is not None]
    notes = [note for table in image_tables for note in table.notes]
    if not image_tables:
        raise UserError(
            f"{where}: {listed([table.source.name for table in tables])} has no columns of pixels; "
            "a table of images needs a column for each pixel, or one column named pixels with all pixels"
        )
    if len(tables) == 1:
        return _by_column(tables[0], where, notes)
    parts: dict[str, Table] = {}
    for table in image_tables:
        part = table.part(rules) or "train"
        if part in parts:
            both = listed([parts[part].source.name, table.source.name])
            raise UserError(
                f"{where}: {both} could both be the {part} part; name them train and test, or give one path"
            )
        parts[part] = table
    labelled = {part: _with_labels(table, tables, part, rules) for part, table in parts.items()}
    unused = [
        t.source.name for t in tables if t.images is None and not any(t.labels is u.labels for u in labelled.values())
    ]
    if unused:
        notes.append(f"ignored, because without pixels: {listed(unused)}")
    if len(labelled) == 1:
        return _by_column(labelled.popitem()[1], where, notes)
    arrays = {part: (_images(table), table.labels) for part, table in labelled.items()}
    return Reading(in_order(arrays, where), image_tables[0].class_names, tuple(notes))


def squares(rows: Array) -> Array:
    """Reshape rows of pixels [N, side²] to images [N, side, side]."""
    side = math.isqrt(rows.shape[1])
    return rows.reshape(-1, side, side)


def narrowed(pixels: Array) -> Array:
    """Convert integers to uint8 or int32 if they fit."""
    if pixels.dtype.kind not in "iu" or pixels.dtype.itemsize == 1:
        return pixels
    low, high = (pixels.min(), pixels.max()) if pixels.size else (0, 0)
    if low >= 0 and high <= 255:
        return pixels.astype(np.uint8)
    return pixels.astype(np.int32) if low >= -(2**31) and high < 2**31 else pixels


def _images(table: Table) -> Array:
    assert table.images is not None
    return table.images


def _with_labels(table: Table, tables: Sequence[Table], part: str, rules: ReadingRules) -> Table:
    """Add labels to a table without labels, from the only label file with the same part and number of rows."""
    if table.labels is not None:
        return table
    label_tables = [
        other
        for other in tables
        if other.images is None and other.labels is not None and (other.part(rules) or "train") == part
    ]
    matching = [
        other for other in label_tables if other.labels is not None and len(other.labels) == len(_images(table))
    ]
    return replace(table, labels=matching[0].labels) if len(matching) == 1 else table


def _by_column(table: Table, where: str, notes: list[str]) -> Reading:
    """Split one table by its part column, or take it whole."""
    images = _images(table)
    if table.parts is None:
        return Reading({"train": (images, table.labels)}, table.class_names, tuple(notes))
    part_by_value = {str(value): part_of_value(str(value)) for value in np.unique(table.parts)}
    if unknown := [value for value, part in part_by_value.items() if part is None]:
        raise UserError(f"{where}: {listed(unknown)} in the part column is unknown; use train, validation and test")
    part_of_row = np.array([part_by_value[value] for value in table.parts.tolist()])
    arrays = {}
    for part in dict.fromkeys(part_of_row.tolist()):
        rows = part_of_row == part
        arrays[part] = images[rows], None if table.labels is None else table.labels[rows]
    return Reading(in_order(arrays, where), table.class_names, tuple(notes))
