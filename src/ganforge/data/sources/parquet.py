"""Parquet files, the format of Hugging Face's ``datasets``: identification of columns, and reading of numeric pixels.

`parquet_pictures` reads columns of encoded pictures. The optional package pyarrow is needed.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganforge.data.normalize_arrays import Array
from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.data.sources.array_names import place_of
from ganforge.data.sources.columns import columns_by_name, is_picture, refuse_pixels
from ganforge.data.sources.open_file import MOST_BYTES, listed, one_line
from ganforge.data.sources.parquet_footer import claims_of
from ganforge.data.sources.table_files import Reading, Source, in_order
from ganforge.data.sources.tables import Table, join, narrowed, squares
from ganforge.errors import UserError

ROWS = 256
"""Number of rows read at a time."""

MOST_ROWS, MOST_VALUES, MOST_LIST = 50_000_000, 2**30, 4 * 64 * 64
SUSPECT_SIZE, SUSPECT_RATIO = 2**26, 250
"""A file that claims more uncompressed bytes than this size and this multiple of its size is a decompression bomb."""


@dataclass(frozen=True)
class Schema:
    """The roles of a Parquet file's columns.

    Attributes:
        encoded: the column of encoded pictures.
        lists: the column whose cells are lists of pixels.
        pixels: the columns with one pixel each.
        label: the column of labels.
        part: the column with the part of each row.
        class_names: the names of the labels 0, 1, …, if the file has them.
        left: the ignored columns.
    """

    encoded: str | None = None
    lists: str | None = None
    pixels: tuple[str, ...] = ()
    label: str | None = None
    part: str | None = None
    class_names: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def read(self) -> list[str]:
        """All columns to read."""
        single_columns = (self.encoded, self.lists, self.label, self.part)
        return [name for name in (*single_columns, *self.pixels) if name is not None]

    def notes(self, source: Source) -> tuple[str, ...]:
        """Return a note on the ignored columns, if any."""
        return (f"{source.name}: columns ignored: {listed(list(self.left))}",) if self.left else ()


def read_parquet_set(sources: Sequence[Source], where: str, rules: ReadingRules) -> Reading:
    """Read the Parquet files of a set with numeric pixels.

    Raises:
        UserError: pyarrow is missing, a file is damaged, or its columns are ambiguous.
    """
    parts = shards(sources, where, rules)
    return join([_read(files) for files in parts.values()], where, rules)


def holds_columns(source: Source) -> bool:
    """Return whether a file has images in any form."""
    schema = schema_of(source)
    return bool(schema.encoded or schema.lists or schema.pixels)


def holds_encoded(sources: Sequence[Source]) -> bool:
    """Return whether any file holds encoded pictures."""
    return any(schema_of(source).encoded for source in sources)


def shards(sources: Sequence[Source], where: str, rules: ReadingRules) -> dict[str, list[Source]]:
    """Group files by part; the files of a part may differ only in numbers in their names.

    Raises:
        UserError: files with different names belong to the same part.
    """
    parts: dict[str, list[Source]] = {}
    for source in sorted(sources, key=lambda source: source.name):
        part = place_of(source.stem, rules).part or source.part or "train"
        files = parts.setdefault(part, [])
        if files and _unnumbered(files[0]) != _unnumbered(source):
            both = listed([files[0].name, source.name])
            raise UserError(f"{where}: {both} could both be the {part} part; give the path of one of them")
        files.append(source)
    return in_order(parts, where)


def _unnumbered(source: Source) -> str:
    return re.sub(r"[0-9]+", "#", re.sub(r"(-of-[0-9]+)-[0-9a-f]+$", r"\1", source.stem))


# Identification of columns


@contextmanager
def opened(source: Source) -> Iterator[Any]:
    """Open a Parquet file.

    Raises:
        UserError: pyarrow is missing, or the file is damaged.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError(
            f"{source.where}: is a Parquet file, but the package pyarrow is not installed; "
            'install it with: python -m pip install "ganforge[datasets]"'
        ) from None
    with source.opened() as stream:
        try:
            yield pyarrow.parquet.ParquetFile(stream, buffer_size=2**20)
        except (pyarrow.ArrowException, OSError, KeyError, TypeError, IndexError) as error:
            raise UserError(f"{source.where}: is damaged ({one_line(error)}); download it again") from error


def schema_of(source: Source) -> Schema:
    """Identify the columns of a file.

    Raises:
        UserError: pyarrow is missing, the file is damaged, or several columns could be the images or the labels.
    """
    with opened(source) as file:
        arrow = file.schema_arrow
        kinds = {name: _kind(arrow.field(place).type) for place, name in enumerate(arrow.names)}
        features = _features(arrow.metadata)
    if len(kinds) < len(arrow.names):
        raise UserError(f"{source.where}: has two columns with the same name; rename one of them")
    encoded = _image_column([name for name, kind in kinds.items() if kind == "encoded"], source.where)
    lists = None if encoded else _image_column([name for name, kind in kinds.items() if kind == "list"], source.where)
    scalars = [name for name, kind in kinds.items() if kind in ("number", "text")]
    packed = encoded or lists
    names = scalars if packed is None else [packed, *scalars]
    columns = columns_by_name(names, None if packed is None else 0, source.where)
    label, part = (None if place is None else names[place] for place in (columns.label, columns.part))
    pixels = tuple(names[place] for place in columns.pixels)
    if pixels and not is_picture(len(pixels)):
        raise refuse_pixels(len(pixels), source.where)
    used = {encoded, lists, label, part, *pixels}
    left = tuple(name for name in arrow.names if name not in used and not name.startswith("__index_level"))
    return Schema(encoded, lists, pixels, label, part, _class_names(features, label), left)


def _kind(type_: Any) -> str:
    """Return the kind of a column's cells: "encoded" pictures, "list" of numbers, "number", "text" or "other"."""
    import pyarrow.types as types

    if types.is_struct(type_):
        fields = {type_.field(place).name: type_.field(place).type for place in range(type_.num_fields)}
        return "encoded" if "bytes" in fields and _kind(fields["bytes"]) == "encoded" else "other"
    if types.is_binary(type_) or types.is_large_binary(type_):
        return "encoded"
    if _is_list(type_):
        return "list" if _kind(type_.value_type) in ("list", "number") else "other"
    if types.is_integer(type_) or types.is_floating(type_) or types.is_boolean(type_):
        return "number"
    if types.is_dictionary(type_):
        return _kind(type_.value_type)
    return "text" if types.is_string(type_) or types.is_large_string(type_) else "other"


def _image_column(names: list[str], where: str) -> str | None:
    """Return the only column that can hold the images; of several, the one with such a name."""
    named = [name for name in names if place_of(name, USUAL).role == "images"]
    candidates = named or [name for name in names if place_of(name, USUAL).role != "labels"]
    if len(candidates) > 1:
        raise UserError(f"{where}: its columns {listed(candidates)} could all be the images; name one of them image")
    return candidates[0] if candidates else None


def _features(metadata: Mapping[bytes, bytes] | None) -> Mapping[str, Any]:
    """Return the metadata of columns that ``datasets`` wrote, or {}."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _class_names(features: Mapping[str, Any], label: str | None) -> tuple[str, ...]:
    feature = features.get(label or "")
    names = feature.get("names") if isinstance(feature, dict) else None
    return tuple(map(str, names)) if isinstance(names, list) and len(set(map(str, names))) == len(names) else ()


# Rows


def _read(files: Sequence[Source]) -> Table:
    """Read the pixels, labels and parts of all rows of a part's files."""
    schema = schema_of(files[0])
    pixels: list[Array] = []
    labels: list[Array] = []
    parts: list[Array] = []
    total = 0
    for source in files:
        for batch in batches(source, schema):
            pixels.append(_pixels(batch, schema, source.where))
            labels += [values(batch.column(schema.label), source.where)] if schema.label else []
            parts += [values(batch.column(schema.part), source.where)] if schema.part else []
            total += pixels[-1].nbytes
            if total > MOST_BYTES:
                raise UserError(f"{source.where}: has over 8 GiB of pixels; save an .npz of uint8 images and labels")
    images = _concatenate(pixels, files[0]) if schema.lists or schema.pixels else None
    if images is not None and schema.pixels:
        images = squares(images)
    all_labels, all_parts = (_concatenate(column, files[0]) if column else None for column in (labels, parts))
    return Table(files[0], images, all_labels, all_parts, schema.notes(files[0]), schema.class_names)


def _concatenate(chunks: list[Array], source: Source) -> Array:
    if not chunks:
        raise UserError(f"{source.where}: has no rows; save it again")
    if len({(chunk.dtype.kind in "US", chunk.shape[1:]) for chunk in chunks}) > 1:
        raise UserError(f"{source.where}: its rows differ in type or shape; save all with one type and shape")
    return np.concatenate(chunks)


def batches(source: Source, schema: Schema, rows: int = ROWS) -> Iterator[Any]:
    """Yield batches of rows with the columns to read.

    Raises:
        UserError: the file lacks a column that the set has, is damaged, or claims more data than images need.
    """
    _check_claims(source, schema)
    with opened(source) as file:
        if missing := [name for name in schema.read if name not in file.schema_arrow.names]:
            raise UserError(f"{source.where}: lacks the column {one_line(missing[0])} of the set's other files; add it")
        yield from file.iter_batches(rows, columns=schema.read)


def _check_claims(source: Source, schema: Schema) -> None:
    """Raise an error for a file whose footer claims more data than any set of images."""
    with source.opened() as stream:
        try:
            claims = claims_of(stream, schema.read)
        except ValueError as error:
            raise UserError(f"{source.where}: is damaged ({one_line(error)}); download it again") from None
    per_row = 1 if schema.lists is None else MOST_LIST
    too_many = claims.rows > MOST_ROWS or claims.values > min(MOST_VALUES, per_row * max(claims.rows, 1))
    if too_many or claims.unpacked > max(SUSPECT_SIZE, SUSPECT_RATIO * source.size):
        raise UserError(
            f"{source.where}: claims {claims.rows:,} rows and {claims.unpacked:,} bytes, more than images of at most "
            "64×64 px need; download it again"
        )


def _pixels(batch: Any, schema: Schema, where: str) -> Array:
    """Return the pixels of a batch in their nested shape, or [n, 0] if there are none."""
    if schema.lists:
        return narrowed(values(batch.column(schema.lists), where))
    if not schema.pixels:
        return np.empty((batch.num_rows, 0), np.uint8)
    return narrowed(np.stack([values(batch.column(name), where) for name in schema.pixels], 1))


def values(column: Any, where: str) -> Array:
    """Return a column as an array of numbers in their nested shape or of text; missing integers become -1.

    Raises:
        UserError: lists have different lengths, or pixels or words are missing.
    """
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    shape = [len(column)]
    while _is_list(column.type):
        lengths = set(column.value_lengths().to_pylist()) if len(column) else {0}
        if len(lengths) != 1 or None in lengths:
            raise UserError(f"{where}: its images have different sizes; save all with one size, or as encoded pictures")
        shape.append(lengths.pop())
        column = column.flatten()
    if column.null_count and len(shape) == 1 and pa.types.is_integer(column.type):
        column = column.cast(pa.int64()).fill_null(-1)
    if column.null_count:
        raise UserError(f"{where}: some cells are empty; fill them, or remove those rows")
    if _kind(column.type) == "text":
        return np.array(column.to_pylist(), dtype=str)
    return np.asarray(column.to_numpy(zero_copy_only=False)).reshape(shape)


def _is_list(type_: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_))
