"""The layout of a text table: its lines, the separator of cells, the header, and the columns of pixels and labels."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import IO

from ganforge.data.axis_order import SMALLEST
from ganforge.data.class_labels import MOST_CLASSES
from ganforge.data.reading_rules import USUAL
from ganforge.data.sources.array_names import place_of
from ganforge.data.sources.columns import Columns, columns_by_name, is_picture, part_of_value, refuse_pixels
from ganforge.data.sources.open_file import listed, one_line
from ganforge.errors import UserError

MAX_LINE = 2**20
"""Maximum length of a line in characters, enough for an image of 64×64 px."""

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


def notes_on(layout: Layout, name: str) -> tuple[str, ...]:
    """Return notes on labels found without a name, and on ignored columns; ``name`` is that of the file."""
    columns, notes = layout.columns, []
    if columns.label is not None and not place_of(layout.names[columns.label], USUAL).role:
        label = layout.names[columns.label] if layout.headed else f"number {columns.label + 1}"
        notes.append(f"{name}: labels: column {label}")
    if columns.left:
        ignored = listed([column.strip() or "one without a name" for column in columns.left])
        notes.append(f"{name}: columns ignored: {ignored}")
    return tuple(notes)


# Lines and cells


def read_lines(stream: IO[bytes], where: str) -> Iterator[Line]:
    """Yield the lines that are not blank.

    Raises:
        UserError: a line is too long, or the file is not text.
    """
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


def split_cells(line: str, separator: str | None) -> list[str]:
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
    cells = {separator: len(split_cells(line, separator)) for separator in SEPARATORS}
    best = max(SEPARATORS, key=lambda separator: cells[separator])
    return None if cells[best] == 1 and len(line.split()) >= SMALLEST**2 else best


def is_number(cell: str) -> bool:
    """Return whether a cell is a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


# Identification of columns


def find_layout(head: Sequence[Line], where: str) -> Layout:
    """Determine the layout of a table from its first lines.

    Raises:
        UserError: there are no rows, the lines are no text table, or the columns are ambiguous.
    """
    if not head:
        raise UserError(f"{where}: is empty; save it again")
    try:
        separator = _separator(head[-1][1])
        rows = [split_cells(line, separator) for _, line in head]
    except ValueError as error:
        raise UserError(f"{where}: is not a text table ({one_line(error)}); save it as CSV in UTF-8") from None
    headed = _is_header(rows)
    body = rows[headed:]
    if not body:
        raise UserError(f"{where}: has no row below its header; save it again")
    named = headed and not all(map(is_number, rows[0]))
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
    return is_number(cell) or len(_unpacked(cell)) > 1


def _unpacked(cell: str) -> list[str]:
    """Split a cell with all pixels of an image; return [] for other cells."""
    numbers = cell.translate(LISTS).split()
    return numbers if len(numbers) >= SMALLEST**2 and is_number(numbers[0]) and is_number(numbers[-1]) else []


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
    if not all(map(is_number, cells)):
        return 3
    values = {float(cell) for cell in cells}
    if not all(value.is_integer() and -1 <= value < MOST_CLASSES for value in values):
        return 0
    low, high = min(values), max(values)
    return 2 if low in (0, 1) and len(values) > 1 and high - low + 1 == len(values) else 1
