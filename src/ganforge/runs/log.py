"""JSON lines: one object per line, appended during the run."""

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
        RunFailed: the line could not be written.
    """
    try:
        with path.open("ab+") as file:
            if file.tell() and file.seek(-1, 2) >= 0 and file.read(1) != b"\n":
                file.write(b"\n")  # so that a line cut off by a crash does not spoil this one
            file.write(to_json(values).encode() + b"\n")
    except OSError as error:
        raise RunFailed(f"could not write {path}: {error.strerror}; everything saved so far is safe") from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the object of every line; damaged lines, and lines without a step, are left out."""
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
    """Return the lines of a log of statistics; lines with a value that is not a number are left out."""
    return [line for line in read_lines(path) if all(isinstance(value, int | float) for value in line.values())]


def fitting(kind: type[T], values: Any) -> T | None:
    """Return values of a line as an instance of ``kind`` (a dataclass, a list of dataclasses).

    None if fields are missing or have another type, as in files of older versions or of a damaged disk. Unknown fields,
    which newer versions may write, are left out.
    """
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError:
        return None


def cut_back(path: Path, step: int) -> None:
    """Drop every line after ``step``: the run resumes there and writes them again."""
    lines = read_lines(path)
    remaining = [line for line in lines if line["step"] <= step]
    write_atomically(path, "".join(to_json(line) + "\n" for line in remaining).encode())


def read_json(path: Path) -> dict[str, Any]:
    """Return the one JSON object in a file.

    Raises:
        UserError: the file cannot be read, or holds something else.
    """
    try:
        values = parse_json(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); name a file of 'ganforge evaluate --json'"
        ) from None
    except NoJson as error:
        raise UserError(f"{path}: is no evaluation (a JSON file of 'ganforge evaluate --json'): {error}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: is not a JSON object; 'ganforge evaluate ... --json > FILE' writes one")
    return values
