"""Names of classes: the order in which they are numbered, and how a person names some of them."""

import csv
import re
import unicodedata
from collections.abc import Iterable, Sequence

from ganforge.errors import UserError


def one_form(name: str) -> str:
    """Return a name in Unicode's composed form (NFC): é is one letter, however it was typed."""
    return unicodedata.normalize("NFC", name)


def in_order(names: Iterable[str]) -> list[str]:
    """Sort names as a person would: numbers within them count as numbers, so that 9 comes before 10."""
    return sorted(names, key=lambda name: ([_number_or_text(part) for part in re.split(r"(\d+)", name)], name))


def _number_or_text(part: str) -> tuple[int, int, str]:
    # isdecimal, for int() refuses ² and other digits that are no decimals
    return (0, int(part), "") if part.isdecimal() else (1, 0, part)


def parse_classes(text: str, names: Sequence[str], flag: str = "--labels") -> list[int]:
    """Return the numbers of the classes that a text names.

    The whole text is tried as one name first. Else commas part it, and a name that holds a comma stands in double
    quotes. Each piece is a name, or a first and a last name as in ``0-9``. Where no class is named by a number, numbers
    from 0 stand for the classes in their order. Capitals count only where two names differ in nothing else.

    Args:
        text: what was given.
        names: of the classes, in their order.
        flag: what the text was given as, for messages.

    Raises:
        UserError: some piece names no class, or a range runs backwards.
    """
    known = _Known(names)
    if (whole := known.find(text)) is not None:
        return [whole]
    numbers: list[int] = []
    for piece in _pieces(text, flag):
        numbers += known.piece(piece, f"{flag} {text!r}")
    return numbers


def number_of(label: int | str, names: Sequence[str]) -> int:
    """Return the number of the class that a label stands for: its name, or as `parse_classes` understands a number.

    Raises:
        UserError: there is no such class.
    """
    found = _Known(names).find(str(label))
    if found is None:
        raise UserError(f"label {label!r} is no class; {listed(names)}")
    return found


def labels_of(numbers: Iterable[int], names: Sequence[str]) -> list[int] | list[str]:
    """Return the names of classes by their numbers: as whole numbers where all classes are named by such."""
    if all(name.isdecimal() for name in names):
        return [int(names[number]) for number in numbers]
    return [names[number] for number in numbers]


def listed(names: Sequence[str]) -> str:
    """Say which classes there are: a half-sentence to end an error message with."""
    return f"there are {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"


def _pieces(text: str, flag: str) -> list[str]:
    pieces = [piece.strip() for piece in next(csv.reader([text], skipinitialspace=True), [])]
    if not any(pieces):
        raise UserError(f"{flag} {text!r}: names no class; write one or several, with commas between")
    return [piece for piece in pieces if piece]


class _Known:
    """The classes by every text that stands for one of them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._exact = {one_form(name): number for number, name in enumerate(names)}
        folded = [name.casefold() for name in self._exact]
        self._folded = {name.casefold(): n for name, n in self._exact.items() if folded.count(name.casefold()) == 1}
        if not any(name.isdecimal() for name in self._exact):
            self._folded |= {str(number): number for number in range(len(names))}

    def find(self, text: str) -> int | None:
        """Return the number of the class that a text stands for, or None."""
        text = one_form(text.strip())
        return self._exact.get(text, self._folded.get(text.casefold()))

    def piece(self, piece: str, where: str) -> list[int]:
        """Return the classes that a piece names: one, or all from a first to a last."""
        if (one := self.find(piece)) is not None:
            return [one]
        ranges = [
            (first, last)
            for dash in re.finditer("-", piece)
            if (first := self.find(piece[: dash.start()])) is not None
            and (last := self.find(piece[dash.end() :])) is not None
        ]
        if len(ranges) != 1:
            raise UserError(
                f"{where}: {piece!r} is no class; {listed(self.names)}; write names with commas between, "
                "or the first and the last as in 0-1"
            )
        first, last = ranges[0]
        if first > last:
            raise UserError(f"{where}: {piece!r} runs backwards; write {self._backwards(last, first)}, or one by one")
        return list(range(first, last + 1))

    def _backwards(self, first: int, last: int) -> str:
        return f"{self.names[first]}-{self.names[last]}"
