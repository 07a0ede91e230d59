"""The sizes in the footer of a Parquet file, read without pyarrow, which crashes on some damaged footers.

The footer is a struct in Thrift's compact protocol; only its fields with sizes are used.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import IO, Any

MOST_FOOTER = 2**26
DEEPEST = 12
"""Maximum nesting of structs in a footer; real footers nest seven."""

BYTE, INTEGERS, DOUBLE, BINARY, LISTS, STRUCT = 3, (4, 5, 6), 7, 8, (9, 10), 12
"""The types of the protocol; those below BYTE are booleans."""


@dataclass(frozen=True)
class Claims:
    """A file's rows, and the uncompressed bytes and the most values of any chunk of selected columns."""

    rows: int
    unpacked: int
    values: int


def claims_of(stream: IO[bytes], columns: Collection[str]) -> Claims:
    """Read the footer's claims about the columns with these names.

    Raises:
        ValueError: the file has no valid footer.
    """
    end = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, end - 8))
    tail = stream.read(8)
    size = int.from_bytes(tail[:4], "little")
    if len(tail) < 8 or tail[4:] != b"PAR1" or size > min(MOST_FOOTER, end - 12):
        raise ValueError("it does not end in a footer")
    stream.seek(end - 8 - size)
    try:
        footer = _CompactReader(stream.read(size)).struct(0)
        chunks = [chunk[3] for group in footer[4] for chunk in group[1]]
        selected = [chunk for chunk in chunks if chunk[3][0].decode() in columns]
        return Claims(
            int(footer[3]),
            sum(int(chunk[6]) for chunk in selected),
            max((int(chunk[5]) for chunk in selected), default=0),
        )
    except (KeyError, IndexError, TypeError, AttributeError, UnicodeDecodeError):
        raise ValueError("its footer is incomplete") from None


class _CompactReader:
    """A reader of Thrift's compact protocol; a struct becomes a dict with its field numbers as keys."""

    def __init__(self, content: bytes) -> None:
        self._content, self._position = content, 0

    def struct(self, depth: int) -> dict[int, Any]:
        """Read a struct."""
        if depth > DEEPEST:
            raise ValueError("its footer is nested too deeply")
        fields, number = {}, 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._signed()
            fields[number] = kind & 15 < BYTE or self._value(kind & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in INTEGERS:
            return self._signed()
        if kind == BINARY:
            return self._bytes(self._unsigned())
        if kind in LISTS:
            return self._list(depth)
        if kind == STRUCT:
            return self.struct(depth + 1)
        if kind in (BYTE, DOUBLE):
            return self._bytes(1 if kind == BYTE else 8)
        raise ValueError("its footer holds an unknown type")

    def _list(self, depth: int) -> list[Any]:
        start = self._byte()
        count, kind = start >> 4, start & 15
        count = self._unsigned() if count == 15 else count
        if count > len(self._content) - self._position:
            raise ValueError("its footer claims more than it holds")
        return [self._byte() if kind < BYTE else self._value(kind, depth) for _ in range(count)]

    def _bytes(self, count: int) -> bytes:
        content = self._content[self._position : self._position + count]
        if len(content) < count:
            raise IndexError
        self._position += count
        return content

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _unsigned(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 128 and shift < 64:
            value |= (byte & 127) << shift
            shift += 7
        return value | byte << shift

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)
