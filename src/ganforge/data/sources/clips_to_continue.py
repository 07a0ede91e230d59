"""Clips that a trained model continues: few, of any size, each under its own name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganforge.data.class_names import in_order
from ganforge.data.sources.clips import holds_clips, read_clip
from ganforge.data.sources.readers import is_picture
from ganforge.data.sources.single_array import read_single_array
from ganforge.errors import UserError
from ganforge.files import user_path


class NamedClips(NamedTuple):
    """Clips uint8 [N, T, C, H, W] with a name for each, and where they are from."""

    frames: Tensor
    names: Sequence[str]
    where: str


def read_moving(source: Any, *, wanted: str = "one size") -> NamedClips:
    """Read an animation, a folder of frames, a folder of animations of one size, an .npz file or an array.

    Arrays are uint8 [clips, frames, C, H, W], or one clip [frames, C, H, W] or [frames, H, W]; of an .npz file the
    array ``clips`` counts, or the only one. Of several animations the last frames count, as many as the shortest has.

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
    if path.suffix.lower() in (".npz", ".npy") and path.is_file():
        return _numbered(read_single_array(path, "clips"), str(path))
    if path.is_dir() and holds_clips(path):
        files = [path / name for name in in_order(f.name for f in path.iterdir() if f.is_file() and is_picture(f))]
        return NamedClips(_joined(files, wanted), [file.stem for file in files], str(path))
    if path.is_dir() or is_picture(path):
        return NamedClips(read_clip(path, wanted=wanted)[None], (path.stem,), str(path))
    raise UserError(f"{path}: is no clip; give an animation (GIF, WebP), a folder of frames or an .npz of clips")


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
    if array.dtype != np.uint8 or array.ndim != 5 or not array.size:
        raise UserError(
            f"{where}: {array.dtype} {list(array.shape)}; give uint8 [clips, frames, C, H, W], or one clip of it"
        )
    clips = torch.from_numpy(np.ascontiguousarray(array))
    return NamedClips(clips, [f"{index:05d}" for index in range(len(clips))], where)
