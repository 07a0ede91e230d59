"""Read pictures from untrusted zip and tar archives.

No member is ever extracted to a named file on the disk.
"""

import bz2
import errno
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
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ganforge.data.sources.decode_image import Unreadable
from ganforge.data.sources.open_file import opener_of, unpacked
from ganforge.data.sources.picture_containers import MOST_FILE, File, hidden, probe
from ganforge.data.sources.tar_headers import (
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
from ganforge.data.sources.unsupported_formats import kind_of_members
from ganforge.errors import UserError, reason, shown

SUSPECT_SIZE, SUSPECT_RATIO = 2**20, 250
"""A member larger than the size with a compression ratio above the ratio is refused as a decompression bomb."""

ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz", ".7z", ".rar", ".zst")
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tbz2", ".tar.xz", ".txz")
PACK_AGAIN = "pack a plain zip of pictures"


def open_archive(path: Path) -> "Archive":
    """Open a file for which `is_archive` is true."""
    return Zip(path) if _is_zip(path) else Tar(path)


def is_archive(path: Path) -> bool:
    """Tell whether a file is a zip or a tar, by its first bytes or its ending.

    Raises:
        OSError: the file cannot be read.
    """
    return _is_zip(path) or is_tar(path)


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:  # two bytes do not suffice: the name of a tar's first member may start with PK
        return stream.read(4) in (b"PK\3\4", b"PK\5\6", b"PK\7\x08") or path.suffix.lower() == ".zip"


@dataclass(frozen=True, slots=True)
class Member:
    """A file or folder in an archive; ``where`` locates its content for `Archive._open`."""

    name: str
    folder: bool
    size: int
    where: Any


class Archive(ABC):
    """An archive of pictures; the name, kind and size of every member are checked before content is read.

    Every method that needs the list of members raises UserError if the archive is damaged or holds a refused member.
    A kind of archive opens its ``_file`` once it is needed.
    """

    _file: Any

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def _list(self) -> Iterator[Member]:
        """Yield all members with their stored names."""

    @cached_property
    def _members(self) -> dict[str, Member]:
        members: dict[str, Member] = {}
        spellings: dict[str, str] = {}
        for member in self._list():
            stored = self._safe_name(member)
            name = unicodedata.normalize("NFC", stored)
            folder, spelling = (path if member.folder else path.rpartition("/")[0] for path in (name, stored))
            first = members.get(name)
            # A tar with appended members lists its folders again.
            if (first and not (first.folder and member.folder)) or spellings.setdefault(folder, spelling) != spelling:
                raise UserError(f"{self.path}: holds {shown(name)} twice; pack it again")
            if name:
                members[name] = member
        return members

    def _safe_name(self, member: Member) -> str:
        """Return a member's relative name with forward slashes ("" for the root); refuse a name that leads outside."""
        name = member.name.replace("\\", "/")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts or name.startswith("/") or name[1:2] == ":":
            self._refuse(f"the name {shown(name)} leads outside the archive")
        name = "/".join(parts)
        if not member.folder and name.lower().endswith(ARCHIVES) and not hidden(name):
            self._refuse(f"{shown(name)} is an archive within the archive")
        return name

    def _refuse(self, problem: str) -> None:
        raise UserError(f"{self.path}: {problem}; {PACK_AGAIN}")

    def _refuse_unsupported(self, names: list[str]) -> None:
        if kind := kind_of_members(names):
            raise UserError(f"{self.path}: {kind.archive_message(str(self.path))}")

    def _refuse_bomb(self, subject: str, unpacked: int, packed: int) -> None:
        if unpacked > SUSPECT_SIZE and unpacked > SUSPECT_RATIO * packed:
            self._refuse(f"{subject} claims to unpack from {packed:,} to {unpacked:,} bytes, too many for pictures")

    def state(self) -> Iterator[str]:
        """Yield the size, modification time and fingerprint of the archive file."""
        status = self.path.stat()
        yield f"{status.st_size}\0{status.st_mtime_ns}\0{probe(self.path)}"

    def files(self) -> list[File]:
        """List the files that are not hidden, sorted by name."""
        files = [
            File(name, member.size) for name, member in self._members.items() if not member.folder and not hidden(name)
        ]
        return sorted(files, key=lambda file: file.name)

    def folders(self) -> list[str]:
        """List the folders that are not hidden: the parents of members, and the members that are folders."""
        names = {name for name, member in self._members.items() if member.folder}
        for name in self._members:
            names |= {str(parent) for parent in PurePosixPath(name).parents}
        return sorted(name for name in names if name != "." and not hidden(name))

    def open(self, file: File) -> IO[bytes]:
        """Open a member.

        Raises:
            Unreadable: the member is damaged or larger than `MOST_FILE`.
        """
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
        """Read a whole member and verify its checksum if it has one.

        Raises:
            Unreadable: the member is damaged, truncated or too large.
        """
        try:
            with self.open(file) as stream:
                # An unbounded read makes zipfile unpack the whole member before it compares the stated size.
                content = stream.read(file.size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise Unreadable(reason(error)) from None
        if len(content) != file.size:
            raise Unreadable("it is cut short")
        return content

    def close(self) -> None:
        """Close the archive if it was opened."""
        if "_file" in vars(self):
            self._file.close()


class Zip(Archive):
    """A zip archive."""

    @cached_property
    def _file(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
            cause = getattr(error, "strerror", None) or reason(error)
            raise UserError(f"{self.path}: is damaged or not a zip ({cause}); get it again") from None

    def _list(self) -> Iterator[Member]:
        infos = self._file.infolist()
        names = [info.filename for info in infos]
        self._refuse_unsupported(names)
        if names and all(name.endswith(".npy") for name in names):
            raise UserError(f"{self.path}: is an .npz file with another ending; rename it to .npz")
        for info in infos:
            yield self._check_member(info)
        self._refuse_bomb("it", sum(info.file_size for info in infos), self.path.stat().st_size)

    def _check_member(self, info: zipfile.ZipInfo) -> Member:
        name, kind = shown(info.filename.replace("\\", "/")), stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            self._refuse(f"{name} is a link or a device")
        if info.flag_bits & 0x1:
            raise UserError(f"{self.path}: is protected by a password; unpack it and {PACK_AGAIN}")
        if info.compress_type not in COMPRESSION_METHODS:
            method = "Deflate64" if info.compress_type == 9 else f"method {info.compress_type}"
            self._refuse(f"{name} is compressed with {method}, which is not supported")
        self._refuse_bomb(name, info.file_size, info.compress_size)
        return Member(info.filename, info.filename.endswith(("/", "\\")), info.file_size, info)

    def _open(self, member: Member) -> IO[bytes]:
        if member.where.compress_type in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            return io.BytesIO(_decompress_member(self.path, member.where))
        return self._file.open(member.where)


COMPRESSION_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def _decompress_member(path: Path, info: zipfile.ZipInfo) -> bytes:
    """Decompress a bzip2 or LZMA member of a zip, at most one byte beyond its stated size, and verify its CRC-32.

    zipfile decompresses such members without a limit, so that a few kilobytes can become gigabytes.

    Raises:
        OSError, zipfile.BadZipFile: the member is damaged.
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
            # A zip member has the properties of an LZMA-alone stream; the length is -1 if an end marker is present.
            length = -1 if info.flag_bits & 0x2 else info.file_size
            lzma_alone = packed[4:9] + struct.pack("<q", length) + packed[9:]
            content = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MOST_FILE).decompress(
                lzma_alone, info.file_size + 1
            )
    except (lzma.LZMAError, ValueError) as error:
        raise zipfile.BadZipFile(str(error)) from None
    if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
        raise zipfile.BadZipFile("its checksum is wrong")
    return content


class Tar(Archive):
    """A tar, plain or compressed with gzip, bzip2 or xz; a compressed one is unpacked to an unnamed temporary file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._lock = threading.Lock()

    @cached_property
    def _file(self) -> IO[bytes]:
        try:
            with self.path.open("rb") as stream:
                packed = opener_of(stream.read(6))
            return self._decompress() if packed else self.path.open("rb")
        except (OSError, EOFError, zlib.error, lzma.LZMAError, MemoryError) as error:
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                raise UserError(
                    f"{self.path}: the disk is too full to unpack it in {tempfile.gettempdir()}; free some space, set "
                    "TMPDIR to another folder, or unpack it yourself and give its folder"
                ) from None
            cause = getattr(error, "strerror", None) or reason(error)
            raise UserError(f"{self.path}: is damaged or not a tar ({cause}); get it again") from None

    def _decompress(self) -> IO[bytes]:
        packed, size = self.path.stat().st_size, 0
        file = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
        try:
            with self.path.open("rb") as raw, unpacked(raw) as stream:
                while piece := stream.read(2**20):
                    size += len(piece)
                    self._refuse_bomb("it", size, packed)
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
            raise UserError(f"{self.path}: is damaged or not a tar ({error}); get it again") from None
        self._refuse_unsupported([member.name for member in members])
        yield from map(self._check_member, members)

    def _check_member(self, member: TarMember) -> Member:
        name = shown(member.name)
        if member.type in LINKS or member.type in DEVICES:
            self._refuse(f"{name} is a link or a device")
        if member.type == SPARSE:
            self._refuse(f"{name} is stored as a sparse file, which is not supported")
        if member.type != FOLDER and member.type not in FILES:
            self._refuse(f"{name} is neither a file nor a folder")
        folder = member.type == FOLDER or member.name.endswith("/")
        return Member(member.name, folder, member.size, member.start)

    def _open(self, member: Member) -> IO[bytes]:
        return io.BufferedReader(_Window(self._file, self._lock, member.where, member.size))


class _Window(io.RawIOBase):
    """A read-only window of a file that several threads share."""

    def __init__(self, file: IO[bytes], lock: threading.Lock, start: int, size: int) -> None:
        self._file, self._lock, self._start, self._size, self._position = file, lock, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self._size - self._position))
        with self._lock:
            self._file.seek(self._start + self._position)
            content = self._file.read(count)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)


def is_tar(path: Path) -> bool:
    """Tell whether a file is a tar, compressed or not, by its first bytes or its ending.

    Raises:
        OSError: the file cannot be read.
    """
    if path.name.lower().endswith(TARS):
        return True
    damage = suppress(OSError, EOFError, zlib.error, lzma.LZMAError, MemoryError)
    with path.open("rb") as raw, damage, unpacked(raw) as stream:
        return is_header(stream.read(BLOCK))
    return False
