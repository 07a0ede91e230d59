"""What pictures lie in, and a folder as such: listed and read without following anything that leads out of it."""

import hashlib
import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from ganforge.data.decode_image import Unreadable
from ganforge.errors import UserError, shown
from ganforge.files import CACHE_TAG, cache_folder

MOST_FILE = 256 * 2**20
"""Bytes beyond which a file is no picture of at most 50 megapixels."""


@dataclass(frozen=True, slots=True)
class File:
    """A file in a container.

    Attributes:
        name: within the container, with slashes and in Unicode's form NFC, whatever the form it is stored in.
        size: in bytes.
        changed: when, 0 in an archive.
        stored: the name as it is stored, where it is another.
    """

    name: str
    size: int
    changed: int = 0
    stored: str = ""


class Container(Protocol):
    """A place with files and folders in it."""

    path: Path

    def state(self) -> Iterator[str]:
        """Give lines that change whenever the content does."""

    def files(self) -> list[File]:
        """List all files that are not hidden."""

    def folders(self) -> list[str]:
        """List all folders that are not hidden, by name within; those in which only hidden files lie, too."""

    def open(self, file: File) -> IO[bytes]:
        """Open a file for its header."""

    def read(self, file: File) -> bytes:
        """Read a file whole and checked, or raise `Unreadable`."""

    def close(self) -> None:
        """Give back what is held open."""


PROBE, MOST_PROBED = 4096, 500
"""Bytes at the start, in the middle and at the end of a file that stand for its content, and the files looked at."""


def probe(path: Path) -> str:
    """Return a cheap fingerprint of a file's bytes: other content under the same name, size and time is noticed.

    The end of a zip holds the checksums of all its members, so a zip is known by it as a whole.
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
"""How the sheets end that ``ganforge data show`` draws."""


def is_own_trace(path: Path) -> bool:
    """Say whether ganforge wrote a folder or file, or a cache did: a run, a benchmark, a cache, a contact sheet."""
    if not path.is_dir():
        return path.name.endswith(SHEET_ENDING)
    # A run that was killed before its first step has no run.json yet.
    run = (path / "recipe.toml").is_file() and any((path / name).exists() for name in ("run.json", "checkpoints"))
    tagged = any((path / name).is_file() for name in (CACHE_TAG, "benchmark.json"))
    return run or tagged or path.resolve() == cache_folder().resolve()


def hidden(name: str) -> bool:
    """Say whether a system or an editor keeps this for itself."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def as_listed(name: str) -> str:
    """Return a name as archives list it: with slashes, and its letters composed as NFC has them."""
    return unicodedata.normalize("NFC", name.replace("\\", "/"))


class Folder:
    """A folder of the disk; links in it are followed, each folder once, and what ganforge wrote is left out.

    Attributes:
        traces: how many runs, caches and contact sheets were left out.

    Raises:
        UserError: some folder in it cannot be read, or two names in it differ only in how their letters are composed.
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
        if double := _first_double([*(file.name for file in self._files), *self._folders]):
            raise UserError(
                f"{path}: holds {shown(double)} twice, its letters composed in two ways; rename one of the two"
            )

    def _list(self, below: str, seen: set[tuple[int, int]]) -> None:
        here = os.stat(self.path / below)
        if (here.st_dev, here.st_ino) in seen:
            return
        seen.add((here.st_dev, here.st_ino))
        with os.scandir(self.path / below) as entries:
            for entry in entries:
                if hidden(entry.name):
                    continue
                stored = below + entry.name
                name = unicodedata.normalize("NFC", stored)
                if is_own_trace(Path(entry)):
                    self.traces += 1
                elif entry.is_dir():
                    self._list_folder(name, stored, seen)
                elif entry.is_file():
                    found = entry.stat()
                    self._files.append(File(name, found.st_size, found.st_mtime_ns, stored if stored != name else ""))
                elif entry.is_symlink():  # leads nowhere
                    self._files.append(File(name, 0, 0, stored if stored != name else ""))

    def _list_folder(self, name: str, stored: str, seen: set[tuple[int, int]]) -> None:
        """List a folder in this one; a folder in which lie traces of ganforge and nothing else is one, too."""
        files, folders, traces = len(self._files), len(self._folders), self.traces
        self._folders.append(name)
        self._list(f"{stored}/", seen)
        if self.traces > traces and len(self._files) == files:
            del self._folders[folders:]

    def state(self) -> Iterator[str]:
        """Give names, sizes and times of all files, and what some of them hold."""
        yield from self._folders
        for file in self._files:
            yield f"{file.name}\0{file.size}\0{file.changed}"
        step = -(-len(self._files) // MOST_PROBED) or 1
        for file in self._files[::step]:
            yield probe(self.path / (file.stored or file.name))

    def files(self) -> list[File]:
        """List the files, sorted by name."""
        return self._files

    def folders(self) -> list[str]:
        """List the folders."""
        return self._folders

    def open(self, file: File) -> IO[bytes]:
        """Open a file."""
        try:
            return (self.path / (file.stored or file.name)).open("rb")
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from None

    def read(self, file: File) -> bytes:
        """Read a file."""
        with self.open(file) as stream:
            content = stream.read(MOST_FILE + 1)
        if len(content) > MOST_FILE:
            raise Unreadable(f"it holds more than {MOST_FILE:,} bytes")
        return content

    def close(self) -> None:
        """A folder holds nothing open."""


def _first_double(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)  # type: ignore[func-returns-value]
