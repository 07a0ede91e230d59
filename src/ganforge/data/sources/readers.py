"""Readers of files, folders and zips of arrays and tables; nothing is ever unpickled.

Every reader ends in `to_image_sets`, which normalises layout, pixel levels and labels.
"""

import re
import string
import warnings
from pathlib import Path

from ganforge.data.normalize_arrays import RawSplits, to_image_sets
from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.data.sources.arrays import holds_arrays, read_arrays
from ganforge.data.sources.csv_tables import holds_pixels, read_csv_set
from ganforge.data.sources.decode_image import Unreadable, read_header
from ganforge.data.sources.idx import (
    MNIST_FILES,
    as_published,
    find_spelling,
    is_idx,
    labels_beside,
    read_idx,
    read_idx_folder,
    read_idx_set,
    set_name,
)
from ganforge.data.sources.open_file import FORMS, open_content, refusing_damage, title_of
from ganforge.data.sources.parquet import holds_columns, holds_encoded, read_parquet_set
from ganforge.data.sources.table_files import (
    FEW_PICTURES,
    Kind,
    Reading,
    Source,
    kind_by_name,
    list_contents,
    of_one_set,
    single,
)
from ganforge.errors import UserError

SETS = {"idx": read_idx_set, "arrays": read_arrays, "csv": read_csv_set, "parquet": read_parquet_set}
"""The reader of a set's files, by kind."""

HOLDING = {"idx": lambda _: True, "arrays": holds_arrays, "csv": holds_pixels, "parquet": holds_columns}
"""The check whether a file can hold images, by kind; it reads only the start of the file."""


def read_path(path: Path, rules: ReadingRules = USUAL) -> RawSplits:
    """Read an array file (IDX, .npy, .npz), a table (CSV, Parquet), or a folder or zip of such files.

    Raises:
        UserError: the file is missing, damaged, too large or of another kind, or its images or labels cannot be used.
    """
    name = title_of(path)
    if rules.version == 1 and path.is_dir():
        return read_idx_folder(path, name, rules)
    if path.is_dir() or (rules.version > 1 and _is_zip(path)):
        kind, sources = one_set(path, rules)
        reading = SETS[kind](sources, str(path), rules)
    else:
        reading = _read_file(path, rules)
    return to_image_sets(reading.arrays, str(path), name, rules, reading.notes, reading.class_names or None)


def holds_tables(path: Path, rules: ReadingRules = USUAL) -> bool:
    """Return whether `read_path` reads a folder or zip, because it contains arrays, tables or IDX files.

    A few pictures next to tables are ignored if the tables hold images.
    """
    if rules.version == 1:
        return path.is_dir() and any(find_spelling(path, name) for name in MNIST_FILES)
    return (path.is_dir() or _is_zip(path)) and bool(_tables_in(path)) and not parquet_pictures(path, rules)


def parquet_pictures(path: Path, rules: ReadingRules = USUAL) -> list[Source]:
    """Return the Parquet files of encoded pictures at a path, which are read like picture files."""
    if rules.version == 1 or not path.exists():
        return []
    if path.is_dir() or _is_zip(path):
        sources = [source for source in _tables_in(path) if source.kind == "parquet"]
        sources = of_one_set(sources, str(path), rules) if sources else []
    else:
        sources = [single(path, "parquet")] if _kind_of(path) == "parquet" else []
    return sources if holds_encoded(sources) else []


# Files


def _read_file(path: Path, rules: ReadingRules) -> Reading:
    kind = _kind_of(path) if rules.version > 1 else "arrays" if path.suffix.lower() in (".npy", ".npz") else None
    if kind and kind != "idx":
        return SETS[kind]([single(path, kind)], str(path), rules)
    if is_picture(path):
        raise UserError(f"{path}: is a single picture; give the folder or zip with all pictures of the set")
    images, labels = read_idx(path, "images"), labels_beside(path)
    arrays = {"train": (images, read_idx(labels, "labels") if labels else None)}
    return as_published(arrays, set_name(path), rules)


def _kind_of(path: Path) -> Kind | None:
    """Return the kind of a file by its first bytes, or by its name if the bytes are ambiguous."""
    with open_content(path) as stream:
        start = stream.read(4096)
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b"\x93NUMPY"):
        return "arrays"
    if is_idx(start):
        return "idx"
    return kind_by_name(path.name) or ("csv" if _is_table(start) else None)


def _is_table(start: bytes) -> bool:
    """Return whether a file with this start is a table, whatever its name: its second line has many numbers."""
    printable = set(string.printable.encode())
    line = start.split(b"\n")[1:2] or [b""]
    return set(start) <= printable and sum(word.isdigit() for word in re.split(rb"[\s,;.]+", line[0])) >= 64


def _is_zip(path: Path) -> bool:
    """Return whether a file is a zip, but not a .npz."""
    if not path.is_file() or path.suffix.lower() == ".npz":
        return False
    with refusing_damage(path), path.open("rb") as stream:
        return stream.read(4) in (b"PK\3\4", b"PK\5\6")


def is_picture(path: Path) -> bool:
    """Whether a file is a picture in a format that is read, told by its header."""
    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read_header(stream, path.name)
    except (Unreadable, OSError):
        return False
    return True


# Folders and zips


def _tables_in(path: Path) -> list[Source]:
    """Return the array and table files in a folder or zip; none if it is a set of pictures."""
    contents = list_contents(path)
    if not contents.pictures:
        return contents.sources
    few = contents.pictures <= FEW_PICTURES
    return contents.sources if few and any(HOLDING[source.kind](source) for source in contents.sources) else []


def one_set(path: Path, rules: ReadingRules) -> tuple[Kind, list[Source]]:
    """Return the files of the only set in a folder or zip, all of one kind.

    Raises:
        UserError: there is no such file, or files of several kinds hold images.
    """
    sources = _tables_in(path)
    if not sources:
        raise UserError(f"{path}: contains no array file and no table; {FORMS}")
    sources = of_one_set(sources, str(path), rules)
    kinds = {source.kind for source in sources}
    if len(kinds) > 1:
        kinds = {source.kind for source in sources if HOLDING[source.kind](source)} or kinds
    if len(kinds) > 1:
        example = ", ".join(next(s.name for s in sources if s.kind == kind) for kind in sorted(kinds))
        raise UserError(f"{path}: contains image files in several formats ({example}); give the path of one")
    (kind,) = kinds
    return kind, [source for source in sources if source.kind == kind]
