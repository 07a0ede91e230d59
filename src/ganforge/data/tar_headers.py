"""The headers of a tar, read without trust in what they claim (POSIX.1-2017, pax; the formats v7, ustar and GNU too).

Python's own tarfile takes damage in the middle for the end, reads a header of any size into memory, and loops on some
in the versions that ganforge runs on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

BLOCK = 512
MOST_EXTENSION = 2**20
"""Bytes beyond which no header holds a name."""

FILES, FOLDER = (b"0", b"\0", b"7"), b"5"
LONG_NAME, LONG_LINK, EXTENDED, GLOBAL, LABEL = b"L", b"K", (b"x", b"X"), b"g", b"V"
LINKS, DEVICES, SPARSE = (b"1", b"2"), (b"3", b"4", b"6"), b"S"


class DamagedTar(Exception):
    """A file is no whole tar; the message says why."""


@dataclass(frozen=True, slots=True)
class TarMember:
    """A member of a tar: its name as stored, its kind as ``type``, its size, and where its content begins."""

    name: str
    type: bytes
    size: int
    start: int


@dataclass
class _Extensions:
    """What the headers before a member say of it in place of its own."""

    name: bytes | None = None
    size: int | None = None
    sparse: bool = False


def read_members(file: IO[bytes], length: int) -> Iterator[TarMember]:
    """Give the members of a tar of so many bytes, in their order.

    Raises:
        DamagedTar: a header is damaged, or the end is missing.
    """
    place, said = 0, _Extensions()
    while True:
        file.seek(place)
        block = file.read(BLOCK)
        if len(block) < BLOCK:
            raise DamagedTar("it is cut short")
        if not any(block):
            return
        if not is_header(block):
            raise DamagedTar(f"it is damaged at byte {place:,}")
        kind, size = block[156:157], _number(block[124:136]) or 0
        place += BLOCK
        if kind in (LONG_NAME, LONG_LINK, *EXTENDED, GLOBAL, LABEL):
            _extend(said, kind, _content(file, size))
        else:
            size = size if said.size is None else said.size
            size = 0 if kind == FOLDER or kind in LINKS or kind in DEVICES else size
            name = (said.name or _name(block)).decode("utf-8", "surrogateescape")
            yield TarMember(name, SPARSE if said.sparse else kind, size, place)
            said = _Extensions()
        place += -(-size // BLOCK) * BLOCK
        if place > length:
            raise DamagedTar("it is cut short")


def is_header(block: bytes) -> bool:
    """Say whether a block is a header: its sum is the one that it gives."""
    given = _number(block[148:156])
    blank = block[:148] + b" " * 8 + block[156:BLOCK]
    return len(block) >= BLOCK and given is not None and given in (sum(blank), sum(blank) - 256 * _negative(blank))


def _negative(block: bytes) -> int:
    """Count the bytes that are negative to the old tars which took them with a sign."""
    return sum(byte > 127 for byte in block)


def _number(field: bytes) -> int | None:
    """Read a number in octal digits, or in binary where the first bit is set; None where it is none."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.split(b"\0")[0].strip()
    try:
        return int(digits or b"0", 8) if digits.isdigit() or not digits else None
    except ValueError:
        return None


def _name(block: bytes) -> bytes:
    name, before = block[:100].split(b"\0")[0], block[345:500].split(b"\0")[0]
    return before + b"/" + name if before and block[257:263] == b"ustar\0" else name


def _content(file: IO[bytes], size: int) -> bytes:
    if size > MOST_EXTENSION:
        raise DamagedTar(f"it has a header of {size:,} bytes")
    content = file.read(size)
    if len(content) < size:
        raise DamagedTar("it is cut short")
    return content


def _extend(said: _Extensions, kind: bytes, content: bytes) -> None:
    if kind == LONG_NAME:
        said.name = content.split(b"\0")[0]
    elif kind in EXTENDED:
        for key, value in _records(content):
            if key == b"path":
                said.name = value
            elif key == b"size":
                said.size = _decimal(value)
            elif key.startswith(b"GNU.sparse."):
                said.sparse = True


def _records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Split a pax header into its records, ``length key=value``, each with a new line at its end."""
    while content.strip(b"\0"):
        digits, _, _ = content[:20].partition(b" ")
        length = _decimal(digits)
        record = content[len(digits) + 1 : length]
        key, equals, value = record[:-1].partition(b"=")
        if not equals or record[-1:] != b"\n" or length > len(content):
            raise DamagedTar("it has a damaged header")
        yield key, value
        content = content[length:]


def _decimal(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 18:
        raise DamagedTar("it has a damaged header")
    return int(digits)
