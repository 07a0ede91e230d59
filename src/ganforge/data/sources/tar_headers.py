"""Read the headers of an untrusted tar in the formats v7, ustar, GNU and pax (POSIX.1-2017).

Python's tarfile module is not used because it takes damage in the middle for the end of the archive, reads a header of
any size into memory, and loops endlessly on some headers in the supported Python versions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

BLOCK = 512
MOST_EXTENSION = 2**20
"""The largest extension header in bytes that is accepted."""

FILES, FOLDER = (b"0", b"\0", b"7"), b"5"
LONG_NAME, LONG_LINK, EXTENDED, GLOBAL, LABEL = b"L", b"K", (b"x", b"X"), b"g", b"V"
LINKS, DEVICES, SPARSE = (b"1", b"2"), (b"3", b"4", b"6"), b"S"


class DamagedTar(Exception):
    """The file is damaged or not a tar; the message is the reason."""


@dataclass(frozen=True, slots=True)
class TarMember:
    """A member of a tar: stored name, ``type`` flag, size in bytes, and the file offset ``start`` of its content."""

    name: str
    type: bytes
    size: int
    start: int


@dataclass
class _Extensions:
    """Values from the extension headers of a member; they replace those of its own header."""

    name: bytes | None = None
    size: int | None = None
    sparse: bool = False


def read_members(file: IO[bytes], length: int) -> Iterator[TarMember]:
    """Yield the members of a tar of ``length`` bytes in order.

    Raises:
        DamagedTar: a header is damaged, or the end is missing.
    """
    position, extensions = 0, _Extensions()
    while True:
        file.seek(position)
        block = file.read(BLOCK)
        if len(block) < BLOCK:
            raise DamagedTar("it is cut short")
        if not any(block):
            return
        kind, size = block[156:157], _number(block[124:136])
        if size is None or not is_header(block):
            raise DamagedTar(f"it is damaged at byte {position:,}")
        position += BLOCK
        if kind in (LONG_NAME, LONG_LINK, *EXTENDED, GLOBAL, LABEL):
            _apply_extension(extensions, kind, _read_extension(file, size))
        else:
            size = size if extensions.size is None else extensions.size
            size = 0 if kind == FOLDER or kind in LINKS or kind in DEVICES else size
            name = (extensions.name or _name(block)).decode("utf-8", "surrogateescape")
            yield TarMember(name, SPARSE if extensions.sparse else kind, size, position)
            extensions = _Extensions()
        position += -(-size // BLOCK) * BLOCK
        if position > length:
            raise DamagedTar("it is cut short")


def is_header(block: bytes) -> bool:
    """Tell whether a block is a tar header, that is, whether its checksum is right."""
    checksum = _number(block[148:156])
    blank = block[:148] + b" " * 8 + block[156:BLOCK]
    return (
        len(block) >= BLOCK and checksum is not None and checksum in (sum(blank), sum(blank) - 256 * _negative(blank))
    )


def _negative(block: bytes) -> int:
    """Count the bytes above 127; some old tars sum the bytes as signed integers."""
    return sum(byte > 127 for byte in block)


def _number(field: bytes) -> int | None:
    """Parse a number in octal digits, or in base 256 if the first byte is 0x80; return None if it is neither."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.split(b"\0")[0].strip()
    try:
        return int(digits or b"0", 8) if digits.isdigit() or not digits else None
    except ValueError:
        return None


def _name(block: bytes) -> bytes:
    name, prefix = block[:100].split(b"\0")[0], block[345:500].split(b"\0")[0]
    return prefix + b"/" + name if prefix and block[257:263] == b"ustar\0" else name


def _read_extension(file: IO[bytes], size: int) -> bytes:
    if size > MOST_EXTENSION:
        raise DamagedTar(f"it has a header of {size:,} bytes")
    content = file.read(size)
    if len(content) < size:
        raise DamagedTar("it is cut short")
    return content


def _apply_extension(extensions: _Extensions, kind: bytes, content: bytes) -> None:
    if kind == LONG_NAME:
        extensions.name = content.split(b"\0")[0]
    elif kind in EXTENDED:
        for key, value in _records(content):
            if key == b"path":
                extensions.name = value
            elif key == b"size":
                extensions.size = _decimal(value)
            elif key.startswith(b"GNU.sparse."):
                extensions.sparse = True


def _records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Split a pax header into its records ``length key=value\\n`` and yield pairs (key, value)."""
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
