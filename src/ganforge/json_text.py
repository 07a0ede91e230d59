"""Standard JSON: written without NaN and Infinity, and read with a plain error message."""

import json
import math
from typing import Any


class NoJson(ValueError):
    """The text is not JSON; the message is a phrase with the reason."""


def to_json(values: Any, *, indent: int | None = None, sort_keys: bool = False, ascii_only: bool = True) -> str:
    """Return values as JSON text; numbers of NumPy and torch become plain numbers, NaN and infinities ``null``.

    Raises:
        TypeError: JSON cannot hold a value, such as a set.
    """
    plain = _plain(values)
    return json.dumps(plain, indent=indent, sort_keys=sort_keys, ensure_ascii=ascii_only, allow_nan=False)


def parse_json(content: bytes | str) -> Any:
    """Parse JSON in UTF-8, with or without a byte order mark; NaN and infinities, which are not JSON, become None.

    Raises:
        NoJson: the text is not JSON, or is nested too deep.
    """
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        return json.loads(text, parse_float=_finite, parse_constant=lambda name: None)
    except UnicodeDecodeError:
        raise NoJson("it is not text in UTF-8") from None
    except RecursionError:
        raise NoJson("it is nested too deep") from None
    except json.JSONDecodeError as error:
        if not text.strip():
            raise NoJson("it is empty") from None
        raise NoJson(f"it is not JSON from line {error.lineno}, column {error.colno} on") from None
    except ValueError:  # a whole number of more than 4,300 digits
        raise NoJson("it holds a number with too many digits") from None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if not isinstance(value, str | int | float | None) and hasattr(value, "tolist"):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None
