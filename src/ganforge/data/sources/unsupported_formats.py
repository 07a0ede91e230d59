"""Recognise file formats that ganforge does not support, and give a command that converts them to pictures or .npz.

A file is recognised by its first bytes, its name or its list of members; the rest is never read. ganforge never
unpickles: the user runs the command and decides whether to trust the file.
"""

import lzma
import os
import re
import zlib
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from pathlib import Path, PurePosixPath

from ganforge.data.sources.open_file import opener_of, unpacked
from ganforge.data.sources.unsupported_kinds import KINDS, Kind

START = 4096
"""Number of leading bytes that identify a format; an HDF5 signature may start as late as byte 2048."""


def unsupported_message(path: Path) -> str | None:
    """Return the error message for an unsupported file or folder, without its path; None if it may be readable."""
    kind = None
    with suppress(OSError):
        if path.is_dir():
            names = os.listdir(path)
            while len(names) == 1 and (path / names[0]).is_dir():
                path = path / names[0]
                names = os.listdir(path)
            kind = kind_of_members(names)
        elif path.is_file():
            with path.open("rb") as file:
                kind = kind_of(path.name, file.read(START))
    return kind.message(str(path)) if kind else None


def kind_of(name: str, start: bytes) -> Kind | None:
    """Return the unsupported kind of a file by its first bytes, decompressed if needed, else by its ending."""
    lower = PurePosixPath(name.lower()).name
    if opener_of(start):
        start, lower = _decompress_start(start), lower.removesuffix(PurePosixPath(lower).suffix)
    for kind in KINDS:
        if kind.start and re.match(kind.start, start, re.DOTALL) and re.fullmatch(kind.name or ".*", lower, re.DOTALL):
            return kind
    lower = re.sub(r"-\d+-of-\d+$", "", lower)
    return next((kind for kind in KINDS if kind.endings and lower.endswith(kind.endings)), None)


def _decompress_start(start: bytes) -> bytes:
    with suppress(OSError, EOFError, zlib.error, lzma.LZMAError), unpacked(BytesIO(start)) as stream:
        return bytes(stream.read1(START))
    return b""


IN_FOLDER = "(?:[^/]+/)?"
MEMBERS = re.compile(IN_FOLDER + "(?:" + "|".join(pattern for kind in KINDS for pattern in kind.members) + ")")


def kind_of_members(names: Iterable[str]) -> Kind | None:
    """Return the unsupported kind of a zip or folder by the names of its members, or None."""
    candidates = [name for name in names if MEMBERS.fullmatch(name)]

    def has(pattern: str) -> bool:
        return any(re.fullmatch(f"{IN_FOLDER}(?:{pattern})", name) for name in candidates)

    return next((kind for kind in KINDS if kind.members and all(map(has, kind.members))), None)
