"""Class names: their order, and parsing of the user's selection of classes."""

import csv
import re
import unicodedata
from collections.abc import Iterable, Sequence

from ganforge.errors import UserError


def one_form(name: str) -> str:
    """Return a name in Unicode's composed form (NFC), where é is always one character."""
    return unicodedata.normalize("NFC", name)


def in_order(names: Iterable[str]) -> list[str]:
    """Sort names in natural order, with numbers in them compared as numbers: 9 before 10."""
    return sorted(names, key=lambda name: ([_number_or_text(part) for part in re.split(r"(\d+)", name)], name))


def _number_or_text(part: str) -> tuple[int, int, str]:
    # isdecimal, because int() refuses ² and other non-decimal digits
    return (0, int(part), "") if part.isdecimal() else (1, 0, part)


def parse_classes(text: str, names: Sequence[str], flag: str = "--labels") -> list[int]:
    """Return the numbers of the classes that a text names.

    The whole text is tried as one name first, else it is split at commas; double quotes enclose a name with a comma.
    Each item is a name, or a range of names such as ``0-9``. If no class has a number as its name, numbers from 0 are
    class indices. Case matters only where names differ in case alone.

    Args:
        text: the user's text.
        names: the class names in order.
        flag: the option that the text belongs to, for messages.

    Raises:
        UserError: an item names no class, or a range is in reverse order.
    """
    lookup = _ClassLookup(names)
    if (number := lookup.find(text)) is not None:
        return [number]
    numbers: list[int] = []
    for item in _items(text, flag):
        numbers += lookup.parse_item(item, f"{flag} {text!r}")
    return numbers


def number_of(label: int | str, names: Sequence[str]) -> int:
    """Return the number of the class that a label names, by name or by number as in `parse_classes`.

    Raises:
        UserError: there is no such class.
    """
    number = _ClassLookup(names).find(str(label))
    if number is None:
        raise UserError(f"label {label!r} is not a class; {listed(names)}")
    return number


def labels_of(numbers: Iterable[int], names: Sequence[str]) -> list[int] | list[str]:
    """Return the names of classes by their numbers, as integers if all class names are integers."""
    if all(name.isdecimal() for name in names):
        return [int(names[number]) for number in numbers]
    return [names[number] for number in numbers]


def listed(names: Sequence[str]) -> str:
    """Return a phrase that lists the classes, for the end of an error message."""
    return f"there are {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"


def _items(text: str, flag: str) -> list[str]:
    items = [item.strip() for item in next(csv.reader([text], skipinitialspace=True), [])]
    if not any(items):
        raise UserError(f"{flag} {text!r}: names no class; write one or more, separated by commas")
    return [item for item in items if item]


class _ClassLookup:
    """Class numbers by every text that names a class."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._exact = {one_form(name): number for number, name in enumerate(names)}
        folded = [name.casefold() for name in self._exact]
        self._folded = {name.casefold(): n for name, n in self._exact.items() if folded.count(name.casefold()) == 1}
        if not any(name.isdecimal() for name in self._exact):
            self._folded |= {str(number): number for number in range(len(names))}

    def find(self, text: str) -> int | None:
        """Return the number of the class that a text names, or None."""
        text = one_form(text.strip())
        return self._exact.get(text, self._folded.get(text.casefold()))

    def parse_item(self, item: str, where: str) -> list[int]:
        """Return the numbers of the classes that an item names: one class, or a range."""
        if (number := self.find(item)) is not None:
            return [number]
        ranges = [
            (first, last)
            for dash in re.finditer("-", item)
            if (first := self.find(item[: dash.start()])) is not None
            and (last := self.find(item[dash.end() :])) is not None
        ]
        if len(ranges) != 1:
            raise UserError(
                f"{where}: {item!r} is not a class; {listed(self.names)}; write names separated by commas, "
                "or a range such as 0-1"
            )
        first, last = ranges[0]
        if first > last:
            raise UserError(
                f"{where}: {item!r} is in reverse order; write {self.names[last]}-{self.names[first]}, or single names"
            )
        return list(range(first, last + 1))
