"""Identification of a table's columns by their names: pixels, labels, the part of a row, and ignored columns."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ganforge.data.axis_order import LARGEST, SMALLEST
from ganforge.data.reading_rules import USUAL, words_of
from ganforge.data.sources.array_names import LABEL_WORDS, part_in, place_of
from ganforge.data.sources.open_file import listed
from ganforge.errors import UserError

PART_NAMES = ("usage", "split", "subset", "partition", "part")
PARTS_OF_FER = {"publictest": "validation", "privatetest": "test"}
"""The parts of the FER challenge: the one of its public ranking, and the one of its final ranking."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table by index.

    Attributes:
        pixels: the columns with one pixel each, in pixel order.
        packed: the column whose cells hold all pixels of an image.
        label: the column of labels.
        part: the column with the part of each row.
        left: names of the ignored columns.
    """

    pixels: tuple[int, ...] = ()
    packed: int | None = None
    label: int | None = None
    part: int | None = None
    left: tuple[str, ...] = ()


def columns_by_name(names: Sequence[str], packed: int | None, where: str) -> Columns:
    """Identify columns by their names; ``packed`` is the column whose cells hold all pixels of an image.

    Raises:
        UserError: several columns could be the labels.
    """
    pixels = () if packed is not None else _numbered_group(names)
    rest = [place for place in range(len(names)) if place not in {*pixels, packed}]
    part = next((place for place in rest if names[place].strip().lower() in PART_NAMES), None)
    label = _label(names, [place for place in rest if place != part], where)
    if not pixels and packed is None:
        others = tuple(place for place in rest if place not in (label, part) and not _is_row_id(names[place]))
        pixels = others if is_picture(len(others)) else ()
    left = tuple(names[place] for place in rest if place not in {label, part, *pixels})
    return Columns(pixels, packed, label, part, left)


def _numbered_group(names: Sequence[str]) -> tuple[int, ...]:
    """Return the largest group of columns that differ only in numbers (pixel0, pixel1, …), ordered by the numbers."""
    stems = [re.sub(r"[0-9]+", "#", name.strip().lower()) for name in names]
    stem, count = Counter(stem for stem in stems if "#" in stem).most_common(1)[0] if "#" in "".join(stems) else ("", 0)
    if count < SMALLEST**2:
        return ()
    members = [place for place, of in enumerate(stems) if of == stem]
    return tuple(sorted(members, key=lambda place: [int(number) for number in re.findall("[0-9]+", names[place])]))


def _label(names: Sequence[str], places: Sequence[int], where: str) -> int | None:
    roles = {place: place_of(names[place], USUAL).role for place in places}
    exact = [place for place in places if roles[place] == "labels"]
    partial = [place for place in places if set(words_of(names[place])) & set(LABEL_WORDS)]
    candidates = exact or [place for place in partial if roles[place] != "names"] or partial
    if len(candidates) > 1:
        raise UserError(
            f"{where}: its columns {listed([names[place] for place in candidates])} could all be the labels; "
            "name one of them label and rename the others"
        )
    return candidates[0] if candidates else None


def _is_row_id(name: str) -> bool:
    return name.strip().lower() in ("", "id", "index", "idx", "unnamed: 0", "filename", "file", "name", "path")


def is_picture(count: int) -> bool:
    """Return whether ``count`` pixels are a square grey image of a supported size."""
    return math.isqrt(count) ** 2 == count and SMALLEST <= math.isqrt(count) <= LARGEST


def refuse_pixels(count: int, where: str) -> UserError:
    """Return the error for a number of pixels per row that is not a square grey image."""
    side = math.isqrt(count // 3)
    if count == 3 * side**2 and side >= SMALLEST:
        return UserError(
            f"{where}: its {count:,} pixels per row may be {side}×{side} in colour, but a table does not give the "
            f"order of channels; save an .npz with images [N, {side}, {side}, 3] and labels"
        )
    return UserError(
        f"{where}: its {count:,} pixels per row are not a square image of {SMALLEST} to {LARGEST} px on each side; "
        "save an .npz with images [N, H, W] and labels"
    )


def part_of_value(value: str) -> str | None:
    """Return the part that a cell of the part column names: Training, PublicTest, dev."""
    return PARTS_OF_FER.get(value.strip().lower()) or part_in(value, USUAL)
