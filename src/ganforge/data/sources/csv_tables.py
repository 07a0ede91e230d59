"""Text tables with one row per image: a column for each pixel or one with all pixels, and optionally a label.

NumPy's text reader parses them chunk by chunk, so at most one chunk is in memory as text.
"""

import csv
import io
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import IO

import numpy as np

from ganforge.data.normalize_arrays import MOST_CLASSES, SMALLEST, Array
from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.data.sources.array_names import place_of
from ganforge.data.sources.columns import Columns, columns_by_name, is_picture, part_of_value, refuse_pixels
from ganforge.data.sources.open_file import MOST_BYTES, listed, one_line
from ganforge.data.sources.table_files import Reading, Source
from ganforge.data.sources.tables import Table, join, narrowed, squares
from ganforge.errors import UserError

CHUNK = 2**23
"""Number of characters parsed at a time."""

MAX_LINE = 2**20
"""Maximum length of a line in characters, enough for an image of 64×64 px."""

HEAD_LINES = 500
"""Number of first lines used to identify the columns."""

SEPARATORS = (",", ";", "\t")
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
LISTS = str.maketrans("[](),;", "      ")
"""Removes the brackets and separators from a cell that holds all pixels of an image."""

Line = tuple[int, str]
"""The number of a line in the file, from 1, and its text."""


@dataclass(frozen=True)
class Layout:
    """The layout of a table.

    Attributes:
        separator: the separator of cells; None for blanks.
        names: the names of all columns; their indices if there is no header.
        headed: whether the first line is a header.
        columns: the roles of the columns.
        fractions: whether pixels are written with a decimal point.
    """

    separator: str | None
    names: tuple[str, ...]
    headed: bool
    columns: Columns
    fractions: bool = False


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
        lines = _lines(stream, source.where)
        head = list(islice(lines, HEAD_LINES))
        layout = _layout(head, source.where)
        images, text_columns = _read_rows(chain(head[layout.headed :], lines), layout, source.where)
    columns = layout.columns
    arrays = {place: text_columns[place].to_array(source.where) for place in text_columns}
    return Table(
        source,
        None if images is None else squares(images),
        None if columns.label is None else arrays[columns.label],
        None if columns.part is None else arrays[columns.part],
        _notes(layout, source.name),
    )


def holds_pixels(source: Source) -> bool:
    """Return whether a table has columns of pixels, by its first rows.

    Raises:
        UserError: the table is damaged, or its columns are ambiguous.
    """
    with source.opened() as stream:
        columns = _layout(list(islice(_lines(stream, source.where), HEAD_LINES)), source.where).columns
    return bool(columns.pixels) or columns.packed is not None


def _notes(layout: Layout, name: str) -> tuple[str, ...]:
    columns, notes = layout.columns, []
    if columns.label is not None and not place_of(layout.names[columns.label], USUAL).role:
        label = layout.names[columns.label] if layout.headed else f"number {columns.label + 1}"
        notes.append(f"{name}: labels: column {label}")
    if columns.left:
        ignored = listed([column.strip() or "one without a name" for column in columns.left])
        notes.append(f"{name}: columns ignored: {ignored}")
    return tuple(notes)


# Lines and cells


def _lines(stream: IO[bytes], where: str) -> Iterator[Line]:
    """Yield the lines that are not blank."""
    start = stream.read(4)
    stream.seek(0)
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if start.startswith(mark)), "utf-8")
    number = 0
    try:
        with io.TextIOWrapper(stream, encoding, newline=None) as text:
            while line := text.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise UserError(
                        f"{where}: line {number} has over {MAX_LINE:,} characters, too many for a table of images; "
                        "check the file's format"
                    )
                if line.strip():
                    yield number, line
    except UnicodeError:
        raise UserError(f"{where}: is not text at or after line {number + 1}; save it as CSV in UTF-8") from None


def _cells(line: str, separator: str | None) -> list[str]:
    """Split a line into its cells and remove quotes.

    Raises:
        ValueError: a quote is not closed, or a cell is too long.
    """
    if separator is None:
        return line.split()
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error as error:
        raise ValueError(one_line(error)) from None


def _separator(line: str) -> str | None:
    """Return the separator that gives the most cells in a line; blanks (None) only if no other gives several."""
    cells = {separator: len(_cells(line, separator)) for separator in SEPARATORS}
    best = max(SEPARATORS, key=lambda separator: cells[separator])
    return None if cells[best] == 1 and len(line.split()) >= SMALLEST**2 else best


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


# Identification of columns


def _layout(head: Sequence[Line], where: str) -> Layout:
    """Determine the layout of a table from its first lines."""
    if not head:
        raise UserError(f"{where}: is empty; save it again")
    try:
        separator = _separator(head[-1][1])
        rows = [_cells(line, separator) for _, line in head]
    except ValueError as error:
        raise UserError(f"{where}: is not a text table ({one_line(error)}); save it as CSV in UTF-8") from None
    headed = _is_header(rows)
    body = rows[headed:]
    if not body:
        raise UserError(f"{where}: has no row below its header; save it again")
    named = headed and not all(map(_is_number, rows[0]))
    names = tuple(rows[0]) if named else tuple(map(str, range(len(rows[0]))))
    body = [row for row in body if len(row) == len(names)]  # other rows raise an error when they are read
    columns = columns_by_name(names, _packed(body), where)
    if columns.label is None:
        columns = _label_by_content(columns, body, headed, where)
    if columns.pixels and not is_picture(len(columns.pixels)):
        raise refuse_pixels(len(columns.pixels), where)
    pixel_columns = [columns.packed] if columns.packed is not None else list(columns.pixels)
    fractions = any("." in row[place] for row in body for place in pixel_columns)
    return Layout(separator, names, headed, columns, fractions)


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row is a header.

    It is one if it has a word above a number, if it counts 0, 1, 2, …, or if pandas made it from a row of pixels: 0,
    0.1, 0.2, … above integers.
    """
    first, others = rows[0], rows[1:10]
    if any(not _is_data(cell) for cell in first):
        word_places = [place for place, cell in enumerate(first) if not _is_data(cell)]
        return any(place_of(first[place], USUAL).role for place in word_places) or any(
            _is_data(row[place]) for row in others for place in word_places if place < len(row)
        )
    wide = len(first) >= SMALLEST**2
    counts = wide and [cell.partition(".")[0] for cell in first] == [str(place) for place in range(len(first))]
    return counts or (wide and "." in "".join(first) and bool(others) and "." not in "".join(chain(*others)))


def _is_data(cell: str) -> bool:
    return _is_number(cell) or len(_unpacked(cell)) > 1


def _unpacked(cell: str) -> list[str]:
    """Split a cell with all pixels of an image; return [] for other cells."""
    numbers = cell.translate(LISTS).split()
    return numbers if len(numbers) >= SMALLEST**2 and _is_number(numbers[0]) and _is_number(numbers[-1]) else []


def _packed(body: Sequence[Sequence[str]]) -> int | None:
    """Return the column whose cells hold all pixels of an image."""
    places = range(min((len(row) for row in body[:3]), default=0))
    return next((place for place in places if all(_unpacked(row[place]) for row in body[:3])), None)


def _label_by_content(columns: Columns, body: Sequence[Sequence[str]], headed: bool, where: str) -> Columns:
    """Find labels without a name: the first or last column if there is one more than a square number of pixels."""
    pixels = columns.pixels
    if pixels and is_picture(len(pixels) - 1):
        scores = {place: _label_score([row[place] for row in body]) for place in (pixels[0], pixels[-1])}
        label = max(scores, key=lambda place: scores[place])
        if not scores[label]:
            raise UserError(f"{where}: neither its first nor its last column can be labels; add a header with label")
        return replace(columns, pixels=tuple(place for place in pixels if place != label), label=label)
    if headed or pixels or not body:
        return columns
    others = [place for place in range(len(body[0])) if place != columns.packed]
    part = next((place for place in others if all(part_of_value(row[place]) for row in body)), None)
    candidates = [place for place in others if place != part and _label_score([row[place] for row in body])]
    only_candidate = candidates[0] if len(candidates) == 1 else None
    left = tuple(str(place + 1) for place in others if place not in (part, only_candidate))
    return replace(columns, label=only_candidate, part=part, left=left)


def _label_score(cells: Sequence[str]) -> int:
    """Score cells as labels: 3 for words, 2 for consecutive integers from 0 or 1, 1 for other integers, 0 otherwise."""
    if not all(map(_is_number, cells)):
        return 3
    values = {float(cell) for cell in cells}
    if not all(value.is_integer() and -1 <= value < MOST_CLASSES for value in values):
        return 0
    low, high = min(values), max(values)
    return 2 if low in (0, 1) and len(values) > 1 and high - low + 1 == len(values) else 1


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
        values = [float(word) if word and _is_number(word) else -1.0 if not word else np.nan for word in words]
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
    rows = [_cells(line, layout.separator) for line in lines]
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
            cells = _cells(line, layout.separator)
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
        if (bad := next((cell for cell in numbers if not _is_number(cell)), None)) is not None:
            return UserError(f"{where}: line {number}: {one_line(bad[:40])!r} is not a pixel; correct that line")
        if length not in (None, len(numbers)):
            return UserError(
                f"{where}: line {number} has {len(numbers):,} pixels, earlier lines {length:,}; correct that line"
            )
        length = len(numbers)
    return UserError(
        f"{where}: lines {chunk[0][0]} to {chunk[-1][0]} cannot be parsed ({one_line(error)}); correct them"
    )
