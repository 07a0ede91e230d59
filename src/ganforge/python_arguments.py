"""Arguments of the public functions: convert numbers, paths and labels of any Python type, or refuse them."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ganforge.errors import UserError

LARGEST = 2**63 - 1
"""Largest whole number of an argument."""


def as_whole(name: str, value: Any) -> int:
    """Return a whole number of any type as an int: 3, ``np.int64(3)``, a one-element tensor, 1e4.

    Raises:
        UserError: the value is not a whole number, or has more than 63 bits; booleans and text are refused.
    """
    number = _number(value)
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, int):
        return _in_63_bits(name, number)
    raise UserError(f"{name} {shown(value)}: must be a whole number")


def as_number(name: str, value: Any) -> float:
    """Return a number of any type as a Python number.

    Raises:
        UserError: the value is not a number, or a whole one of more than 63 bits; booleans and text are refused.
    """
    number = _number(value)
    if number is None:
        raise UserError(f"{name} {shown(value)}: must be a number")
    return _in_63_bits(name, number) if isinstance(number, int) else number


def as_path(name: str, value: Any) -> Path:
    """Return a string, a path or a `Run` as a path.

    Raises:
        UserError: the value is none of these.
    """
    if isinstance(value, str | os.PathLike) and isinstance(path := os.fspath(value), str):
        return Path(path)
    raise UserError(f"{name} {shown(value)}: must be a path")


def as_whole_numbers(name: str, values: Any) -> list[int]:
    """Return the whole numbers in a list, an array or a tensor as a list.

    Raises:
        UserError: the value is not a list, or an entry is not a whole number.
    """
    values = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UserError(f"{name} {shown(values)}: must be a list of whole numbers")
    return [value if type(value) is int else as_whole(name, value) for value in values]


def as_labels(name: str, values: Any) -> list[int | str]:
    """Return the labels in a list, an array or a tensor as a list: names of classes, or whole numbers.

    Raises:
        UserError: the value is not a list, or an entry is neither.
    """
    values = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UserError(f"{name} {shown(values)}: must be a list of labels")
    return [str(value) if isinstance(value, str) else as_whole(name, value) for value in values]


def as_texts(name: str, values: Any) -> list[str]:
    """Return strings as a list; a single string becomes a list of one.

    Raises:
        UserError: an entry is not a string.
    """
    texts = [values] if isinstance(values, str) or not isinstance(values, Iterable) else list(values)
    for text in texts:
        if not isinstance(text, str):
            raise UserError(f"{name} {shown(text)}: must be text")
    return texts


def shown(value: object) -> str:
    """Return the repr of a value on one line, 60 characters at most."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:59]}…"


def _in_63_bits(name: str, number: int) -> int:
    """Return the number, or refuse it: run folders and torch hold no larger one."""
    if not -LARGEST <= number <= LARGEST:
        raise UserError(f"{name}: is a number of more than 63 bits; give one of at most {LARGEST:,}")
    return number


def _number(value: Any) -> int | float | None:
    """Return a number of Python, NumPy or torch as a Python number; None for anything else."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
