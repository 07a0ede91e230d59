"""JSON lines: one object per line, appended while the run goes on."""

import json
from pathlib import Path
from typing import Any

from ganforge.errors import RunFailed, UserError
from ganforge.files import write_atomically
from ganforge.json_text import to_json


def append_line(path: Path, values: dict[str, Any]) -> None:
    """Append one object as a line.

    Raises:
        RunFailed: it could not be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(to_json(values) + "\n")
    except OSError as error:
        raise RunFailed(f"could not write {path}: {error.strerror}; what was saved before is untouched") from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of every whole line up to one that is damaged, such as a last one cut off by a crash."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            break
        if not isinstance(line, dict):
            break
        lines.append(line)
    return lines


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
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: is not JSON ({error}); 'ganforge evaluate ... --json > FILE' writes it") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: holds no JSON object; 'ganforge evaluate ... --json > FILE' writes one")
    return values
