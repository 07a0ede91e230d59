"""Text tables with one row per image: a column for each pixel or one with all pixels, and optionally a label.

NumPy's text reader parses them chunk by chunk, so at most one chunk is in memory as text.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice

import numpy as np

from ganforge.data.normalize_arrays import Array
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.sources.columns import is_picture, refuse_pixels
from ganforge.data.sources.csv_layout import (
    LISTS,
    Layout,
    Line,
    find_layout,
    is_number,
    notes_on,
    read_lines,
    split_cells,
)
from ganforge.data.sources.open_file import MOST_BYTES, one_line
from ganforge.data.sources.table_files import Reading, Source
from ganforge.data.sources.tables import Table, join, narrowed, squares
from ganforge.errors import UserError

CHUNK = 2**23
"""Number of characters parsed at a time."""

HEAD_LINES = 500
"""Number of first lines used to identify the columns."""


def read_csv_set(sources: Sequence[Source], where: str, rules: ReadingRules) -> Reading:
    """Read the tables of a set.

    Raises:
        UserError: a table is damaged, or its columns are ambiguous.
    """
    return join([read_csv(source) for source in sources], where, rules)


def read_csv(source: Source) -> Table:
    """Read one table; ``images`` is None if no column holds pixels.

    Raises:
        UserError: the table is empty, rows have different lengths, or a pixel is not a number.
    """
    with source.opened() as stream:
        lines = read_lines(stream, source.where)
        head = list(islice(lines, HEAD_LINES))
        layout = find_layout(head, source.where)
        images, text_columns = _read_rows(chain(head[layout.headed :], lines), layout, source.where)
    columns = layout.columns
    arrays = {place: text_columns[place].to_array(source.where) for place in text_columns}
    return Table(
        source,
        None if images is None else squares(images),
        None if columns.label is None else arrays[columns.label],
        None if columns.part is None else arrays[columns.part],
        notes_on(layout, source.name),
    )


def holds_pixels(source: Source) -> bool:
    """Return whether a table has columns of pixels, by its first rows.

    Raises:
        UserError: the table is damaged, or its columns are ambiguous.
    """
    with source.opened() as stream:
        columns = find_layout(list(islice(read_lines(stream, source.where), HEAD_LINES)), source.where).columns
    return bool(columns.pixels) or columns.packed is not None


# Rows


class TextColumn:
    """A column of words, stored as codes: each distinct word's index in order of first occurrence."""

    def __init__(self) -> None:
        self._code_of: dict[str, int] = {}
        self._codes: list[Array] = []

    def encode(self, cell: str) -> int:
        """Return the code of a word."""
        return self._code_of.setdefault(cell.strip(), len(self._code_of))

    def append(self, codes: Array) -> None:
        """Append the codes of further rows."""
        self._codes.append(codes.astype(np.int32))

    def to_array(self, where: str) -> Array:
        """Return the column [N] as integers (-1 for empty cells) if all words are integers, else as text.

        Raises:
            UserError: a text column has an empty cell.
        """
        words, codes = list(self._code_of), np.concatenate(self._codes)
        column: Array
        values = [float(word) if word and is_number(word) else -1.0 if not word else np.nan for word in words]
        if np.isfinite(values).all() and np.array_equal(np.rint(values), values):
            column = np.array(values).astype(np.int64)[codes]
            return column
        if "" in words:
            raise UserError(f"{where}: row {np.argmax(codes == words.index('')) + 1} has no label; add one")
        column = np.array(words)[codes]
        return column


def _read_rows(lines: Iterable[Line], layout: Layout, where: str) -> tuple[Array | None, Mapping[int, TextColumn]]:
    """Read all rows: pixels [N, pixels] or None, and the text columns of labels and parts."""
    columns = layout.columns
    text_columns = {place: TextColumn() for place in (columns.label, columns.part) if place is not None}
    rows: list[Array] = []
    total = 0
    for chunk in _chunks(lines):
        try:
            pixels = _parse_chunk([line for _, line in chunk], layout, text_columns)
        except ValueError as error:
            raise _bad_row(chunk, layout, where, error) from None
        integral = (
            not layout.fractions and np.array_equal(pixels, np.rint(pixels)) and np.abs(pixels).max(initial=0) < 2**31
        )
        rows.append(narrowed(pixels.astype(np.int64)) if integral else pixels)
        total += rows[-1].nbytes
        if total > MOST_BYTES or pixels.shape[1] != rows[0].shape[1]:
            reason = "has over 8 GiB of pixels" if total > MOST_BYTES else "has rows of different lengths"
            raise UserError(f"{where}: {reason}; save an .npz with images and labels")
    if columns.packed is not None and not is_picture(rows[0].shape[1]):
        raise refuse_pixels(rows[0].shape[1], where)
    return (np.concatenate(rows) if rows[0].shape[1] else None), text_columns


def _chunks(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Yield the lines in chunks of limited size."""
    chunk: list[Line] = []
    size = 0
    for line in lines:
        chunk.append(line)
        size += len(line[1])
        if size > CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _parse_chunk(lines: list[str], layout: Layout, text_columns: Mapping[int, TextColumn]) -> Array:
    """Return the pixels [n, pixels] of a chunk, and append its words to the text columns."""
    columns = layout.columns
    if columns.packed is None and columns.pixels:
        ignored = set(range(len(layout.names))) - set(columns.pixels) - text_columns.keys()
        encoders = {place: text_columns[place].encode for place in text_columns} | dict.fromkeys(ignored, lambda _: 0)
        table = _numbers(lines, layout.separator, encoders)
        if table.shape[1] != len(layout.names):
            raise ValueError("rows of different lengths")
        for place in text_columns:
            text_columns[place].append(table[:, place])
        return table[:, columns.pixels]
    rows = [split_cells(line, layout.separator) for line in lines]
    if any(len(row) != len(layout.names) for row in rows):
        raise ValueError("rows of different lengths")
    for place in text_columns:
        text_columns[place].append(np.array([text_columns[place].encode(row[place]) for row in rows]))
    if columns.packed is None:
        return np.empty((len(rows), 0), np.float32)
    return _numbers([row[columns.packed].translate(LISTS) for row in rows], None, {})


def _numbers(lines: list[str], separator: str | None, encoders: Mapping[int, Callable[[str], int]]) -> Array:
    """Parse lines of equally many numbers; ``encoders`` map the cells of text columns to integers.

    Integers are parsed as such, seven times as fast as floats.
    """
    converters: dict[int | str, Callable[[str], int]] = dict(encoders.items())

    def parse(dtype: type[np.generic]) -> Array:
        return np.loadtxt(lines, dtype, None, separator, converters, ndmin=2, encoding="utf-8", quotechar='"')

    if not any("." in line for line in lines):
        with warnings.catch_warnings(), suppress(ValueError, DeprecationWarning):
            warnings.simplefilter("error", DeprecationWarning)  # NumPy warns before it truncates 1e-3
            return parse(np.int64)
    return parse(np.float32)


def _bad_row(chunk: Sequence[Line], layout: Layout, where: str, error: Exception) -> UserError:
    """Return an error that names the first invalid row of a chunk."""
    count, columns = len(layout.names), layout.columns
    length: int | None = None
    for number, line in chunk:
        try:
            cells = split_cells(line, layout.separator)
        except ValueError as reason:
            return UserError(f"{where}: line {number} cannot be split into cells ({reason}); correct that line")
        if len(cells) != count:
            return UserError(
                f"{where}: line {number} has {len(cells):,} cells, the first line {count:,}; correct that line"
            )
        numbers = (
            cells[columns.packed].translate(LISTS).split()
            if columns.packed is not None
            else [cells[p] for p in columns.pixels]
        )
        if (bad := next((cell for cell in numbers if not is_number(cell)), None)) is not None:
            return UserError(f"{where}: line {number}: {one_line(bad[:40])!r} is not a pixel; correct that line")
        if length not in (None, len(numbers)):
            return UserError(
                f"{where}: line {number} has {len(numbers):,} pixels, earlier lines {length:,}; correct that line"
            )
        length = len(numbers)
    return UserError(
        f"{where}: lines {chunk[0][0]} to {chunk[-1][0]} cannot be parsed ({one_line(error)}); correct them"
    )
