"""Clips: animations (GIF, WebP, PNG), folders of frames, and arrays, as pictures with the channels of all frames."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.data.class_names import in_order
from ganforge.data.images import ImageSet
from ganforge.data.normalize_arrays import RawSplits, is_grey
from ganforge.data.parts import Parts
from ganforge.data.sources.decode_image import Unreadable, decode_frames, frame_count, without_warnings
from ganforge.data.sources.readers import is_picture
from ganforge.data.sources.single_array import DAMAGE
from ganforge.data.sources.single_picture import picture_files, read_picture
from ganforge.errors import UserError

ANIMATIONS = (".gif", ".webp", ".png", ".apng")


def holds_clips(path: Path) -> bool:
    """Whether a path holds clips: an animation, a folder of animations alone, or an .npz of five-dimensional arrays."""
    if path.is_file():
        return is_animation(path) or bool(_arrays_of_clips(path))
    if not path.is_dir():
        return False
    entries = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
    return bool(entries) and all(entry.is_file() and is_animation(entry) for entry in entries)


def read_clips(path: Path) -> RawSplits:
    """Read clips as pictures uint8 [N, frames · C, H, W], one frame after the other; N clips of equal length.

    Raises:
        UserError: a file is a single picture, sizes or numbers of frames differ, or arrays are of another type.
    """
    if path.suffix == ".npz":
        clips = torch.from_numpy(np.ascontiguousarray(_arrays_of_clips(path)[0]))
        joined = clips.flatten(1, 2)
        return RawSplits(_as_set(joined, path, clips.shape[2]), notes=(f"clips of {clips.shape[1]} frames",))
    files = [path] if path.is_file() else [path / name for name in in_order(file.name for file in path.iterdir())]
    clips_read = [(file, read_clip(file)) for file in files if file.is_file() and is_picture(file)]
    shortest = min(len(clip) for _, clip in clips_read)
    first = clips_read[0][1]
    for file, clip in clips_read:
        if clip.shape[1:] != first.shape[1:]:
            raise UserError(
                f"{file}: its frames are {_size(clip)}, and those of {clips_read[0][0].name} {_size(first)}"
            )
    note = f"clips of {shortest} frames" + (
        ", longer ones cut" if any(len(c) > shortest for _, c in clips_read) else ""
    )
    joined = torch.stack([clip[:shortest].flatten(0, 1) for _, clip in clips_read])
    return RawSplits(_as_set(joined, path, first.shape[1]), notes=(note,))


def read_clip(path: Path, *, wanted: str = "one size") -> Tensor:
    """Read one animation, or a folder of frames, as uint8 [frames, C, H, W]; grey frames have one channel.

    Args:
        path: the animation or the folder.
        wanted: the size to give, in words, for the refusal of frames of several sizes.

    Raises:
        UserError: there are fewer than two frames, their sizes differ, or the animation is damaged.
    """
    if path.is_dir():
        frames = [read_picture(path / name) for name in in_order(file.name for file in picture_files(path))]
        if len({frame.shape[2:] for frame in frames}) > 1:
            raise UserError(f"{path}: its frames have several sizes; give frames of {wanted}")
        channels = max((frame.shape[1] for frame in frames), default=1)
        clip = torch.cat([frame.expand(-1, channels, -1, -1) for frame in frames]) if frames else torch.empty(0)
    else:
        stacked = _frames_of(path)
        pixels = stacked.transpose(0, 3, 1, 2)
        clip = torch.from_numpy(pixels[:, :1].copy() if is_grey(pixels) else pixels.copy())
    if len(clip) < 2:
        found = "1 frame" if len(clip) else "no frame"
        raise UserError(f"{path}: has {found}; a clip needs two or more")
    return clip


def _frames_of(path: Path) -> NDArray[np.uint8]:
    """Return the frames of an animation as RGB, uint8 [frames, H, W, 3]."""
    try:
        with without_warnings():
            return decode_frames(path.read_bytes(), path.name)
    except (Unreadable, OSError) as error:
        raise UserError(f"{path}: is no readable animation ({error}); give a GIF or WebP") from None


def is_animation(path: Path) -> bool:
    """Whether a file is an animation of two frames or more."""
    if path.suffix.lower() not in ANIMATIONS:
        return False
    try:
        with without_warnings():
            return frame_count(path.read_bytes(), path.name) > 1
    except (Unreadable, OSError):
        return False


def _arrays_of_clips(path: Path) -> Sequence[Any]:
    """Return the arrays uint8 [clips, frames, C, H, W] of an .npz file; an empty list where there are none."""
    if path.suffix != ".npz":
        return []
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return [array for name in arrays.files if (array := arrays[name]).ndim == 5 and array.dtype == np.uint8]
    except DAMAGE:
        return []


def _as_set(images: Tensor, path: Path, channels: int) -> ImageSet:
    labels = torch.full((len(images),), -1)
    return ImageSet(images, labels, name=path.stem, parts=Parts("clip", channels))


def _size(clip: Tensor) -> str:
    return f"{clip.shape[3]}×{clip.shape[2]} with {clip.shape[1]} channels"
