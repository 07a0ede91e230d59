"""Opening of files with decompression, size limits and one-line errors for damaged content."""

import bz2
import gzip
import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ganforge.errors import UserError

MOST_BYTES = 8 * 2**30
FORMS = (
    "give an IDX, .npy, .npz, .csv or .parquet file, a folder or zip of such files, or a folder or zip of pictures; "
    "docs/data.md lists all formats"
)
PACKED: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
"""The first bytes of compressed files, and the functions that open them."""

PACKED_ENDINGS = (".gz", ".bz2", ".xz")


@contextmanager
def open_content(path: Path) -> Iterator[IO[bytes]]:
    """Open a file and decompress gzip, bzip2 or xz, detected by the first bytes.

    Raises:
        UserError: the file is missing, unreadable, or proves damaged during reading.
    """
    with refusing_damage(path), path.open("rb") as raw, unpacked(raw) as stream:
        yield stream


@contextmanager
def unpacked(raw: IO[bytes]) -> Iterator[Any]:
    """Yield the content of an open file, decompressed if needed."""
    opener = opener_of(raw.read(6))
    raw.seek(0)
    if opener is None:
        yield raw
        return
    with opener(raw, "rb") as stream:
        yield stream


def opener_of(start: bytes) -> Callable[..., Any] | None:
    """Return the function that opens a compressed file with these first bytes; None for another file."""
    return next((opener for magic, opener in PACKED.items() if start.startswith(magic)), None)


def read_up_to(stream: IO[bytes], count: int) -> bytearray:
    """Read at most ``count`` bytes in chunks, so that a false ``count`` allocates no memory."""
    content = bytearray()
    while chunk := stream.read(min(count - len(content), 1 << 20)):
        content += chunk
    return content


def read_claimed(stream: IO[bytes], claimed: int, where: str, remedy: str) -> bytearray:
    """Read the rest of a stream, which must hold as many bytes as its header claims.

    Raises:
        UserError: it holds fewer or more bytes.
    """
    content = read_up_to(stream, claimed + 1)
    if len(content) != claimed:
        actual = f"holds only {len(content):,}" if len(content) < claimed else "holds more"
        raise UserError(f"{where}: its header claims {claimed:,} bytes of content but it {actual}; {remedy}")
    return content


@contextmanager
def refusing_damage(path: Path | str) -> Iterator[None]:
    """Convert the exceptions of a missing or damaged file to a UserError that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file or folder; {FORMS}") from None
    except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error) as error:
        raise UserError(f"{path}: is damaged or cut short ({one_line(error)}); download it again") from error
    except (ValueError, ArithmeticError, NotImplementedError, RuntimeError, MemoryError, tokenize.TokenError) as error:
        raise UserError(
            f"{path}: cannot be parsed ({one_line(error) or type(error).__name__}); download or save it again"
        ) from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({one_line(error.strerror or error)}); {FORMS}") from error


def title_of(path: Path) -> str:
    """Return the name of the set at a path: the file's or folder's name up to the first dot."""
    return path.resolve().name.split(".")[0] or "images"


def one_line(text: object) -> str:
    """Return a text as one line of printable characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(str(text).split()))


def listed(names: Iterable[object]) -> str:
    """Return the names, at most 12, as a list for a message."""
    lines = [one_line(name) for name in names]
    return (", ".join(lines[:12]) + (", …" if len(lines) > 12 else "")) or "none"
