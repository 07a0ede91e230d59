"""Pictures that a trained model is applied to: few, of any size, each under its own name.

Data sets for training have 8 to 64 pixels a side, in a shuffled order; pictures that are enlarged may be smaller, and
results keep the order of the files.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganforge.data.class_names import in_order
from ganforge.data.load import load_whole
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.sources.archives import open_archive
from ganforge.data.sources.decode_image import Unreadable
from ganforge.data.sources.folder_layout import holds_pictures, may_be_picture
from ganforge.data.sources.given_pairs import holds_pairs
from ganforge.data.sources.picture_containers import Folder
from ganforge.data.sources.readers import parquet_pictures
from ganforge.data.sources.single_array import read_single_array
from ganforge.data.sources.single_picture import (
    content_of,
    decode_mask,
    decode_picture,
    is_picture_file,
    picture_files,
)
from ganforge.errors import UserError
from ganforge.files import refuse_pipe, user_path


class NamedPictures(NamedTuple):
    """Pictures uint8 [N, C, H, W] with a name for each, and where they are from."""

    images: Tensor
    names: Sequence[str]
    where: str


def read_pictures(source: Any, *, wanted: str = "one size") -> NamedPictures:
    """Read a picture file, a folder, zip or tar of pictures of one size, an .npz file, an array, or any other data set.

    Pictures are in the natural order of their names (9 before 10), whether in a folder or in an archive. Arrays are
    uint8 [N, H, W], [N, H, W, C] or [N, C, H, W]; of an .npz file the array ``images`` counts, or the only one.

    Args:
        source: the pictures.
        wanted: the size to give, in words, for the refusal of pictures of several sizes.

    Raises:
        UserError: there is no picture, one cannot be read, or sizes differ.
    """
    if not isinstance(source, str | Path):
        return _numbered(as_pictures(source, "the pictures"), "the pictures")
    path = _existing(source)
    if _is_array_file(path):
        return _numbered(as_pictures(read_single_array(path, "images"), str(path)), str(path))
    if pictures := [(file.name, decode_picture(file.content, file.where)) for file in _files(path)]:
        return _joined(pictures, path, wanted)
    return _numbered(load_whole(path, ReadingRules.chosen())[0].images, str(path))


def read_masks(source: Any) -> Tensor:
    """Read masks as `read_pictures` reads pictures: bool [N, 1, H, W], true where pixels are missing.

    In a picture file they are the white pixels, or the transparent ones (`read_mask`); in an array, numbers above 127
    of the first channel, or true.

    Raises:
        UserError: as for `read_pictures`, or a picture file is free everywhere or nowhere.
    """
    if isinstance(source, str | Path):
        path = _existing(source)
        if not _is_array_file(path) and (
            masks := [(file.name, decode_mask(file.content, file.where)) for file in _files(path)]
        ):
            return _joined(masks, path, "one size").images
        source = read_single_array(path, "masks") if _is_array_file(path) else read_pictures(path).images
    array = np.asarray(source)
    levels = array.astype(np.uint8) * 255 if array.dtype == bool else array
    return as_pictures(levels, "the masks")[:, :1] > 127


class _File(NamedTuple):
    name: str
    where: str
    content: bytes


def _existing(source: str | Path) -> Path:
    path = user_path(source)
    if not path.exists():
        raise UserError(f"{path}: there is no such file; give a picture, a folder or zip of pictures, or an .npz")
    refuse_pipe(path)
    return path


def _is_array_file(path: Path) -> bool:
    return path.suffix.lower() in (".npz", ".npy") and path.is_file()


def _files(path: Path) -> Iterator[_File]:
    """Yield a picture file, those in a folder, or those in an archive or in the folders of a folder; else nothing."""
    files = [path] if is_picture_file(path) else picture_files(path) if path.is_dir() else []
    if files:
        yield from (_File(file.name, str(file), content_of(file)) for file in files)
    elif holds_pairs(path):
        raise UserError(f"{path}: holds pairs; give the pictures of its folder input")
    elif holds_pictures(path) and not parquet_pictures(path):
        yield from _packed(path)


def _packed(path: Path) -> Iterator[_File]:
    container = Folder(path) if path.is_dir() else open_archive(path)
    try:
        for file in container.files():
            if may_be_picture(file.name):
                yield _File(file.name, f"{path}: {file.name}", container.read(file))
    except Unreadable as reason:
        raise UserError(f"{path}: is damaged ({reason}); get it again") from None
    finally:
        container.close()


def as_pictures(values: Any, where: str) -> Tensor:
    """Return an array or tensor as pictures uint8 [N, C, H, W].

    Raises:
        UserError: it has another type or shape.
    """
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or not array.size:
        raise UserError(
            f"{where}: {array.dtype} {list(array.shape)}; give uint8 [N, H, W], [N, H, W, C] or [N, C, H, W]"
        )
    if array.ndim == 3:
        array = array[:, None]
    elif array.shape[3] in (1, 3) and array.shape[1] not in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(array))


def _joined(pictures: Sequence[tuple[str, Tensor]], where: Path, wanted: str) -> NamedPictures:
    """Return pictures, each with the name of its file, in natural order of the names and with equal channels."""
    by_name = dict(pictures)
    names = in_order(by_name)
    images = [by_name[name] for name in names]
    for name, image in zip(names, images, strict=True):
        if image.shape[2:] != images[0].shape[2:]:
            sizes = ["×".join(map(str, reversed(one.shape[2:]))) for one in (image, images[0])]
            raise UserError(f"{where}: {name} is {sizes[0]} pixels, and {names[0]} is {sizes[1]}; give {wanted}")
    channels = max(image.shape[1] for image in images)
    joined = torch.cat([image.expand(-1, channels, -1, -1) for image in images])
    return NamedPictures(joined, result_names(names), str(where))


SHEET = "sheet"
"""The name of the sheet beside the results."""


def result_names(files: Sequence[str]) -> list[str]:
    """Return a name for the result of each file: without ending, with "-" between folders, and none twice.

    A single top folder, as archives have it, is left out. Where two names are equal but for capitals, or one is that of
    the sheet, all keep their endings; where that does not help, they begin with a number.
    """
    paths = [PurePosixPath(file) for file in files]
    if all(len(path.parts) > 1 for path in paths) and len({path.parts[0] for path in paths}) == 1:
        paths = [PurePosixPath(*path.parts[1:]) for path in paths]
    whole = ["-".join(path.parts) for path in paths]
    for names in (["-".join(path.with_suffix("").parts) for path in paths], whole):
        if len({SHEET, *(name.casefold() for name in names)}) == len(names) + 1:
            return names
    return [f"{number:05d}-{name}" for number, name in enumerate(whole)]


def _numbered(images: Tensor, where: str) -> NamedPictures:
    return NamedPictures(images, [f"{index:05d}" for index in range(len(images))], where)
