"""A user's own pairs: a folder with the folders ``input`` and ``target``, whose pictures have equal names."""

from pathlib import Path

import torch
from torch import Tensor

from ganforge.data.class_names import in_order
from ganforge.data.images import ImageSet
from ganforge.data.normalize_arrays import RawSplits
from ganforge.data.parts import Parts
from ganforge.data.sources.single_picture import picture_files, read_picture
from ganforge.errors import UserError

INPUT, TARGET = "input", "target"


def holds_pairs(path: Path) -> bool:
    """Whether a folder has exactly the two folders of a set of pairs, and no pictures beside them."""
    if not path.is_dir():
        return False
    folders = {entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")}
    return folders == {INPUT, TARGET} and not picture_files(path)


def read_given_pairs(path: Path) -> RawSplits:
    """Read pairs as pictures with the channels of the target first, then those of the input (`GivenPairs`).

    Inputs that are smaller by a whole factor are enlarged by repeating pixels.

    Raises:
        UserError: a picture has no partner or two, cannot be read, or sizes differ.
    """
    inputs, targets = (_pictures(path / name) for name in (INPUT, TARGET))
    if lonely := sorted(inputs.keys() ^ targets.keys()):
        file = inputs.get(lonely[0]) or targets[lonely[0]]
        raise UserError(
            f"{path}: {file.relative_to(path)} has no partner of that name ({len(lonely)} of "
            f"{len(inputs.keys() | targets.keys())} have none); give every picture in both folders"
        )
    names = in_order(targets)
    if not names:
        raise UserError(f"{path}: {INPUT}/ and {TARGET}/ hold no picture; give pairs of pictures with equal names")
    pairs = [_pair(path, inputs[name].name, read_picture(inputs[name]), read_picture(targets[name])) for name in names]
    channels = [max(pair[part].shape[1] for pair in pairs) for part in (0, 1)]
    sizes = {tuple(pair[0].shape[2:]) for pair in pairs}
    if len(sizes) > 1:
        listed = ", ".join(f"{width}×{height}" for height, width in sorted(sizes))
        raise UserError(f"{path}: targets of several sizes ({listed}); scale them to one size")
    pictures = [torch.cat([_expanded(*part) for part in zip(pair, channels, strict=True)], 1) for pair in pairs]
    note = f"pairs: {channels[0]} channels of {TARGET}/ and {channels[1]} of {INPUT}/, by name"
    labels, parts = torch.full((len(pairs),), -1), Parts("pair", channels[0])
    return RawSplits(ImageSet(torch.cat(pictures), labels, name=path.name, parts=parts), notes=(note,))


def _pictures(folder: Path) -> dict[str, Path]:
    """Return the pictures of a folder by their names without endings, which may differ between the two folders."""
    pictures: dict[str, Path] = {}
    for file in picture_files(folder):
        if first := pictures.get(file.stem):
            raise UserError(f"{folder}: {first.name} and {file.name} have one name; keep one of them")
        pictures[file.stem] = file
    return pictures


def _pair(path: Path, name: str, given: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return target and input at the target's size."""
    factor = target.shape[2] // given.shape[2]
    if factor < 1 or (given.shape[2] * factor, given.shape[3] * factor) != tuple(target.shape[2:]):
        sizes = [f"{one.shape[3]}×{one.shape[2]}" for one in (given, target)]
        raise UserError(
            f"{path}: {name} is {sizes[0]} in {INPUT}/ and {sizes[1]} in {TARGET}/; give equal sizes, or inputs "
            "that are smaller by a whole factor"
        )
    return target, given.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


def _expanded(picture: Tensor, channels: int) -> Tensor:
    return picture.expand(-1, channels, -1, -1)
