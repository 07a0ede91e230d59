"""Archives of pictures: zips and tars, listed and read without trust in what they claim.

Nothing of an archive ever gets a name on the disk.
"""

import bz2
import errno
import gzip
import io
import lzma
import os
import stat
import struct
import tempfile
import threading
import unicodedata
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ganforge.data.containers import MOST_FILE, File, hidden, probe
from ganforge.data.decode_image import Unreadable
from ganforge.data.tar_headers import (
    BLOCK,
    DEVICES,
    FILES,
    FOLDER,
    LINKS,
    SPARSE,
    DamagedTar,
    TarMember,
    is_header,
    read_members,
)
from ganforge.data.unsupported_formats import kind_of_members
from ganforge.errors import UserError, reason, shown

SUSPECT_SIZE, SUSPECT_RATIO = 2**20, 250
"""A member that unpacks to more than the size by more than the ratio is a bomb: a blank picture does not need it."""

ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz", ".7z", ".rar", ".zst")
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tbz2", ".tar.xz", ".txz")
PLAIN = "pack a plain zip of pictures"


def open_archive(path: Path) -> "Archive":
    """Return the archive at a path that `is_archive`."""
    return Zip(path) if _is_zip(path) else Tar(path)


def is_archive(path: Path) -> bool:
    """Say whether a file is a zip or a tar by its first bytes, or claims to be one by its name.

    Raises:
        OSError: it cannot be read.
    """
    return _is_zip(path) or is_tar(path)


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:  # PK alone may begin the name of a tar's first member
        return stream.read(4) in (b"PK\3\4", b"PK\5\6", b"PK\7\x08") or path.suffix.lower() == ".zip"


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an archive: a file, or a folder, and where its content is."""

    name: str
    folder: bool
    size: int
    where: Any


class Archive(ABC):
    """An archive; every member's name, kind and claims are checked before anything is read.

    Whatever needs its list of members raises UserError where it is damaged or holds what pictures do not need.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def _list(self) -> Iterator[Member]:
        """Give all members, by their names as they are stored."""

    @cached_property
    def _members(self) -> dict[str, Member]:
        members: dict[str, Member] = {}
        spelled: dict[str, str] = {}
        for member in self._list():
            stored = self._harmless(member)
            name = unicodedata.normalize("NFC", stored)
            folder, spelling = (it if member.folder else it.rpartition("/")[0] for it in (name, stored))
            known = members.get(name)
            # A tar to which something was added lists its folders again.
            if (known and not (known.folder and member.folder)) or spelled.setdefault(folder, spelling) != spelling:
                raise UserError(f"{self.path}: holds {shown(name)} twice; pack it again")
            if name:
                members[name] = member
        return members

    def _harmless(self, member: Member) -> str:
        """Return a member's name within, with slashes, "" for the whole; refuse one that leads out."""
        name = member.name.replace("\\", "/")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts or name.startswith("/") or name[1:2] == ":":
            self._refuse(f"the name {shown(name)} leads out of it")
        name = "/".join(parts)
        if not member.folder and name.lower().endswith(ARCHIVES) and not hidden(name):
            self._refuse(f"{shown(name)} is an archive itself")
        return name

    def _refuse(self, why: str) -> None:
        raise UserError(f"{self.path}: {why}; {PLAIN}")

    def _refuse_foreign(self, names: list[str]) -> None:
        if kind := kind_of_members(names):
            raise UserError(f"{self.path}: {kind.said_of_archive(str(self.path))}")

    def _refuse_bomb(self, what: str, unpacked: int, packed: int) -> None:
        if unpacked > SUSPECT_SIZE and unpacked > SUSPECT_RATIO * packed:
            self._refuse(f"{what} claims to unpack from {packed:,} to {unpacked:,} bytes, which no picture does")

    def state(self) -> Iterator[str]:
        """Give size and time of the archive itself."""
        found = self.path.stat()
        yield f"{found.st_size}\0{found.st_mtime_ns}\0{probe(self.path)}"

    def files(self) -> list[File]:
        """List the files, sorted by name."""
        files = [
            File(name, member.size) for name, member in self._members.items() if not member.folder and not hidden(name)
        ]
        return sorted(files, key=lambda file: file.name)

    def folders(self) -> list[str]:
        """List the folders, those in which something lies and those which are members themselves."""
        names = {name for name, member in self._members.items() if member.folder}
        for name in self._members:
            names |= {str(parent) for parent in PurePosixPath(name).parents}
        return sorted(name for name in names if name != "." and not hidden(name))

    def open(self, file: File) -> IO[bytes]:
        """Open a member; it gives no more bytes than it claims."""
        if file.size > MOST_FILE:
            raise Unreadable(f"it holds more than {MOST_FILE:,} bytes")
        try:
            return self._open(self._members[file.name])
        except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
            raise Unreadable(reason(error)) from None

    @abstractmethod
    def _open(self, member: Member) -> IO[bytes]:
        """Open a member."""

    def read(self, file: File) -> bytes:
        """Read a member whole, and check its sum where it has one."""
        try:
            with self.open(file) as stream:
                # Asked for all there is, zipfile unpacks a whole member before it looks at what the member claims.
                content = stream.read(file.size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise Unreadable(reason(error)) from None
        if len(content) != file.size:
            raise Unreadable("it is cut short")
        return content

    @abstractmethod
    def close(self) -> None:
        """Give back what is held open."""


class Zip(Archive):
    """A zip."""

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
            why = getattr(error, "strerror", None) or reason(error)
            raise UserError(f"{self.path}: is no whole zip ({why}); get it again") from None

    def _list(self) -> Iterator[Member]:
        infos = self._zip.infolist()
        names = [info.filename for info in infos]
        self._refuse_foreign(names)
        if names and all(name.endswith(".npy") for name in names):
            raise UserError(f"{self.path}: is an .npz under another name; give it the ending .npz")
        for info in infos:
            yield self._checked(info)
        self._refuse_bomb("it", sum(info.file_size for info in infos), self.path.stat().st_size)

    def _checked(self, info: zipfile.ZipInfo) -> Member:
        called, kind = shown(info.filename.replace("\\", "/")), stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            self._refuse(f"{called} is a link or a device")
        if info.flag_bits & 0x1:
            raise UserError(f"{self.path}: is protected by a password; unpack it and {PLAIN}")
        if info.compress_type not in PACKINGS:
            how = "Deflate64" if info.compress_type == 9 else f"method {info.compress_type}"
            self._refuse(f"{called} is packed by {how}, which is not read")
        self._refuse_bomb(called, info.file_size, info.compress_size)
        return Member(info.filename, info.filename.endswith(("/", "\\")), info.file_size, info)

    def _open(self, member: Member) -> IO[bytes]:
        if member.where.compress_type in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            return io.BytesIO(_unpack(self.path, member.where))
        return self._zip.open(member.where)

    def close(self) -> None:
        """Close the zip, if it was opened."""
        if "_zip" in vars(self):
            self._zip.close()


PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def _unpack(path: Path, info: zipfile.ZipInfo) -> bytes:
    """Unpack a member packed by bzip2 or LZMA, up to one byte more than it claims, and check its sum.

    zipfile unpacks such members without a bound: some kilobytes can become gigabytes, whatever the member claims.

    Raises:
        OSError, zipfile.BadZipFile: it is damaged.
    """
    with path.open("rb") as stream:
        stream.seek(info.header_offset)
        header = stream.read(30)
        if len(header) < 30 or header[:4] != b"PK\x03\x04":
            raise zipfile.BadZipFile("its header is damaged")
        stream.seek(sum(struct.unpack("<HH", header[26:])), 1)
        packed = stream.read(min(info.compress_size, MOST_FILE))
    try:
        if info.compress_type == zipfile.ZIP_BZIP2:
            content = bz2.BZ2Decompressor().decompress(packed, info.file_size + 1)
        else:
            # A zip keeps the properties of LZMA's own older form, whose length is -1 where the end is marked.
            length = -1 if info.flag_bits & 0x2 else info.file_size
            alone = packed[4:9] + struct.pack("<q", length) + packed[9:]
            content = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MOST_FILE).decompress(alone, info.file_size + 1)
    except (lzma.LZMAError, ValueError) as error:
        raise zipfile.BadZipFile(str(error)) from None
    if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
        raise zipfile.BadZipFile("its sum is wrong")
    return content


class Tar(Archive):
    """A tar, plain or packed by gzip, bzip2 or xz; a packed one is unpacked once, into a file without a name."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._lock = threading.Lock()

    @cached_property
    def _file(self) -> IO[bytes]:
        try:
            unpack = _unpacker(self.path)
            return self._unpacked(unpack) if unpack else self.path.open("rb")
        except (OSError, EOFError, zlib.error, lzma.LZMAError, MemoryError) as error:
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                raise UserError(
                    f"{self.path}: there is no room to unpack it in {tempfile.gettempdir()}; make room there, set "
                    "TMPDIR to another folder, or unpack it yourself and give its folder"
                ) from None
            why = getattr(error, "strerror", None) or reason(error)
            raise UserError(f"{self.path}: is no whole tar ({why}); get it again") from None

    def _unpacked(self, unpack: Callable[[Path], IO[bytes]]) -> IO[bytes]:
        packed, unpacked = self.path.stat().st_size, 0
        file = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
        try:
            with unpack(self.path) as stream:
                while piece := stream.read(2**20):
                    unpacked += len(piece)
                    self._refuse_bomb("it", unpacked, packed)
                    file.write(piece)
        except BaseException:
            file.close()
            raise
        return file

    def _list(self) -> Iterator[Member]:
        length = self._file.seek(0, os.SEEK_END)
        try:
            members = list(read_members(self._file, length))
        except DamagedTar as error:
            raise UserError(f"{self.path}: is no whole tar ({error}); get it again") from None
        self._refuse_foreign([member.name for member in members])
        yield from map(self._checked, members)

    def _checked(self, member: TarMember) -> Member:
        called = shown(member.name)
        if member.type in LINKS or member.type in DEVICES:
            self._refuse(f"{called} is a link or a device")
        if member.type == SPARSE:
            self._refuse(f"{called} is stored as a sparse file, which is not read")
        if member.type != FOLDER and member.type not in FILES:
            self._refuse(f"{called} is neither a file nor a folder")
        folder = member.type == FOLDER or member.name.endswith("/")
        return Member(member.name, folder, member.size, member.start)

    def _open(self, member: Member) -> IO[bytes]:
        return io.BufferedReader(_Window(self._file, self._lock, member.where, member.size))

    def close(self) -> None:
        """Close the file, if it was opened."""
        if "_file" in vars(self):
            self._file.close()


class _Window(io.RawIOBase):
    """A stretch of a file that several threads read."""

    def __init__(self, file: IO[bytes], lock: threading.Lock, start: int, size: int) -> None:
        self._file, self._lock, self._start, self._size, self._place = file, lock, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(0, origin + offset)
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self._size - self._place))
        with self._lock:
            self._file.seek(self._start + self._place)
            content = self._file.read(count)
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)


def is_tar(path: Path) -> bool:
    """Say whether a file is a tar, packed or not, by its first bytes, or claims to be one by its name.

    Raises:
        OSError: it cannot be read.
    """
    if path.name.lower().endswith(TARS):
        return True
    unpack = _unpacker(path)
    damage = suppress(OSError, EOFError, zlib.error, lzma.LZMAError, MemoryError)
    with damage, unpack(path) if unpack else path.open("rb") as stream:
        return is_header(stream.read(BLOCK))
    return False


def _unpacker(path: Path) -> Callable[[Path], IO[bytes]] | None:
    with path.open("rb") as stream:
        start = stream.read(6)
    return next((unpack for magic, unpack in UNPACKERS.items() if start.startswith(magic)), None)


UNPACKERS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
