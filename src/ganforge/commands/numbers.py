"""Ranges of the whole numbers that flags take, checked before a command does anything."""

from collections.abc import Callable

import typer

from ganforge.errors import UserError

LARGEST = 2**63 - 1
"""Largest whole number of a flag: run folders and torch hold no larger one."""

MOST_DRAWS = 64
"""Largest number of results for one picture."""

MOST_FRAMES = 1000
"""Largest number of new frames of a clip."""

Check = Callable[[typer.CallbackParam, int | None], int | None]


def whole(least: int = -LARGEST, most: int = LARGEST) -> Check:
    """Return the ``callback`` of a flag that takes a whole number from ``least`` to ``most``.

    The callback raises a `UserError` that names the flag and the bound.
    """

    def check(parameter: typer.CallbackParam, value: int | None) -> int | None:
        if value is not None and value < least:
            raise UserError(f"{parameter.opts[0]} {value}: must be {least:,} or more")
        if value is not None and value > most:
            raise UserError(f"{parameter.opts[0]} {value}: must be at most {most:,}")
        return value

    return check


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 picture", "2 pictures"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
