"""Files with arrays or tables, by themselves, in a folder or in a zip, and which of them belong to one set."""

import os
import re
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, Literal, TypeVar

from ganforge.data.array_names import part_in
from ganforge.data.containers import hidden, is_own_trace
from ganforge.data.normalize_arrays import Found
from ganforge.data.open_file import PACKED_ENDINGS, listed, open_content, refusing_damage, unpacked
from ganforge.data.reading_rules import ReadingRules
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
"""So many pictures beside tables of images illustrate them; more are a set of their own."""

FEW_MEMBERS = 1000
"""A zip with more members holds pictures, and its list is not worth reading to find out."""


@dataclass(frozen=True)
class Source:
    """One file: its name within the folder or zip, what it is, what messages call it, and how to open it unpacked.

    ``path`` is where it lies on the disk, None in a zip; ``part`` is what its folder says.
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
        """The name without folders and endings."""
        return bare_name(PurePosixPath(self.name).name).rpartition(".")[0] or self.name


@dataclass(frozen=True)
class Reading:
    """What was read of a set: arrays as they were found, names of the classes 0, 1, … if there are any, and notes."""

    found: Found
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def bare_name(name: str) -> str:
    """Return a file's name without the ending of a packed file."""
    return next((name[: -len(end)] for end in PACKED_ENDINGS if name.lower().endswith(end)), name)


def kind_by_name(name: str) -> Kind | None:
    """Tell what a file is by its name, or None where the name does not say it."""
    bare = bare_name(PurePosixPath(name).name).lower()
    if re.search(r"[-._]idx[1-4](\b|[-_.])", bare):
        return "idx"
    return ENDINGS.get(PurePosixPath(bare).suffix)


def single(path: Path, kind: Kind) -> Source:
    """Make a source of one file."""
    return Source(path.name, kind, str(path), lambda: open_content(path), path.stat().st_size, path)


def in_order(parts: Mapping[str, T], where: str) -> dict[str, T]:
    """Return train, validation and test in this order; a lone part is taken whole, as training images.

    Raises:
        UserError: there are several parts, but none to train on.
    """
    if len(parts) == 1:
        return {"train": next(iter(parts.values()))}
    if "train" not in parts:
        raise UserError(f"{where}: holds no train part beside {' and '.join(parts)}; add it, or give one of them")
    return {part: parts[part] for part in ("train", "validation", "test") if part in parts}


@dataclass(frozen=True)
class Holding:
    """What a folder or zip holds: files of arrays or tables, and (up to a few, then no more are counted) pictures."""

    sources: list[Source]
    pictures: int


def look_into(path: Path) -> Holding:
    """List the files of arrays or tables in a folder or zip, and see whether there are more than a few pictures."""
    with refusing_damage(path):
        names = _names_in_folder(path) if path.is_dir() else _names_in_zip(path)
        sources: list[Source] = []
        pictures = 0
        for name, size in names:
            if hidden(name):
                continue
            if kind := kind_by_name(name):
                sources.append(_in_folder(path, name, kind, size) if path.is_dir() else _in_zip(path, name, kind, size))
            pictures += PurePosixPath(name).suffix.lower() in PICTURE_ENDINGS
            if pictures > FEW_PICTURES:
                break
    return Holding(sorted(sources, key=lambda source: source.name), pictures)


def _names_in_folder(path: Path) -> Iterator[tuple[str, int]]:
    for folder, below, files in os.walk(path):
        below[:] = sorted(name for name in below if not (hidden(name) or is_own_trace(Path(folder, name))))
        for name in sorted(files):
            file = Path(folder, name)
            if file.is_file():
                yield file.relative_to(path).as_posix(), file.stat().st_size


def _names_in_zip(path: Path) -> Iterator[tuple[str, int]]:
    if _members(path) > FEW_MEMBERS:
        return
    with suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:  # a damaged zip is refused where it is read
        yield from ((m.filename, m.file_size) for m in archive.infolist() if not m.is_dir())


def _members(path: Path) -> int:
    """Read the number of members from a zip's end; a list of a million members takes seconds to read."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 2**16 - 22))
        tail = stream.read()
    start = tail.rfind(b"PK\5\6")
    return int(struct.unpack("<H", tail[start + 10 : start + 12])[0]) if 0 <= start <= len(tail) - 22 else 0


def _in_folder(folder: Path, name: str, kind: Kind, size: int) -> Source:
    path = folder / name
    return Source(name, kind, str(path), lambda: open_content(path), size, path)


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
    """Return the sources that make one set: those of the topmost folder that has any, or of its folders of parts.

    Raises:
        UserError: several folders hold a set each.
    """
    below: dict[str, list[Source]] = {}
    for source in sources:
        top, _, rest = source.name.removeprefix(folder).partition("/")
        below.setdefault(top if rest else "", []).append(source)
    if here := below.get(""):
        return here
    chosen = {top: of_one_set(inside, where, rules, f"{folder}{top}/") for top, inside in below.items()}
    if len(chosen) == 1:
        return chosen.popitem()[1]
    parts = {top: part_in(top, rules) for top in chosen}
    if None in parts.values() or len(set(parts.values())) < len(parts):
        raise UserError(f"{where}: holds several sets: {listed(sorted(chosen))}; give the path of one of them")
    return [replace(source, part=parts[top]) for top, inside in chosen.items() for source in inside]
