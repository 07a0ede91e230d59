"""Clips that a trained model continues: few, of any size, each under its own name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganforge.data.class_names import in_order
from ganforge.data.sources.clips import is_animation, read_clip
from ganforge.data.sources.pictures_to_apply import result_names
from ganforge.data.sources.readers import is_picture
from ganforge.data.sources.single_array import read_single_array
from ganforge.data.sources.single_picture import picture_files, read_picture
from ganforge.errors import UserError
from ganforge.files import refuse_pipe, user_path


class NamedClips(NamedTuple):
    """Clips uint8 [N, T, C, H, W] with a name for each, and where they are from."""

    frames: Tensor
    names: Sequence[str]
    where: str


def read_moving(source: Any, *, wanted: str = "one size") -> NamedClips:
    """Read an animation, a folder of frames, a folder of animations of one size, an .npz file or an array.

    Arrays are uint8 [clips, frames, C, H, W] or [clips, frames, H, W, C], or one clip without the first axis, also
    [frames, H, W]; of an .npz file the array ``clips`` counts, or the only one. Of several animations the last frames
    count, as many as the shortest has.

    Args:
        source: the clips.
        wanted: the size to give, in words, for the refusal of frames of several sizes.

    Raises:
        UserError: there is no clip, one has fewer than two frames or cannot be read, or sizes differ.
    """
    if not isinstance(source, str | Path):
        return _numbered(source, "the clips")
    path = user_path(source)
    if not path.exists():
        raise UserError(f"{path}: there is no such file; give an animation, a folder of frames or an .npz of clips")
    refuse_pipe(path)
    if path.suffix.lower() in (".npz", ".npy") and path.is_file():
        return _numbered(read_single_array(path, "clips"), str(path))
    if path.is_dir() and (files := _animations(path)):
        return NamedClips(_joined(files, wanted), result_names([file.name for file in files]), str(path))
    if path.is_dir() or is_picture(path):
        return NamedClips(read_clip(path, wanted=wanted)[None], (path.stem,), str(path))
    raise UserError(f"{path}: is no clip; give an animation (GIF, WebP), a folder of frames or an .npz of clips")


def _animations(folder: Path) -> list[Path]:
    """Return the animations of a folder in natural order; none if it holds the frames of one clip.

    Raises:
        UserError: there are single pictures beside animations, or damaged ones.
    """
    files = [folder / name for name in in_order(file.name for file in picture_files(folder))]
    moving = [file for file in files if is_animation(file)]
    for still in set(files) - set(moving) if moving else ():
        read_picture(still)  # names a damaged one
        raise UserError(
            f"{folder}: holds animations, as {moving[0].name}, and single pictures, as {still.name}; give a folder of "
            "animations alone, or of the frames of one clip"
        )
    return moving


def _joined(files: Sequence[Path], wanted: str) -> Tensor:
    clips = [read_clip(file) for file in files]
    for file, clip in zip(files, clips, strict=True):
        if clip.shape[2:] != clips[0].shape[2:]:
            sizes = ["×".join(map(str, reversed(one.shape[2:]))) for one in (clip, clips[0])]
            raise UserError(
                f"{file}: its frames are {sizes[0]}, and those of {files[0].name} {sizes[1]}; give {wanted}"
            )
    shortest, channels = min(map(len, clips)), max(clip.shape[1] for clip in clips)
    return torch.stack([clip[-shortest:].expand(-1, channels, -1, -1) for clip in clips])


def _numbered(values: Any, where: str) -> NamedClips:
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.dtype == np.uint8 and array.ndim == 3:
        array = array[:, None]
    if array.dtype == np.uint8 and array.ndim == 4:
        array = array[None]
    if array.ndim == 5 and array.shape[4] in (1, 3) and array.shape[2] not in (1, 3):
        array = np.moveaxis(array, 4, 2)
    if array.dtype != np.uint8 or array.ndim != 5 or not array.size:
        raise UserError(
            f"{where}: {array.dtype} {list(array.shape)}; give uint8 [clips, frames, C, H, W], or one clip of it"
        )
    clips = torch.from_numpy(np.ascontiguousarray(array))
    return NamedClips(clips, [f"{index:05d}" for index in range(len(clips))], where)
