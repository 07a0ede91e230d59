"""Array and table files, alone or in a folder or zip, and the selection of those that belong to one set."""

import os
import re
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, Literal, TypeVar

from ganforge.data.normalize_arrays import Found
from ganforge.data.reading_rules import PARTS, ReadingRules
from ganforge.data.sources.array_names import part_in
from ganforge.data.sources.open_file import PACKED_ENDINGS, listed, open_content, refusing_damage, unpacked
from ganforge.data.sources.picture_containers import hidden, is_own_trace
from ganforge.errors import UserError

T = TypeVar("T")
Kind = Literal["idx", "arrays", "csv", "parquet"]

ENDINGS: dict[str, Kind] = {
    ".npy": "arrays",
    ".npz": "arrays",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
PICTURE_ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".avif", ".tga", ".ico", ".pcx", ".jp2", ".j2k", ".jfif", ".apng", ".dds", ".sgi", ".psd", ".xbm", ".dib"),
)
FEW_PICTURES = 9
"""Up to this many pictures next to tables of images are illustrations; more pictures are a set."""

FEW_MEMBERS = 1000
"""A zip with more members is taken as pictures without reading its list of members."""


@dataclass(frozen=True)
class Source:
    """One file: its name within the folder or zip, its kind, its name in messages, and a function to open it.

    ``opened`` decompresses. ``path`` is the path on disk, None in a zip; ``part`` is the part named by the folder.
    """

    name: str
    kind: Kind
    where: str
    opened: Callable[[], AbstractContextManager[IO[bytes]]]
    size: int
    path: Path | None = None
    part: str | None = None

    @property
    def stem(self) -> str:
        """The name without folders and extensions."""
        return bare_name(PurePosixPath(self.name).name).rpartition(".")[0] or self.name


@dataclass(frozen=True)
class Reading:
    """The raw content of a set: arrays by part, names of the classes 0, 1, … if there are any, and notes."""

    arrays: Found
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def bare_name(name: str) -> str:
    """Return a file's name without the extension of a compressed file."""
    return next((name[: -len(end)] for end in PACKED_ENDINGS if name.lower().endswith(end)), name)


def kind_by_name(name: str) -> Kind | None:
    """Return the kind of a file by its name, or None."""
    bare = bare_name(PurePosixPath(name).name).lower()
    if re.search(r"[-._]idx[1-4](\b|[-_.])", bare):
        return "idx"
    return ENDINGS.get(PurePosixPath(bare).suffix)


def single(path: Path, kind: Kind) -> Source:
    """Return a file as a source."""
    return _on_disk(path, path.name, kind, path.stat().st_size)


def _on_disk(path: Path, name: str, kind: Kind, size: int) -> Source:
    return Source(name, kind, str(path), lambda: open_content(path), size, path)


def in_order(parts: Mapping[str, T], where: str) -> dict[str, T]:
    """Return train, validation and test in this order; a single part becomes the training part.

    Raises:
        UserError: there are several parts, but no training part.
    """
    if len(parts) == 1:
        return {"train": next(iter(parts.values()))}
    if "train" not in parts:
        raise UserError(f"{where}: contains {' and '.join(parts)} but no train part; add it, or give one of them")
    return {part: parts[part] for part in PARTS if part in parts}


@dataclass(frozen=True)
class Contents:
    """The contents of a folder or zip: array and table files, and the number of pictures (counted to a limit)."""

    sources: list[Source]
    pictures: int


def list_contents(path: Path) -> Contents:
    """List the array and table files in a folder or zip, and count pictures up to just over ``FEW_PICTURES``."""
    in_folder = path.is_dir()
    with refusing_damage(path):
        names = _names_in_folder(path) if in_folder else _names_in_zip(path)
        sources: list[Source] = []
        pictures = 0
        for name, size in names:
            if hidden(name):
                continue
            if kind := kind_by_name(name):
                sources.append(
                    _on_disk(path / name, name, kind, size) if in_folder else _in_zip(path, name, kind, size)
                )
            pictures += PurePosixPath(name).suffix.lower() in PICTURE_ENDINGS
            if pictures > FEW_PICTURES:
                break
    return Contents(sorted(sources, key=lambda source: source.name), pictures)


def _names_in_folder(path: Path) -> Iterator[tuple[str, int]]:
    for folder, below, files in os.walk(path):
        below[:] = sorted(name for name in below if not (hidden(name) or is_own_trace(Path(folder, name))))
        for name in sorted(files):
            file = Path(folder, name)
            if file.is_file():
                yield file.relative_to(path).as_posix(), file.stat().st_size


def _names_in_zip(path: Path) -> Iterator[tuple[str, int]]:
    if _count_members(path) > FEW_MEMBERS:
        return
    with (
        suppress(zipfile.BadZipFile),
        zipfile.ZipFile(path) as archive,
    ):  # a damaged zip raises its error when it is read
        yield from ((m.filename, m.file_size) for m in archive.infolist() if not m.is_dir())


def _count_members(path: Path) -> int:
    """Read the number of members from a zip's end record; reading a list of a million members takes seconds."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 2**16 - 22))
        tail = stream.read()
    start = tail.rfind(b"PK\5\6")
    return int(struct.unpack("<H", tail[start + 10 : start + 12])[0]) if 0 <= start <= len(tail) - 22 else 0


def _in_zip(path: Path, name: str, kind: Kind, size: int) -> Source:
    @contextmanager
    def opened() -> Iterator[IO[bytes]]:
        with (
            refusing_damage(where),
            zipfile.ZipFile(path) as archive,
            archive.open(name) as raw,
            unpacked(raw) as stream,
        ):
            yield stream

    where = f"{path} [{name}]"
    return Source(name, kind, where, opened, size)


def of_one_set(sources: Sequence[Source], where: str, rules: ReadingRules, folder: str = "") -> list[Source]:
    """Return the sources of one set: those in the topmost folder that has any, or in its subfolders of parts.

    Raises:
        UserError: several folders contain a set each.
    """
    below: dict[str, list[Source]] = {}
    for source in sources:
        top, _, rest = source.name.removeprefix(folder).partition("/")
        below.setdefault(top if rest else "", []).append(source)
    if here := below.get(""):
        return here
    sets = {top: of_one_set(inside, where, rules, f"{folder}{top}/") for top, inside in below.items()}
    if len(sets) == 1:
        return sets.popitem()[1]
    parts = {top: part_in(top, rules) for top in sets}
    if None in parts.values() or len(set(parts.values())) < len(parts):
        raise UserError(f"{where}: contains several sets: {listed(sorted(sets))}; give the path of one of them")
    return [replace(source, part=parts[top]) for top, inside in sets.items() for source in inside]
