"""Files opened for their content, with limits on what a header may claim and one line for every damage."""

import bz2
import gzip
import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ganforge.errors import UserError

MOST_BYTES = 8 * 2**30
FORMS = (
    "give an IDX, .npy, .npz, .csv or .parquet file, a folder or zip of such files, or a folder or zip of pictures; "
    "docs/data.md lists all forms"
)
PACKED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
"""The first bytes of packed files, and what unpacks them."""

PACKED_ENDINGS = (".gz", ".bz2", ".xz")


@contextmanager
def open_content(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for its content: unpacked where gzip, bzip2 or xz packed it, judged by its first bytes only.

    Raises:
        UserError: missing, unreadable, or (while it is read) damaged.
    """
    with refusing_damage(path), path.open("rb") as raw, unpacked(raw) as stream:
        yield stream


@contextmanager
def unpacked(raw: IO[bytes]) -> Iterator[IO[bytes]]:
    """Give the content of an open file, unpacked where it is packed."""
    start = raw.read(6)
    raw.seek(0)
    unpack: Any = next((opener for magic, opener in PACKED.items() if start.startswith(magic)), None)
    if unpack is None:
        yield raw
        return
    with unpack(raw, "rb") as stream:
        yield stream


def read_up_to(stream: IO[bytes], count: int) -> bytearray:
    """Read ``count`` bytes or as many as there are, in pieces, so that a false count allocates nothing."""
    content = bytearray()
    while piece := stream.read(min(count - len(content), 1 << 20)):
        content += piece
    return content


@contextmanager
def refusing_damage(path: Path | str) -> Iterator[None]:
    """Turn what a missing or damaged file raises into one line that names it."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file or folder; {FORMS}") from None
    except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error) as error:
        raise UserError(f"{path}: is damaged or cut short ({one_line(error)}); get it again") from error
    except (ValueError, ArithmeticError, NotImplementedError, RuntimeError, MemoryError, tokenize.TokenError) as error:
        raise UserError(
            f"{path}: cannot be understood ({one_line(error) or type(error).__name__}); get or save it again"
        ) from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({one_line(error.strerror or error)}); {FORMS}") from error


def one_line(text: object) -> str:
    """Put a text on one line that fits a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(str(text).split()))


def listed(names: list[str]) -> str:
    """List the first names of many for a message."""
    return (", ".join(one_line(name) for name in names[:12]) + (", …" if len(names) > 12 else "")) or "none"
