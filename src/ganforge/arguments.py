"""Arguments of the public functions: whatever stands for a number or a path in Python becomes one, or is refused."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ganforge.errors import UserError


def as_whole(name: str, value: Any) -> int:
    """Return a whole number of any type as an int: 3, ``np.int64(3)``, a tensor of one, 1e4.

    Raises:
        UserError: it is none; truth values and text are none.
    """
    number = _number(value)
    if isinstance(number, float) and number.is_integer():
        return int(number)
    if isinstance(number, int):
        return number
    raise UserError(f"{name} {shown(value)}: must be a whole number")


def as_number(name: str, value: Any) -> float:
    """Return a number of any type as Python's own.

    Raises:
        UserError: it is none; truth values and text are none.
    """
    number = _number(value)
    if number is None:
        raise UserError(f"{name} {shown(value)}: must be a number")
    return number


def as_path(name: str, value: Any) -> Path:
    """Return the path that a text, a path or a `Run` stands for.

    Raises:
        UserError: it is something else.
    """
    if isinstance(value, str | os.PathLike) and isinstance(place := os.fspath(value), str):
        return Path(place)
    raise UserError(f"{name} {shown(value)}: must be a path")


def as_whole_numbers(name: str, values: Any) -> list[int]:
    """Return whole numbers in a list, an array or a tensor as a list.

    Raises:
        UserError: they are none.
    """
    values = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UserError(f"{name} {shown(values)}: must be a list of whole numbers")
    return [value if type(value) is int else as_whole(name, value) for value in values]


def as_labels(name: str, values: Any) -> list[int | str]:
    """Return labels in a list, an array or a tensor as a list: names of classes, or whole numbers.

    Raises:
        UserError: they are neither.
    """
    values = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UserError(f"{name} {shown(values)}: must be a list of labels")
    return [str(value) if isinstance(value, str) else as_whole(name, value) for value in values]


def as_texts(name: str, values: Any) -> list[str]:
    """Return texts as a list; a single one may stand for itself.

    Raises:
        UserError: something is no text.
    """
    texts = [values] if isinstance(values, str) or not isinstance(values, Iterable) else list(values)
    for text in texts:
        if not isinstance(text, str):
            raise UserError(f"{name} {shown(text)}: must be text")
    return texts


def shown(value: object) -> str:
    """Show any value within a line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:59]}…"


def _number(value: Any) -> int | float | None:
    """Return a number of Python's, NumPy's or torch's as Python's own; None where it is something else."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
