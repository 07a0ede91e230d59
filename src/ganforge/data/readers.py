"""Files become ImageSets, or a UserError in one line; nothing is ever unpickled.

Every reader ends in `settle`, the one place where layout, pixel type and labels are settled.
"""

import gzip
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from ganforge.data.pictures import Unreadable, look
from ganforge.data.settle import Array, Found, Parts, settle
from ganforge.errors import UserError

IMAGE_MAGIC, LABEL_MAGIC = 2051, 2049
MOST_BYTES = 8 * 2**30
FORMS = "give an IDX, .npy or .npz file, or a folder or zip of pictures or of the four MNIST-style IDX files"

NPZ_KEYS = {
    "train": (
        ("images", "x", "x_train", "train_images", "train_x"),
        ("labels", "y", "y_train", "train_labels", "train_y"),
    ),
    "validation": (("x_val", "val_images", "val_x"), ("y_val", "val_labels", "val_y")),
    "test": (("x_test", "test_images", "test_x"), ("y_test", "test_labels", "test_y")),
}
"""What archives call their images and labels, part by part; upper and lower case count as the same."""


def read_path(path: Path) -> Parts:
    """Read a file (IDX, gzipped or not; .npy; .npz) or a folder that holds the four MNIST-style IDX files.

    Raises:
        UserError: the file is missing, damaged, too large or of another kind, or its images or labels cannot be used.
    """
    name = path.resolve().name.split(".")[0] or "images"
    if path.is_dir():
        return read_idx_folder(path, name)
    if path.suffix.lower() in (".npy", ".npz"):
        with refusing_damage(path):
            found = _read_npz(path) if path.suffix.lower() == ".npz" else {"train": (_read_npy_file(path), None)}
        return settle(found, str(path), name)
    if _is_picture(path):
        raise UserError(f"{path}: is a single picture; give the folder or zip in which all pictures of the set are")
    images = read_idx(path, IMAGE_MAGIC)
    beside = path.name.replace("images", "labels").replace("idx3", "idx1")
    labels = find_spelling(path.parent, beside) if beside != path.name else None
    return settle({"train": (images, read_idx(labels, LABEL_MAGIC) if labels else None)}, str(path), name)


def _is_picture(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            look(stream)
    except (Unreadable, OSError):
        return False
    return True


# Files in IDX form


def find_spelling(folder: Path, name: str) -> Path | None:
    """Find an IDX file in ``folder`` under any spelling in use: with or without .gz, ``-idx`` or ``.idx``."""
    bare = name.removesuffix(".gz")
    for stem in (bare, bare.replace("-idx", ".idx"), bare.replace(".idx", "-idx")):
        for spelling in (f"{stem}.gz", stem):
            if (folder / spelling).is_file():
                return folder / spelling
    return None


def read_idx_folder(folder: Path, name: str) -> Parts:
    """Read the four files of a set in MNIST's form: train and t10k, images and labels."""
    found: dict[str, tuple[Array, Array | None]] = {}
    for part, stem in (("train", "train"), ("test", "t10k")):
        names = f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte"
        paths = [find_spelling(folder, wanted) for wanted in names]
        for wanted, path in zip(names, paths, strict=True):
            if path is None:
                raise UserError(f"{folder}: holds no {wanted}[.gz]; {FORMS}")
        images, labels = (read_idx(p, m) for p, m in zip(paths, (IMAGE_MAGIC, LABEL_MAGIC), strict=True) if p)
        found[part] = images, labels
    return settle(found, str(folder), name)


def read_idx(path: Path, magic: int) -> Array:
    """Read one IDX file of bytes: images [N, H, W] for magic 2051, labels [N] for magic 2049, as uint8.

    Raises:
        UserError: missing, empty, cut short, too long, damaged, or not such a file.
    """
    with open_content(path) as stream:
        return read_idx_stream(stream, magic, str(path))


def read_idx_stream(stream: IO[bytes], magic: int, where: str) -> Array:
    """Read the content of one IDX file, as `read_idx` does; ``where`` names it in messages.

    The header is believed only as far as the content bears it out: no more is read than it claims, plus one byte.
    """
    start = _read_up_to(stream, 4)
    if not start:
        raise UserError(f"{where}: is empty; get it again")
    if start != struct.pack(">I", magic):
        kinds = {struct.pack(">I", IMAGE_MAGIC): "IDX images", struct.pack(">I", LABEL_MAGIC): "IDX labels"}
        kind = kinds.get(bytes(start), f"no IDX file (it starts with {start.hex()})")
        wanted = "images" if magic == IMAGE_MAGIC else "labels"
        raise UserError(f"{where}: is {kind}, where IDX {wanted} (magic {magic}) are needed; {FORMS}")
    dimensions = magic & 0xFF
    header = _read_up_to(stream, 4 * dimensions)
    if len(header) < 4 * dimensions:
        raise UserError(f"{where}: is cut short within its header; get it again")
    shape = struct.unpack(f">{dimensions}I", header)
    claimed = math.prod(shape)
    if claimed > MOST_BYTES:
        raise UserError(f"{where}: its header claims {claimed:,} bytes of content, over 8 GiB; get it again")
    content = _read_up_to(stream, claimed + 1)
    if len(content) != claimed:
        found = f"holds only {len(content):,}" if len(content) < claimed else "holds more"
        raise UserError(f"{where}: its header claims {claimed:,} bytes of content but it {found}; get it again")
    return np.frombuffer(content, np.uint8).reshape(shape)


@contextmanager
def open_content(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for its content: unpacked where it is gzip, judged by its first bytes and not by its name.

    Raises:
        UserError: missing, unreadable, or (while it is read) damaged.
    """
    with refusing_damage(path), path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if zipped:
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield unpacked  # type: ignore[misc]  # a GzipFile reads like any other stream of bytes
        else:
            yield raw


def _read_up_to(stream: IO[bytes], count: int) -> bytearray:
    """Read ``count`` bytes or as many as there are, in pieces, so that a false count allocates nothing."""
    content = bytearray()
    while piece := stream.read(min(count - len(content), 1 << 20)):
        content += piece
    return content


@contextmanager
def refusing_damage(path: Path) -> Iterator[None]:
    """Turn what a missing or damaged file raises into one line that names it."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file or folder; {FORMS}") from None
    except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, struct.error) as error:
        raise UserError(f"{path}: is damaged or cut short ({_one_line(error)}); get it again") from error
    except (ValueError, ArithmeticError, NotImplementedError, RuntimeError, MemoryError, tokenize.TokenError) as error:
        raise UserError(
            f"{path}: cannot be understood ({_one_line(error) or type(error).__name__}); get or save it again"
        ) from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({_one_line(error.strerror or error)}); {FORMS}") from error


def _one_line(text: object) -> str:
    return " ".join(str(text).split())


# Files in NumPy's form


def read_npy_header(stream: IO[bytes], size: int, where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header of a .npy of ``size`` bytes: shape, whether it is written by columns, and type.

    Raises:
        UserError: it is empty, holds objects, or claims another size than it has.
    """
    if size == 0:
        raise UserError(f"{where}: is empty; save it again")
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise UserError(f"{where}: is a .npy of version {version}, which holds no plain array; save a numeric array")
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, column_first, dtype = read_header(stream)
    if dtype.hasobject:
        raise UserError(f"{where}: holds pickled Python objects, which are never loaded; save a numeric array")
    claimed, there = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if claimed != there:
        raise UserError(
            f"{where}: its header claims {claimed:,} bytes of content but it holds {there:,}; save it again"
        )
    return shape, column_first, dtype


def _read_npy(stream: IO[bytes], size: int, where: str) -> Array:
    """Read one .npy of ``size`` bytes; unlike ``np.load`` it checks the size before it allocates."""
    shape, column_first, dtype = read_npy_header(stream, size, where)
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > MOST_BYTES:
        raise UserError(f"{where}: holds {claimed:,} bytes, over 8 GiB; save fewer images, as uint8")
    content = _read_up_to(stream, claimed)
    if len(content) < claimed:
        raise UserError(f"{where}: is cut short; save it again")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if column_first else "C")


def _read_npy_file(path: Path) -> Array:
    with path.open("rb") as stream:
        return _read_npy(stream, path.stat().st_size, str(path))


def _read_npz(path: Path) -> Found:
    """Read the parts of a .npz by the names of its arrays; a lone array is taken for the images."""
    if path.stat().st_size == 0:
        raise UserError(f"{path}: is empty; save it again")
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

        def read(key: str) -> Array:
            with archive.open(members[key]) as stream:
                return _read_npy(stream, members[key].file_size, f"{path} [{key}]")

        if len(members) == 1:
            return {"train": (read(next(iter(members))), None)}
        found: dict[str, tuple[Array, Array | None]] = {}
        for part, wanted in NPZ_KEYS.items():
            images, labels = (_only_key(members, names, path) for names in wanted)
            if images:
                found[part] = read(images), read(labels) if labels else None
            elif part == "train":
                raise UserError(f"{path}: no array is named images or x_train; its arrays are {_listed(members)}")
    return found


def _only_key(members: Mapping[str, object], wanted: tuple[str, ...], path: Path) -> str | None:
    keys = [key for key in members if key.lower() in wanted]
    if len(keys) > 1:
        raise UserError(f"{path}: {_listed(keys)} could all be the {wanted[0]}; keep one of them")
    return keys[0] if keys else None


def _listed(names: Mapping[str, object] | list[str]) -> str:
    listed = ", ".join(_one_line(name) for name in list(names)[:12])
    return listed + (", …" if len(names) > 12 else "") or "none"
