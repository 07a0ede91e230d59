"""Files and Python objects become ImageSets, or a UserError in one line; nothing is ever unpickled.

Every reader ends in `_parts`, the one place where layout, pixel type and labels are settled.
"""

import gzip
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from ganforge.data.images import ImageSet
from ganforge.errors import UserError

Array = npt.NDArray[Any]
Found = Mapping[str, tuple[Array, Array | None]]
"""Images and labels as they were found, by part: train, and where there are any, validation and test."""

IMAGE_MAGIC, LABEL_MAGIC = 2051, 2049
SMALLEST, LARGEST = 8, 64
MOST_CLASSES = 1000
MOST_BYTES = 8 * 2**30
FORMS = "give an IDX, .npy or .npz file or a folder with the four MNIST-style IDX files"

NPZ_KEYS = {
    "train": (
        ("images", "x", "x_train", "train_images", "train_x"),
        ("labels", "y", "y_train", "train_labels", "train_y"),
    ),
    "validation": (("x_val", "val_images", "val_x"), ("y_val", "val_labels", "val_y")),
    "test": (("x_test", "test_images", "test_x"), ("y_test", "test_labels", "test_y")),
}
"""What archives call their images and labels, part by part; upper and lower case count as the same."""


@dataclass(frozen=True)
class Parts:
    """What a source holds: images to train on and, where its makers set some apart, images to validate and test on."""

    train: ImageSet
    validation: ImageSet | None = None
    test: ImageSet | None = None


def read_path(path: Path) -> Parts:
    """Read a file (IDX, gzipped or not; .npy; .npz) or a folder that holds the four MNIST-style IDX files.

    Raises:
        UserError: the file is missing, damaged, too large or of another kind, or its images or labels cannot be used.
    """
    name = path.resolve().name.split(".")[0] or "images"
    if path.is_dir():
        return read_idx_folder(path, name)
    if path.suffix.lower() in (".npy", ".npz"):
        with _refusing_damage(path):
            found = _read_npz(path) if path.suffix.lower() == ".npz" else {"train": (_read_npy_file(path), None)}
        return _parts(found, str(path), name)
    images = read_idx(path, IMAGE_MAGIC)
    beside = path.name.replace("images", "labels").replace("idx3", "idx1")
    labels = find_spelling(path.parent, beside) if beside != path.name else None
    return _parts({"train": (images, read_idx(labels, LABEL_MAGIC) if labels else None)}, str(path), name)


def read_object(source: object) -> Parts:
    """Take images from Python: an array, a tensor, a pair (images, labels), an ImageSet or a map-style Dataset.

    Arrays are [N, H, W], [N, H, W, C] or [N, C, H, W]; items of a Dataset are an image or a pair (image, label).

    Raises:
        UserError: it is something else, or its images or labels cannot be used.
    """
    if isinstance(source, ImageSet):
        return Parts(source)
    if isinstance(source, tuple) and len(source) == 2:
        images, labels = (_array(part, "the pair (images, labels)") for part in source)
        return _parts({"train": (images, labels)}, "the pair (images, labels)", "images")
    if isinstance(source, np.ndarray | Tensor):
        return _parts({"train": (_array(source, "the array"), None)}, "the array", "images")
    if isinstance(source, Dataset) and not isinstance(source, IterableDataset) and hasattr(source, "__len__"):
        return _parts({"train": _read_dataset(source)}, "the Dataset", "images")
    raise UserError(
        f"images cannot be read from a {type(source).__name__}; give an array, a tensor, a pair (images, labels), "
        "an ImageSet, or a torch Dataset with a length"
    )


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
    return _parts(found, str(folder), name)


def read_idx(path: Path, magic: int) -> Array:
    """Read one IDX file of bytes: images [N, H, W] for magic 2051, labels [N] for magic 2049, as uint8.

    The header is believed only as far as the content bears it out: no more is read than it claims, plus one byte.

    Raises:
        UserError: missing, empty, cut short, too long, damaged, or not such a file.
    """
    with open_content(path) as stream:
        start = _read_up_to(stream, 4)
        if not start:
            raise UserError(f"{path}: is empty; get it again")
        if start != struct.pack(">I", magic):
            kinds = {struct.pack(">I", IMAGE_MAGIC): "IDX images", struct.pack(">I", LABEL_MAGIC): "IDX labels"}
            kind = kinds.get(bytes(start), f"no IDX file (it starts with {start.hex()})")
            wanted = "images" if magic == IMAGE_MAGIC else "labels"
            raise UserError(f"{path}: is {kind}, where IDX {wanted} (magic {magic}) are needed; {FORMS}")
        dimensions = magic & 0xFF
        header = _read_up_to(stream, 4 * dimensions)
        if len(header) < 4 * dimensions:
            raise UserError(f"{path}: is cut short within its header; get it again")
        shape = struct.unpack(f">{dimensions}I", header)
        claimed = math.prod(shape)
        if claimed > MOST_BYTES:
            raise UserError(f"{path}: its header claims {claimed:,} bytes of content, over 8 GiB; get it again")
        content = _read_up_to(stream, claimed + 1)
    if len(content) != claimed:
        found = f"holds only {len(content):,}" if len(content) < claimed else "holds more"
        raise UserError(f"{path}: its header claims {claimed:,} bytes of content but it {found}; get it again")
    return np.frombuffer(content, np.uint8).reshape(shape)


@contextmanager
def open_content(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for its content: unpacked where it is gzip, judged by its first bytes and not by its name.

    Raises:
        UserError: missing, unreadable, or (while it is read) damaged.
    """
    with _refusing_damage(path), path.open("rb") as raw:
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
def _refusing_damage(path: Path) -> Iterator[None]:
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


def _read_npy(stream: IO[bytes], size: int, where: str) -> Array:
    """Read one .npy of ``size`` bytes; unlike ``np.load`` it checks the size before it allocates."""
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


# Python objects


def _array(thing: object, where: str) -> Array:
    """Take an array, tensor, picture or number as an array."""
    if isinstance(thing, Tensor):
        thing = thing.detach().cpu()
        return np.asarray(thing.float() if thing.dtype == torch.bfloat16 else thing)
    if isinstance(thing, Image.Image):
        # A palette's indices are no grey levels; other modes say what they hold by their number of channels.
        return np.asarray(thing.convert("RGB") if thing.mode == "P" else thing)
    try:
        return np.asarray(thing)
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"{where}: is no array ({_one_line(error)}); all images must have one shape") from error


def _read_dataset(dataset: Any) -> tuple[Array, Array | None]:
    """Collect the items of a map-style Dataset, which must all be of one kind."""
    images: list[Array] = []
    labels: list[Array] = []
    for index in range(len(dataset)):
        where = f"the Dataset: item {index}"
        try:
            item = dataset[index]
        except Exception as error:  # whatever the user's own code raises is news to the user, not our traceback
            raise UserError(f"{where} cannot be read ({type(error).__name__}: {_one_line(error)})") from error
        pair = isinstance(item, tuple | list)
        if pair and len(item) != 2:
            raise UserError(f"{where} has {len(item)} parts; an item is an image or a pair (image, label)")
        image = _array(item[0] if pair else item, where)
        if images and (image.shape, image.dtype) != (images[0].shape, images[0].dtype):
            kinds = f"{list(image.shape)} {image.dtype}, item 0 is {list(images[0].shape)} {images[0].dtype}"
            raise UserError(f"{where} is {kinds}; resize or convert all images to one shape and type")
        images.append(image)
        if pair:
            labels.append(_array(item[1], where))
        if len(labels) not in (0, len(images)) or (labels and labels[-1].size != 1):
            raise UserError(
                f"{where} does not carry one number as its label like the items before; use -1 where unknown"
            )
    if not images:
        raise UserError("the Dataset: holds no image; a GAN needs at least two different images")
    return np.stack(images), np.concatenate([label.reshape(1) for label in labels]) if labels else None


# What all readers end in


def _parts(found: Found, where: str, name: str) -> Parts:
    """Settle layout, pixels and labels, over all parts at once so that one scale holds for every part."""
    images = {part: _channels_first(pixels, where) for part, (pixels, _) in found.items()}
    train = images["train"]
    for part, pixels in images.items():
        if pixels.shape[1:] != train.shape[1:] or pixels.dtype != train.dtype:
            kinds = f"{pixels.dtype} {list(pixels.shape)} and its train images {train.dtype} {list(train.shape)}"
            raise UserError(f"{where}: its {part} images are {kinds}; make them alike")
        if len(pixels) < (2 if part == "train" else 1):
            raise UserError(f"{where}: {len(pixels)} {part} image(s); a GAN needs at least two different images")
    labels = {part: _labels(found[part][1], len(pixels), where) for part, pixels in images.items()}
    classes = tuple(str(label) for label in range(max(int(part.max()) for part in labels.values()) + 1))
    joined = torch.from_numpy(_to_uint8(np.concatenate(list(images.values())), where))
    sets, start = {}, 0
    for part, pixels in images.items():
        title = name if part == "train" else f"{name} {part}"
        sets[part] = ImageSet(joined[start : start + len(pixels)], labels[part], classes, title)
        start += len(pixels)
    return Parts(sets["train"], sets.get("validation"), sets.get("test"))


def _channels_first(images: Array, where: str) -> Array:
    """Lay images out as [N, C, H, W] and refuse counts of channels and sizes that no network here is made for."""
    shape = list(images.shape)
    if images.ndim not in (3, 4):
        raise UserError(
            f"{where}: images must be [N, H, W], [N, H, W, C] or [N, C, H, W], these are {shape}; reshape them"
        )
    if images.ndim == 3:
        images = images[:, None]
    elif shape[3] in (1, 3) and shape[1] not in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    elif shape[1] not in (1, 3):
        raise UserError(
            f"{where}: images have {min(shape[1], shape[3])} channels {shape}; only 1 (grey) and 3 (RGB) work"
        )
    height, width = images.shape[2:]
    if not (SMALLEST <= height <= LARGEST and SMALLEST <= width <= LARGEST):
        raise UserError(f"{where}: images are {height}×{width} px; {SMALLEST} to {LARGEST} px a side work, resize them")
    return images


def _to_uint8(images: Array, where: str) -> Array:
    """Map pixels to 0..255: truth values, whole numbers in 0..255, or floats in 0..1, -1..1 or 0..255."""
    if images.dtype == np.uint8 or images.size == 0:
        return images
    if images.dtype.kind not in "biuf":
        raise UserError(f"{where}: pixels are of type {images.dtype}; save them as uint8 in 0..255")
    if images.dtype.kind == "b":
        return images.astype(np.uint8) * np.uint8(255)
    low, high = images.min(), images.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UserError(f"{where}: some pixels are NaN or infinite; repair or drop those images")
    if images.dtype.kind == "f":
        # The hair's breadth lets through what normalising in float32 leaves beside the ends.
        if high <= 1 + 1e-5 and low >= -1 - 1e-5:
            images = images.astype(np.float32)
            images = (images + 1) * 127.5 if low < -1e-5 else images * 255
        elif low < 0 or high > 255:
            raise UserError(f"{where}: pixels run from {low:g} to {high:g}; scale them to 0..1 or to 0..255 first")
        return np.rint(images).clip(0, 255).astype(np.uint8)
    if low < 0 or high > 255:
        raise UserError(f"{where}: pixels run from {low} to {high}; scale them to 0..255 first")
    return images.astype(np.uint8)


def _labels(labels: Array | None, count: int, where: str) -> Tensor:
    """Check labels and return them as int64 [N]; -1 throughout where there are none."""
    if labels is None:
        return torch.full((count,), -1)
    if labels.dtype.kind not in "biuf":
        raise UserError(f"{where}: labels are of type {labels.dtype}; give whole numbers from 0, or -1 where unknown")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise UserError(f"{where}: {count} images need {count} labels, one number each; found {list(labels.shape)}")
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == np.rint(labels)).all()):
        raise UserError(f"{where}: some labels are not whole numbers; give 0, 1, 2, …, or -1 where unknown")
    low, high = (0, 0) if count == 0 else (int(labels.min()), int(labels.max()))
    if low < -1 or high >= MOST_CLASSES:
        raise UserError(
            f"{where}: labels run from {low} to {high}; they must be 0 to {MOST_CLASSES - 1}, or -1 if unknown"
        )
    return torch.from_numpy(labels.astype(np.int64))
