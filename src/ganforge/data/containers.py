"""What pictures lie in: a folder or a zip, listed and read without following anything that leads out of it.

Nothing of a zip is ever unpacked to the disk.
"""

import hashlib
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from ganforge.data.pictures import Unreadable
from ganforge.errors import UserError
from ganforge.files import cache_folder

MOST_FILE = 256 * 2**20
"""Bytes beyond which a file is no picture of at most 50 megapixels."""

SUSPECT_SIZE, SUSPECT_RATIO = 2**20, 250
"""A member that unpacks to more than the size by more than the ratio is a bomb: a blank picture does not need it."""

ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")


@dataclass(frozen=True, slots=True)
class File:
    """A file in a container: its name within, with slashes, its size, and when it was changed (0 in a zip)."""

    name: str
    size: int
    changed: int = 0


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


CACHE_TAG = "CACHEDIR.TAG"
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


class Folder:
    """A folder of the disk; links in it are followed, each folder once, and what ganforge wrote is left out.

    Attributes:
        traces: how many runs, caches and contact sheets were left out.

    Raises:
        UserError: some folder in it cannot be read.
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

    def _list(self, below: str, seen: set[tuple[int, int]]) -> None:
        here = os.stat(self.path / below)
        if (here.st_dev, here.st_ino) in seen:
            return
        seen.add((here.st_dev, here.st_ino))
        with os.scandir(self.path / below) as entries:
            for entry in entries:
                if hidden(entry.name):
                    continue
                if is_own_trace(Path(entry)):
                    self.traces += 1
                elif entry.is_dir():
                    self._list_folder(below + entry.name, seen)
                elif entry.is_file():
                    found = entry.stat()
                    self._files.append(File(below + entry.name, found.st_size, found.st_mtime_ns))
                elif entry.is_symlink():  # leads nowhere
                    self._files.append(File(below + entry.name, 0))

    def _list_folder(self, name: str, seen: set[tuple[int, int]]) -> None:
        """List a folder in this one; a folder in which lie traces of ganforge and nothing else is one, too."""
        files, folders, traces = len(self._files), len(self._folders), self.traces
        self._folders.append(name)
        self._list(f"{name}/", seen)
        if self.traces > traces and len(self._files) == files:
            del self._folders[folders:]

    def state(self) -> Iterator[str]:
        """Give names, sizes and times of all files, and what some of them hold."""
        yield from self._folders
        for file in self._files:
            yield f"{file.name}\0{file.size}\0{file.changed}"
        step = -(-len(self._files) // MOST_PROBED) or 1
        for file in self._files[::step]:
            yield probe(self.path / file.name)

    def files(self) -> list[File]:
        """List the files, sorted by name."""
        return self._files

    def folders(self) -> list[str]:
        """List the folders."""
        return self._folders

    def open(self, file: File) -> IO[bytes]:
        """Open a file."""
        try:
            return (self.path / file.name).open("rb")
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


class Archive:
    """A zip; every member's name, kind and claims are checked before anything is read.

    Whatever needs its list of members raises UserError where the zip is damaged or holds what pictures do not need.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            why = getattr(error, "strerror", None) or " ".join(str(error).split())
            raise UserError(f"{self.path}: is no whole zip ({why}); get it again") from None

    @cached_property
    def _members(self) -> dict[str, zipfile.ZipInfo]:
        members: dict[str, zipfile.ZipInfo] = {}
        for member in self._zip.infolist():
            name = self._refuse_danger(member)
            if name in members:
                raise UserError(f"{self.path}: holds {shown(name)} twice; pack it again")
            members[name] = member
        self._refuse_bomb("it", sum(member.file_size for member in members.values()), self.path.stat().st_size)
        return members

    def _refuse_danger(self, member: zipfile.ZipInfo) -> str:
        """Return the member's name, with slashes, if it is harmless."""
        name = member.filename.replace("\\", "/")
        path, called = PurePosixPath(name), shown(name)
        kind = stat.S_IFMT(member.external_attr >> 16)
        why = None
        if ".." in path.parts or path.is_absolute() or name[1:2] == ":":
            why = f"the name {called} leads out of it"
        elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            why = f"{called} is a link or a device"
        elif member.flag_bits & 0x1:
            why = f"{called} is encrypted"
        elif path.suffix.lower() in ARCHIVES and not hidden(name):
            why = f"{called} is an archive itself"
        elif member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            why = f"{called} is packed in an unusual way"
        if why:
            raise UserError(f"{self.path}: {why}; pack a plain zip of pictures")
        self._refuse_bomb(called, member.file_size, member.compress_size)
        return name

    def _refuse_bomb(self, what: str, unpacked: int, packed: int) -> None:
        if unpacked > SUSPECT_SIZE and unpacked > SUSPECT_RATIO * packed:
            raise UserError(
                f"{self.path}: {what} claims to unpack from {packed:,} to {unpacked:,} bytes, which no picture does; "
                "pack a plain zip of pictures"
            )

    def state(self) -> Iterator[str]:
        """Give size and time of the zip itself."""
        found = self.path.stat()
        yield f"{found.st_size}\0{found.st_mtime_ns}\0{probe(self.path)}"

    def files(self) -> list[File]:
        """List the files, sorted by name."""
        files = [
            File(name, member.file_size)
            for name, member in self._members.items()
            if not member.is_dir() and not hidden(name)
        ]
        return sorted(files, key=lambda file: file.name)

    def folders(self) -> list[str]:
        """List the folders, those in which something lies and those which are members themselves."""
        names = {name.rstrip("/") for name, member in self._members.items() if member.is_dir()}
        for name in self._members:
            names |= {str(parent) for parent in PurePosixPath(name).parents}
        return sorted(name for name in names if name not in ("", ".") and not hidden(name))

    def open(self, file: File) -> IO[bytes]:
        """Open a member; it gives no more bytes than it claims."""
        if file.size > MOST_FILE:
            raise Unreadable(f"it holds more than {MOST_FILE:,} bytes")
        try:
            return self._zip.open(self._members[file.name])
        except (zipfile.BadZipFile, OSError, RuntimeError) as error:
            raise Unreadable(" ".join(str(error).split())) from None

    def read(self, file: File) -> bytes:
        """Read a member and check its sum."""
        try:
            with self.open(file) as stream:
                return stream.read()
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise Unreadable(" ".join(str(error).split()) or "it is cut short") from None

    def close(self) -> None:
        """Close the zip, if it was opened."""
        if "_zip" in vars(self):
            self._zip.close()


def shown(name: str) -> str:
    """Make a name fit for a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in name[:200])
