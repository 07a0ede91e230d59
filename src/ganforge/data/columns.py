"""What the columns of a table are, by their names: labels, the part of a row, pixels, and what is left out."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ganforge.data.array_names import LABEL_WORDS, part_in, place_of
from ganforge.data.normalize_arrays import LARGEST, SMALLEST
from ganforge.data.open_file import listed
from ganforge.data.reading_rules import USUAL, words_of
from ganforge.errors import UserError

PART_NAMES = ("usage", "split", "subset", "partition", "part")
PARTS_OF_FER = {"publictest": "validation", "privatetest": "test"}
"""What a challenge calls the part that decided its public ranking, and the one that decided in the end."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table by their places.

    Attributes:
        pixels: the columns with a pixel each, in the order of the pixels.
        packed: the column whose cells each hold all pixels of an image.
        label: the column of labels.
        part: the column that tells the part of a row.
        left: names of the columns that are left out.
    """

    pixels: tuple[int, ...] = ()
    packed: int | None = None
    label: int | None = None
    part: int | None = None
    left: tuple[str, ...] = ()


def columns_by_name(names: Sequence[str], packed: int | None, where: str) -> Columns:
    """Tell columns apart by their names; ``packed`` is the one whose cells each hold a whole image.

    Raises:
        UserError: several columns could be the labels.
    """
    pixels = () if packed is not None else _family(names)
    rest = [place for place in range(len(names)) if place not in {*pixels, packed}]
    part = next((place for place in rest if names[place].strip().lower() in PART_NAMES), None)
    label = _label(names, [place for place in rest if place != part], where)
    if not pixels and packed is None:
        others = tuple(place for place in rest if place not in (label, part) and not _is_number_of_row(names[place]))
        pixels = others if is_picture(len(others)) else ()
    left = tuple(names[place] for place in rest if place not in {label, part, *pixels})
    return Columns(pixels, packed, label, part, left)


def _family(names: Sequence[str]) -> tuple[int, ...]:
    """Return the largest family of columns that differ in numbers only (pixel0, pixel1, …), in the order of these."""
    stems = [re.sub(r"[0-9]+", "#", name.strip().lower()) for name in names]
    stem, count = Counter(stem for stem in stems if "#" in stem).most_common(1)[0] if "#" in "".join(stems) else ("", 0)
    if count < SMALLEST**2:
        return ()
    members = [place for place, of in enumerate(stems) if of == stem]
    return tuple(sorted(members, key=lambda place: [int(number) for number in re.findall("[0-9]+", names[place])]))


def _label(names: Sequence[str], places: Sequence[int], where: str) -> int | None:
    named = {place: place_of(names[place], USUAL).role for place in places}
    exact = [place for place in places if named[place] == "labels"]
    near = [place for place in places if set(words_of(names[place])) & set(LABEL_WORDS)]
    likely = exact or [place for place in near if named[place] != "names"] or near
    if len(likely) > 1:
        raise UserError(
            f"{where}: its columns {listed([names[place] for place in likely])} could all be the labels; "
            "call one of them label and the others otherwise"
        )
    return likely[0] if likely else None


def _is_number_of_row(name: str) -> bool:
    return name.strip().lower() in ("", "id", "index", "idx", "unnamed: 0", "filename", "file", "name", "path")


def is_picture(count: int) -> bool:
    """Say whether so many pixels make a square grey picture of a size that works."""
    return math.isqrt(count) ** 2 == count and SMALLEST <= math.isqrt(count) <= LARGEST


def refuse_pixels(count: int, where: str) -> UserError:
    """Return the refusal of so many columns of pixels as make no square grey picture."""
    side = math.isqrt(count // 3)
    if count == 3 * side**2 and side >= SMALLEST:
        return UserError(
            f"{where}: its {count:,} pixels a row may be {side}×{side} in colour, but a table does not tell whether "
            f"the colours of a pixel lie together; save an .npz with images [N, {side}, {side}, 3] and labels"
        )
    return UserError(
        f"{where}: its {count:,} pixels a row make no square picture of {SMALLEST} to {LARGEST} px a side; "
        "save an .npz with images [N, H, W] and labels"
    )


def part_of_value(value: str) -> str | None:
    """Return the part that a cell of the column of parts stands for: Training, PublicTest, dev."""
    return PARTS_OF_FER.get(value.strip().lower()) or part_in(value, USUAL)
