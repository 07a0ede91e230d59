"""The black and white levels of a set, from its type and range or from the user."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ganforge.errors import UserError

Array = npt.NDArray[Any]

TOLERANCE = 1e-5
"""Tolerance at the ends of a range, for rounding errors of float32 normalisation."""

MAX_LEVEL_OF_BITS = {8: 255, 10: 1023, 12: 4095, 14: 16383, 16: 65535}
"""The highest level of files, cameras and scanners by bit depth."""

OTHER_LEVELS = "--levels LOW,HIGH sets others"
CHUNK_PIXELS = 2**24
"""Number of pixels converted at a time."""


@dataclass(frozen=True)
class Levels:
    """The levels that are mapped to 0 and to 255."""

    black: float
    white: float


def parse_levels(text: str | None) -> tuple[float, float] | None:
    """Parse ``--levels LOW,HIGH``.

    Raises:
        UserError: the text is not two numbers, the lower first.
    """
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.replace("..", ",").split(","))
        check_levels((low, high))
    except (ValueError, UserError):
        raise UserError(
            f"--levels {text}: write the levels of black and white, the lower first, as in --levels 0,4095 "
            "(--levels=-0.5,0.5 if the first is negative)"
        ) from None
    return low, high


def check_levels(levels: tuple[float, float] | None) -> None:
    """Check a pair of levels.

    Raises:
        UserError: ``levels`` is not two finite numbers, the lower first.
    """
    if levels is None:
        return
    try:
        low, high = (float(level) for level in levels)
    except (TypeError, ValueError):
        low = high = 0.0
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise UserError(f"levels {levels}: give the levels of black and white, the lower first: (0, 4095)")


def choose_levels(kind: str, low: float, high: float, user_levels: tuple[float, float] | None) -> tuple[Levels, str]:
    """Return the levels of black and white, and a note if the choice is uncertain ("" otherwise).

    Args:
        kind: the kind of NumPy's dtype: b boolean, i and u integer, f float.
        low: the lowest level in the set.
        high: the highest level in the set.
        user_levels: the user's levels.

    Raises:
        ValueError: the range is ambiguous; the message says what to do.
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("some pixels are NaN or infinite; repair or remove those images")
    span = f"pixels range from {low:g} to {high:g}"
    if user_levels is not None:
        outside = low < user_levels[0] or high > user_levels[1]
        note = f"{span}, beyond --levels {user_levels[0]:g},{user_levels[1]:g}: levels outside are clipped"
        return Levels(*user_levels), note if outside else ""
    if kind == "b":
        return Levels(0, 1), ""
    if kind == "f" and low >= -1 - TOLERANCE and high <= 1 + TOLERANCE:
        return _unit_levels(low, high, span)
    bits = next((bits for bits, most in MAX_LEVEL_OF_BITS.items() if high <= most), None)
    if low < 0 or bits is None or (kind == "f" and bits > 8):
        raise ValueError(f"{span}; give the levels of black and white: --levels {_rounded(low)},{_rounded(high)}")
    white = MAX_LEVEL_OF_BITS[bits]
    return Levels(0, white), "" if bits == 8 else f"{span}: read as {bits} bits, 0 to {white}; {OTHER_LEVELS}"


def _unit_levels(low: float, high: float, span: str) -> tuple[Levels, str]:
    """Return 0..1 or -1..1 for fractions, with a note where a range below 0 uses at most half of -1..1."""
    if low >= -TOLERANCE:
        return Levels(0, 1), ""
    half = max(abs(low), abs(high)) <= 0.5 + TOLERANCE
    return Levels(-1, 1), f"{span}: read as -1..1; {OTHER_LEVELS}" if half else ""


def _rounded(level: float) -> str:
    return f"{level:g}" if abs(level) < 1e6 else f"{level:.0f}"


def to_levels(pixels: Array, levels: Levels) -> npt.NDArray[np.uint8]:
    """Map pixels to 0..255: linear from black to white, rounded, clipped outside."""
    if pixels.dtype == np.uint8 and levels == Levels(0, 255):
        return pixels
    result = np.empty(pixels.shape, np.uint8)
    step = max(1, CHUNK_PIXELS // max(1, int(np.prod(pixels.shape[1:]))))
    for start in range(0, len(pixels), step):
        result[start : start + step] = _map_chunk(pixels[start : start + step], levels)
    return result


def _map_chunk(pixels: Array, levels: Levels) -> Array:
    scaled: Array
    if pixels.dtype.kind == "f" and levels == Levels(0, 1):
        scaled = pixels.astype(np.float32) * 255
    elif pixels.dtype.kind == "f" and levels == Levels(-1, 1):
        scaled = (pixels.astype(np.float32) + 1) * 127.5
    elif levels == Levels(0, 255):
        scaled = pixels
    else:
        scaled = (pixels.astype(np.float64) - levels.black) * (255 / (levels.white - levels.black))
    return np.rint(scaled).clip(0, 255).astype(np.uint8)
