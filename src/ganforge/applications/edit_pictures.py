"""The pictures of an edit: read from files, and checked against the generator."""

from pathlib import Path

import torch
from torch import Tensor

from ganforge.data.sources.single_picture import read_mask, read_opacity, read_picture
from ganforge.errors import UserError
from ganforge.generation.generator import Generator


def read_for(generator: Generator, file: Path) -> Tensor:
    """Read a picture of the generator's shape, uint8 [1, C, H, W]; grey ones are repeated for a colour generator.

    Raises:
        UserError: the file is no readable picture, its size is another, or it is in colour and the generator is not.
    """
    picture = read_picture(file)
    _check_size(generator, file, picture)
    channels: int = generator.note["shape"][0]
    if picture.shape[1] > channels:
        raise UserError(
            f"{file}: is in colour, and {generator.recipe.name} draws grey pictures; convert it to grey first"
        )
    return picture.expand(-1, channels, -1, -1).contiguous()


def read_free(generator: Generator, file: Path) -> Tensor:
    """Read a mask of the generator's size: the pixels that may change, bool [1, 1, H, W].

    Raises:
        UserError: as for `read_mask`, or its size is another.
    """
    free = read_mask(file)
    _check_size(generator, file, free)
    return free


def read_drawing(generator: Generator, file: Path) -> tuple[Tensor, Tensor]:
    """Read a drawing uint8 [1, C, H, W], and the places that are drawn, bool [1, 1, H, W]: those with opacity ≥ 128.

    A drawing without transparent pixels counts as drawn everywhere.

    Raises:
        UserError: as for `read_for`, or nothing is drawn.
    """
    drawing, opacity = read_for(generator, file), read_opacity(file)
    drawn = torch.ones_like(drawing[:, :1]) > 0 if opacity is None else opacity > 127
    if not drawn.any():
        raise UserError(f"{file}: is wholly transparent; draw something, on a transparent ground")
    return drawing, drawn


def _check_size(generator: Generator, file: Path, picture: Tensor) -> None:
    height, width = generator.note["shape"][1:]
    if tuple(picture.shape[2:]) != (height, width):
        size = f"{picture.shape[3]}×{picture.shape[2]}"
        raise UserError(f"{file}: is {size} pixels, and {generator.recipe.name} draws {width}×{height}; scale it first")
