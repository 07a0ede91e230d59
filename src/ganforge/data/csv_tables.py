"""Tables of text: a row for each image, with a column for each pixel or all pixels in one, and maybe a label.

They are read piece by piece with NumPy's reader of text, so that never more than a piece is held as text.
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

from ganforge.data.array_names import place_of
from ganforge.data.columns import Columns, columns_by_name, is_picture, part_of_value, refuse_pixels
from ganforge.data.normalize_arrays import MOST_CLASSES, SMALLEST, Array
from ganforge.data.open_file import MOST_BYTES, listed, one_line
from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.data.table_files import Reading, Source
from ganforge.data.tables import Table, join, narrowed, squares
from ganforge.errors import UserError

PIECE = 2**23
"""Characters that are read at a time."""

LONGEST = 2**20
"""Characters beyond which a line is no row of an image of at most 64×64 px."""

AHEAD = 500
"""Rows that tell what the columns are."""

SEPARATORS = (",", ";", "\t")
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
LISTS = str.maketrans("[](),;", "      ")
"""What surrounds and parts the numbers of a cell that holds all pixels of an image."""

Line = tuple[int, str]
"""A line with its number in the file, from 1."""


@dataclass(frozen=True)
class Layout:
    """How a table is laid out.

    Attributes:
        separator: what parts cells; None for blanks.
        names: of all columns; their numbers where there is no header.
        headed: whether the first line is a header.
        columns: what the columns are.
        fractions: whether pixels are written with a point.
    """

    separator: str | None
    names: tuple[str, ...]
    headed: bool
    columns: Columns
    fractions: bool = False


def read_csv_set(sources: Sequence[Source], where: str, rules: ReadingRules) -> Reading:
    """Read the tables of a set.

    Raises:
        UserError: a table is damaged, or it cannot be told what its columns are.
    """
    return join([read_csv(source) for source in sources], where, rules)


def read_csv(source: Source) -> Table:
    """Read one table; images are None where no column holds pixels.

    Raises:
        UserError: it is empty, a row is longer or shorter than the first, or a pixel is no number.
    """
    with source.opened() as stream:
        lines = _lines(stream, source.where)
        ahead = list(islice(lines, AHEAD))
        layout = _layout(ahead, source.where)
        images, words = _read_rows(chain(ahead[layout.headed :], lines), layout, source.where)
    columns = layout.columns
    held = {place: words[place].column(source.where) for place in words}
    return Table(
        source,
        None if images is None else squares(images),
        None if columns.label is None else held[columns.label],
        None if columns.part is None else held[columns.part],
        _notes(layout, source.name),
    )


def holds_pixels(source: Source) -> bool:
    """Say whether a table has columns of pixels, by its first rows.

    Raises:
        UserError: it is damaged, or it cannot be told what its columns are.
    """
    with source.opened() as stream:
        columns = _layout(list(islice(_lines(stream, source.where), AHEAD)), source.where).columns
    return bool(columns.pixels) or columns.packed is not None


def _notes(layout: Layout, name: str) -> tuple[str, ...]:
    columns, notes = layout.columns, []
    if columns.label is not None and not place_of(layout.names[columns.label], USUAL).role:
        called = layout.names[columns.label] if layout.headed else f"number {columns.label + 1}"
        notes.append(f"{name}: labels: column {called}")
    if columns.left:
        called = listed([column.strip() or "one without a name" for column in columns.left])
        notes.append(f"{name}: columns left out: {called}")
    return tuple(notes)


# Lines and cells


def _lines(stream: IO[bytes], where: str) -> Iterator[Line]:
    """Give the lines that are not blank."""
    start = stream.read(4)
    stream.seek(0)
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if start.startswith(mark)), "utf-8")
    number = 0
    try:
        with io.TextIOWrapper(stream, encoding, newline=None) as text:
            while line := text.readline(LONGEST + 1):
                number += 1
                if len(line) > LONGEST:
                    raise UserError(f"{where}: line {number} has over {LONGEST:,} characters; it is no table of images")
                if line.strip():
                    yield number, line
    except UnicodeError:
        raise UserError(f"{where}: is no text at or after line {number + 1}; save it as CSV in UTF-8") from None


def _cells(line: str, separator: str | None) -> list[str]:
    """Split a line into its cells, without the quotes around them.

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
    """Return what parts the most cells of a line; blanks only where nothing else parts any."""
    cells = {separator: len(_cells(line, separator)) for separator in SEPARATORS}
    best = max(SEPARATORS, key=lambda separator: cells[separator])
    return None if cells[best] == 1 and len(line.split()) >= SMALLEST**2 else best


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


# What the columns are


def _layout(ahead: Sequence[Line], where: str) -> Layout:
    """Tell from the first lines how a table is laid out."""
    if not ahead:
        raise UserError(f"{where}: is empty; save it again")
    try:
        separator = _separator(ahead[-1][1])
        rows = [_cells(line, separator) for _, line in ahead]
    except ValueError as error:
        raise UserError(f"{where}: is no table of text ({one_line(error)}); save it as CSV in UTF-8") from None
    headed = _is_header(rows)
    body = rows[headed:]
    if not body:
        raise UserError(f"{where}: holds no row below its header; save it again")
    named = headed and not all(map(_is_number, rows[0]))
    names = tuple(rows[0]) if named else tuple(map(str, range(len(rows[0]))))
    body = [row for row in body if len(row) == len(names)]  # the others are refused when they are read
    columns = columns_by_name(names, _packed(body), where)
    if columns.label is None:
        columns = _label_by_content(columns, body, headed, where)
    if columns.pixels and not is_picture(len(columns.pixels)):
        raise refuse_pixels(len(columns.pixels), where)
    held = [columns.packed] if columns.packed is not None else list(columns.pixels)
    fractions = any("." in row[place] for row in body for place in held)
    return Layout(separator, names, headed, columns, fractions)


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Say whether the first row names the columns.

    It does where it has a word above a number, where it counts 0, 1, 2, … and where pandas has made a header out of a
    row of pixels: 0, 0.1, 0.2, … above whole numbers.
    """
    first, others = rows[0], rows[1:10]
    if any(not _is_data(cell) for cell in first):
        above = [place for place, cell in enumerate(first) if not _is_data(cell)]
        return any(place_of(first[place], USUAL).role for place in above) or any(
            _is_data(row[place]) for row in others for place in above if place < len(row)
        )
    many = len(first) >= SMALLEST**2
    counted = many and [cell.partition(".")[0] for cell in first] == [str(place) for place in range(len(first))]
    return counted or (many and "." in "".join(first) and bool(others) and "." not in "".join(chain(*others)))


def _is_data(cell: str) -> bool:
    return _is_number(cell) or len(_unpacked(cell)) > 1


def _unpacked(cell: str) -> list[str]:
    """Split a cell that holds many numbers; empty where it does not."""
    numbers = cell.translate(LISTS).split()
    return numbers if len(numbers) >= SMALLEST**2 and _is_number(numbers[0]) and _is_number(numbers[-1]) else []


def _packed(body: Sequence[Sequence[str]]) -> int | None:
    """Return the column whose cells each hold a whole image."""
    places = range(min((len(row) for row in body[:3]), default=0))
    return next((place for place in places if all(_unpacked(row[place]) for row in body[:3])), None)


def _label_by_content(columns: Columns, body: Sequence[Sequence[str]], headed: bool, where: str) -> Columns:
    """Find the labels where no name tells them: the first or the last of a square's pixels and one more column."""
    pixels = columns.pixels
    if pixels and is_picture(len(pixels) - 1):
        likely = {place: _likeness([row[place] for row in body]) for place in (pixels[0], pixels[-1])}
        label = max(likely, key=lambda place: likely[place])
        if not likely[label]:
            raise UserError(f"{where}: neither its first nor its last column can be labels; add a header with label")
        return replace(columns, pixels=tuple(place for place in pixels if place != label), label=label)
    if headed or pixels or not body:
        return columns
    others = [place for place in range(len(body[0])) if place != columns.packed]
    part = next((place for place in others if all(part_of_value(row[place]) for row in body)), None)
    labels = [place for place in others if place != part and _likeness([row[place] for row in body])]
    chosen = labels[0] if len(labels) == 1 else None
    left = tuple(str(place + 1) for place in others if place not in (part, chosen))
    return replace(columns, label=chosen, part=part, left=left)


def _likeness(cells: Sequence[str]) -> int:
    """Grade how like labels some cells are: 3 words, 2 numbers without gaps from 0 or 1, 1 whole numbers."""
    if not all(map(_is_number, cells)):
        return 3
    values = {float(cell) for cell in cells}
    if not all(value.is_integer() and -1 <= value < MOST_CLASSES for value in values):
        return 0
    low, high = min(values), max(values)
    return 2 if low in (0, 1) and len(values) > 1 and high - low + 1 == len(values) else 1


# Rows


class Words:
    """A column of words, each kept as the number of its place in the order in which they came."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._codes: list[Array] = []

    def number(self, cell: str) -> int:
        """Return the number of a word."""
        return self._numbers.setdefault(cell.strip(), len(self._numbers))

    def add(self, numbers: Array) -> None:
        """Add the numbers of the words of some rows."""
        self._codes.append(numbers.astype(np.int32))

    def column(self, where: str) -> Array:
        """Return the column [N]: whole numbers, with -1 for empty cells, if all words are such, else text.

        Raises:
            UserError: some words are no numbers, and a cell is empty.
        """
        words, codes = list(self._numbers), np.concatenate(self._codes)
        column: Array
        values = [float(word) if word and _is_number(word) else -1.0 if not word else np.nan for word in words]
        if np.isfinite(values).all() and np.array_equal(np.rint(values), values):
            column = np.array(values).astype(np.int64)[codes]
            return column
        if "" in words:
            raise UserError(f"{where}: row {np.argmax(codes == words.index('')) + 1} has no label; give it one")
        column = np.array(words)[codes]
        return column


def _read_rows(lines: Iterable[Line], layout: Layout, where: str) -> tuple[Array | None, Mapping[int, Words]]:
    """Read all rows: pixels as rows of numbers, where there are any, and the words of labels and parts."""
    columns = layout.columns
    words = {place: Words() for place in (columns.label, columns.part) if place is not None}
    rows: list[Array] = []
    total = 0
    for piece in _pieces(lines):
        try:
            pixels = _read_piece([line for _, line in piece], layout, words)
        except ValueError as error:
            raise _bad_row(piece, layout, where, error) from None
        whole = (
            not layout.fractions and np.array_equal(pixels, np.rint(pixels)) and np.abs(pixels).max(initial=0) < 2**31
        )
        rows.append(narrowed(pixels.astype(np.int64)) if whole else pixels)
        total += rows[-1].nbytes
        if total > MOST_BYTES or pixels.shape[1] != rows[0].shape[1]:
            why = "holds over 8 GiB of pixels" if total > MOST_BYTES else "has rows of different lengths"
            raise UserError(f"{where}: {why}; save an .npz with images and labels")
    if columns.packed is not None and not is_picture(rows[0].shape[1]):
        raise refuse_pixels(rows[0].shape[1], where)
    return (np.concatenate(rows) if rows[0].shape[1] else None), words


def _pieces(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Give the lines in pieces that are not too large."""
    piece: list[Line] = []
    size = 0
    for line in lines:
        piece.append(line)
        size += len(line[1])
        if size > PIECE:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _read_piece(lines: list[str], layout: Layout, words: Mapping[int, Words]) -> Array:
    """Read the pixels [n, pixels] of some rows, and add the words of their other columns."""
    columns = layout.columns
    if columns.packed is None and columns.pixels:
        ignored = set(range(len(layout.names))) - set(columns.pixels) - words.keys()
        read = {place: words[place].number for place in words} | dict.fromkeys(ignored, lambda _: 0)
        table = _numbers(lines, layout.separator, read)
        if table.shape[1] != len(layout.names):
            raise ValueError("rows of different lengths")
        for place in words:
            words[place].add(table[:, place])
        return table[:, columns.pixels]
    rows = [_cells(line, layout.separator) for line in lines]
    if any(len(row) != len(layout.names) for row in rows):
        raise ValueError("rows of different lengths")
    for place in words:
        words[place].add(np.array([words[place].number(row[place]) for row in rows]))
    if columns.packed is None:
        return np.empty((len(rows), 0), np.float32)
    return _numbers([row[columns.packed].translate(LISTS) for row in rows], None, {})


def _numbers(lines: list[str], separator: str | None, read: Mapping[int, Callable[[str], int]]) -> Array:
    """Read lines of as many numbers each, and of words where ``read`` tells how to make numbers of a column's.

    Whole numbers are read as such, seven times as fast as numbers with a point.
    """
    converters: dict[int | str, Callable[[str], int]] = dict(read.items())

    def as_type(kind: type[np.generic]) -> Array:
        return np.loadtxt(lines, kind, None, separator, converters, ndmin=2, encoding="utf-8", quotechar='"')

    if not any("." in line for line in lines):
        with warnings.catch_warnings(), suppress(ValueError, DeprecationWarning):
            warnings.simplefilter("error", DeprecationWarning)  # NumPy's word that it would cut off 1e-3
            return as_type(np.int64)
    return as_type(np.float32)


def _are_whole(pixels: Array) -> bool:
    return np.array_equal(pixels, np.rint(pixels)) and bool(np.abs(pixels).max(initial=0) < 2**62)


def _bad_row(piece: Sequence[Line], layout: Layout, where: str, error: Exception) -> UserError:
    """Name the first row of a piece that cannot be read."""
    count, columns = len(layout.names), layout.columns
    length: int | None = None
    for number, line in piece:
        try:
            cells = _cells(line, layout.separator)
        except ValueError as why:
            return UserError(f"{where}: line {number} cannot be split into cells ({why}); mend that line")
        if len(cells) != count:
            return UserError(
                f"{where}: line {number} has {len(cells):,} cells, and the first {count:,}; mend that line"
            )
        numbers = (
            cells[columns.packed].translate(LISTS).split()
            if columns.packed is not None
            else [cells[p] for p in columns.pixels]
        )
        if (bad := next((cell for cell in numbers if not _is_number(cell)), None)) is not None:
            return UserError(f"{where}: line {number}: {one_line(bad[:40])!r} is no pixel; mend that line")
        if length not in (None, len(numbers)):
            return UserError(
                f"{where}: line {number} has {len(numbers):,} pixels, and those before {length:,}; mend it"
            )
        length = len(numbers)
    return UserError(f"{where}: lines {piece[0][0]} to {piece[-1][0]} cannot be understood ({one_line(error)})")
