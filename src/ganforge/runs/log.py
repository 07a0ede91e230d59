"""JSON lines: one object per line, appended while the run goes on."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ganforge.errors import RunFailed, UserError
from ganforge.files import write_atomically
from ganforge.json_text import NoJson, parse_json, to_json

T = TypeVar("T")


def append_line(path: Path, values: dict[str, Any]) -> None:
    """Append one object as a line.

    Raises:
        RunFailed: it could not be written.
    """
    try:
        with path.open("ab+") as file:
            if file.tell() and file.seek(-1, 2) >= 0 and file.read(1) != b"\n":
                file.write(b"\n")  # a line that a crash cut off must not spoil this one
            file.write(to_json(values).encode() + b"\n")
    except OSError as error:
        raise RunFailed(f"could not write {path}: {error.strerror}; what was saved before is untouched") from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of every line; damaged ones, and those that name no step, are left out."""
    try:
        content = path.read_bytes()
    except OSError:
        return []
    return [line for text in content.split(b"\n") if (line := _line(text)) is not None]


def _line(text: bytes) -> dict[str, Any] | None:
    try:
        line = parse_json(text)
    except NoJson:
        return None
    return line if isinstance(line, dict) and type(line.get("step")) is int else None


def read_log(path: Path) -> list[dict[str, float]]:
    """Return the lines of a log of statistics; those in which a value is no number are left out."""
    return [line for line in read_lines(path) if all(isinstance(value, int | float) for value in line.values())]


def fitting(kind: type[T], values: Any) -> T | None:
    """Return what a line holds as a value of this kind (a dataclass, a list of them).

    None where fields are missing or of another type, as an older version or a damaged disk may leave them; fields that
    are not known, as a newer version may write, are left out.
    """
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError:
        return None


def cut_back(path: Path, step: int) -> None:
    """Drop every line after ``step``: the run goes on from there and will write them again."""
    lines = read_lines(path)
    kept = [line for line in lines if line["step"] <= step]
    write_atomically(path, "".join(to_json(line) + "\n" for line in kept).encode())


def read_json(path: Path) -> dict[str, Any]:
    """Return the one JSON object in a file.

    Raises:
        UserError: it cannot be read, or holds something else.
    """
    try:
        values = parse_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except NoJson as error:
        raise UserError(f"{path}: {error}; 'ganforge evaluate ... --json > FILE' writes one") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: holds no JSON object; 'ganforge evaluate ... --json > FILE' writes one")
    return values
