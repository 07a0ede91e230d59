"""Which levels of a set are black and white: told by its type and range, or by the user."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ganforge.errors import UserError

Array = npt.NDArray[Any]

HAIR = 1e-5
"""What normalising in float32 leaves beside the ends of a range."""

DEEP = {10: 1023, 12: 4095, 14: 16383, 16: 65535}
"""The highest level of cameras and scanners, by their bits."""

BLOCK = 2**24
"""Pixels that are converted at a time."""


@dataclass(frozen=True)
class Levels:
    """The level that becomes 0, and the one that becomes 255."""

    black: float
    white: float


def parse_levels(text: str | None) -> tuple[float, float] | None:
    """Understand ``--levels LOW,HIGH``.

    Raises:
        UserError: these are not two numbers, the lower first.
    """
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.replace("..", ",").split(","))
        check_levels((low, high))
    except (ValueError, UserError):
        raise UserError(
            f"--levels {text}: write the levels of black and white, the lower first, as in --levels 0,4095 "
            "(--levels=-0.5,0.5 where the first is negative)"
        ) from None
    return low, high


def check_levels(levels: tuple[float, float] | None) -> None:
    """Refuse levels that are not two numbers, the lower first.

    Raises:
        UserError: with the way to write them.
    """
    if levels is None:
        return
    try:
        low, high = (float(level) for level in levels)
    except (TypeError, ValueError):
        low = high = 0.0
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise UserError(f"levels {levels}: give the levels of black and white, the lower first: (0, 4095)")


def choose_levels(kind: str, low: float, high: float, wanted: tuple[float, float] | None) -> tuple[Levels, str]:
    """Settle which levels are black and white, and say in a line what is not sure about the choice ("" if nothing is).

    Args:
        kind: of NumPy's dtype: b truth values, i and u whole numbers, f floats.
        low: the lowest level in the set.
        high: the highest one.
        wanted: what the user says.

    Raises:
        ValueError: with the reason why the range cannot be read, and what to do.
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("some pixels are NaN or infinite; repair or drop those images")
    run = f"pixels run from {low:g} to {high:g}"
    if wanted is not None:
        outside = low < wanted[0] or high > wanted[1]
        beyond = f"{run}, beyond --levels {wanted[0]:g},{wanted[1]:g}: what lies outside is cut off"
        return Levels(*wanted), beyond if outside else ""
    if kind == "b":
        return Levels(0, 1), ""
    if kind == "f" and high <= 1 + HAIR and low >= -1 - HAIR:
        if low >= -HAIR:
            return Levels(0, 1), ""
        return Levels(-1, 1), f"{run}: read as -1..1; --levels LOW,HIGH says otherwise" if _half(low, high) else ""
    if low < 0 or (kind == "f" and high > 255):
        raise ValueError(f"{run}; say which levels are black and white: --levels {_whole(low)},{_whole(high)}")
    if high <= 255:
        return Levels(0, 255), ""
    bits = next((bits for bits, most in DEEP.items() if high <= most), None)
    if bits is None:
        raise ValueError(f"{run}; say which levels are black and white: --levels {_whole(low)},{_whole(high)}")
    return Levels(0, DEEP[bits]), f"{run}: read as {bits} bits, 0 to {DEEP[bits]}; --levels LOW,HIGH says otherwise"


def _half(low: float, high: float) -> bool:
    """Whether a range below 0 uses no more than half of -1..1."""
    return bool(max(abs(low), abs(high)) <= 0.5 + HAIR)


def _whole(level: float) -> str:
    return f"{level:g}" if abs(level) < 1e6 else f"{level:.0f}"


def to_levels(pixels: Array, levels: Levels) -> npt.NDArray[np.uint8]:
    """Map pixels to 0..255: linear from black to white, rounded, cut off outside."""
    if pixels.dtype == np.uint8 and levels == Levels(0, 255):
        return pixels
    result = np.empty(pixels.shape, np.uint8)
    step = max(1, BLOCK // max(1, int(np.prod(pixels.shape[1:]))))
    for start in range(0, len(pixels), step):
        result[start : start + step] = _block(pixels[start : start + step], levels)
    return result


def _block(pixels: Array, levels: Levels) -> Array:
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
