"""Pictures that a trained model is applied to: few, of any size, each under its own name.

Data sets for training have 8 to 64 pixels a side; what is enlarged may be smaller.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganforge.data.class_names import in_order
from ganforge.data.load import load_whole
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.sources.single_picture import is_picture_file, picture_files, read_picture
from ganforge.errors import UserError
from ganforge.files import user_path


class NamedPictures(NamedTuple):
    """Pictures uint8 [N, C, H, W] with a name for each, and where they are from."""

    images: Tensor
    names: Sequence[str]
    where: str


def read_pictures(source: Any) -> NamedPictures:
    """Read a picture file, a folder of pictures of one size, an .npz file, an array, or any other data set.

    Arrays are uint8 [N, H, W], [N, H, W, C] or [N, C, H, W]; of an .npz file the array ``images`` counts, or the only
    one.

    Raises:
        UserError: there is no picture, one cannot be read, or sizes differ.
    """
    if not isinstance(source, str | Path):
        return _numbered(as_pictures(source, "the pictures"), "the pictures")
    path = user_path(source)
    if is_picture_file(path):
        return NamedPictures(read_picture(path), (path.stem,), str(path))
    if path.is_dir() and (files := picture_files(path)):
        files = [path / name for name in in_order(file.name for file in files)]
        return NamedPictures(_joined(files), [file.stem for file in files], str(path))
    if path.suffix == ".npz" and path.is_file():
        return _numbered(as_pictures(_only_array(path), str(path)), str(path))
    return _numbered(load_whole(path, ReadingRules.chosen())[0].images, str(path))


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


def _joined(files: Sequence[Path]) -> Tensor:
    pictures = [read_picture(file) for file in files]
    for file, picture in zip(files, pictures, strict=True):
        if picture.shape[2:] != pictures[0].shape[2:]:
            sizes = ["×".join(map(str, reversed(one.shape[2:]))) for one in (picture, pictures[0])]
            raise UserError(
                f"{file}: is {sizes[0]} pixels, and {files[0].name} is {sizes[1]}; give pictures of one size"
            )
    channels = max(picture.shape[1] for picture in pictures)
    return torch.cat([picture.expand(-1, channels, -1, -1) for picture in pictures])


def _only_array(path: Path) -> Any:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            name = "images" if "images" in arrays.files else arrays.files[0] if len(arrays.files) == 1 else None
            if name is None:
                raise UserError(
                    f"{path}: has the arrays {', '.join(arrays.files) or 'none'}; call the pictures 'images'"
                )
            return arrays[name]
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: cannot be read as .npz ({error}); write it with numpy.savez") from None


def _numbered(images: Tensor, where: str) -> NamedPictures:
    return NamedPictures(images, [f"{index:05d}" for index in range(len(images))], where)
