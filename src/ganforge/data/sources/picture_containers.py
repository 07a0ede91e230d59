"""Containers of pictures: the interface that folders and archives share, and the implementation for folders."""

import hashlib
import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from ganforge.data.sources.decode_image import Unreadable
from ganforge.errors import UserError, shown
from ganforge.files import CACHE_TAG, cache_folder

MOST_FILE = 256 * 2**20
"""The largest file size in bytes that is read as a picture."""


@dataclass(frozen=True, slots=True)
class File:
    """A file in a container.

    Attributes:
        name: the path in the container, with forward slashes and in Unicode form NFC.
        size: the size in bytes.
        changed: the modification time in ns, 0 in an archive.
        stored: the stored name if it differs from ``name``, else empty.
    """

    name: str
    size: int
    changed: int = 0
    stored: str = ""


class Container(Protocol):
    """A folder or archive that holds files and folders."""

    path: Path

    def state(self) -> Iterator[str]:
        """Yield lines that change when the content changes; the cache key is computed from them."""

    def files(self) -> list[File]:
        """List all files that are not hidden."""

    def folders(self) -> list[str]:
        """List all folders that are not hidden, including folders that hold only hidden files."""

    def open(self, file: File) -> IO[bytes]:
        """Open a file to read its header."""

    def read(self, file: File) -> bytes:
        """Read a whole file and verify its checksum if there is one; raise `Unreadable` on failure."""

    def close(self) -> None:
        """Close all open files."""


PROBE, MOST_PROBED = 4096, 500
"""Number of bytes read at the start, middle and end of a file for its fingerprint; the most files read per folder."""


def probe(path: Path) -> str:
    """Return a cheap fingerprint of a file's bytes, to notice content that changed at the same name, size and time.

    The end of a zip holds the checksums of all members, so the fingerprint of a zip covers its whole content.
    """
    digest = hashlib.blake2b(digest_size=10)
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            for start in (0, max(0, size // 2 - PROBE // 2), max(0, size - PROBE)):
                stream.seek(start)
                digest.update(stream.read(PROBE))
    except OSError:
        return ""
    return digest.hexdigest()


SHEET_ENDING = "-contact-sheet.png"
"""The ending of the files that ``ganforge data show`` writes."""


def is_own_trace(path: Path) -> bool:
    """Tell whether a path is an output of ganforge (run, benchmark, cache, contact sheet) or a tagged cache folder."""
    if not path.is_dir():
        return path.name.endswith(SHEET_ENDING)
    # A run killed before its first step has no run.json.
    run = (path / "recipe.toml").is_file() and any((path / name).exists() for name in ("run.json", "checkpoints"))
    tagged = any((path / name).is_file() for name in (CACHE_TAG, "benchmark.json"))
    return run or tagged or path.resolve() == cache_folder().resolve()


def hidden(name: str) -> bool:
    """Tell whether a name is that of a hidden or system file, or lies in such a folder."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def as_listed(name: str) -> str:
    """Return a name as in `File.name`: with forward slashes and in Unicode form NFC."""
    return unicodedata.normalize("NFC", name.replace("\\", "/"))


class Folder:
    """A folder on the disk. Symbolic links are followed, each folder once, and outputs of ganforge are skipped.

    Attributes:
        traces: the number of runs, benchmarks, caches and contact sheets that were skipped.

    Raises:
        UserError: a folder cannot be read, or two names differ only in their Unicode normalisation.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.traces = path, 0
        self._files: list[File] = []
        self._folders: list[str] = []
        try:
            self._list("", set())
        except OSError as error:
            raise UserError(f"{error.filename or path}: cannot be read ({error.strerror or error})") from None
        self._files.sort(key=lambda file: file.name)
        if duplicate := _first_duplicate([*(file.name for file in self._files), *self._folders]):
            raise UserError(
                f"{path}: holds {shown(duplicate)} twice, in two Unicode forms of the same name; rename one of them"
            )

    def _list(self, prefix: str, seen: set[tuple[int, int]]) -> None:
        folder_status = os.stat(self.path / prefix)
        if (folder_status.st_dev, folder_status.st_ino) in seen:
            return
        seen.add((folder_status.st_dev, folder_status.st_ino))
        with os.scandir(self.path / prefix) as entries:
            for entry in entries:
                if hidden(entry.name):
                    continue
                stored = prefix + entry.name
                name = unicodedata.normalize("NFC", stored)
                if is_own_trace(Path(entry)):
                    self.traces += 1
                elif entry.is_dir():
                    self._list_folder(name, stored, seen)
                elif entry.is_file():
                    status = entry.stat()
                    self._files.append(File(name, status.st_size, status.st_mtime_ns, stored if stored != name else ""))
                elif entry.is_symlink():  # broken link
                    self._files.append(File(name, 0, 0, stored if stored != name else ""))

    def _list_folder(self, name: str, stored: str, seen: set[tuple[int, int]]) -> None:
        """Add a folder to the list; folders in it are dropped again if it holds only outputs of ganforge."""
        files, folders, traces = len(self._files), len(self._folders), self.traces
        self._folders.append(name)
        self._list(f"{stored}/", seen)
        if self.traces > traces and len(self._files) == files:
            del self._folders[folders:]

    def state(self) -> Iterator[str]:
        """Yield the folder names, each file's name, size and time, and fingerprints of at most `MOST_PROBED` files."""
        yield from self._folders
        for file in self._files:
            yield f"{file.name}\0{file.size}\0{file.changed}"
        step = -(-len(self._files) // MOST_PROBED) or 1
        for file in self._files[::step]:
            yield probe(self.path / (file.stored or file.name))

    def files(self) -> list[File]:
        """List the files that are not hidden, sorted by name."""
        return self._files

    def folders(self) -> list[str]:
        """List the folders that are not hidden."""
        return self._folders

    def open(self, file: File) -> IO[bytes]:
        """Open a file.

        Raises:
            Unreadable: the file cannot be opened.
        """
        try:
            return (self.path / (file.stored or file.name)).open("rb")
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from None

    def read(self, file: File) -> bytes:
        """Read a whole file.

        Raises:
            Unreadable: the file cannot be opened or is larger than `MOST_FILE`.
        """
        with self.open(file) as stream:
            content = stream.read(MOST_FILE + 1)
        if len(content) > MOST_FILE:
            raise Unreadable(f"it holds more than {MOST_FILE:,} bytes")
        return content

    def close(self) -> None:
        """Do nothing: a folder has no open files."""


def _first_duplicate(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)  # type: ignore[func-returns-value]
