"""One picture from a file: a still one, or a mask."""

from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor

from ganforge.data.normalize_arrays import is_grey
from ganforge.data.sources.decode_image import (
    ImageHeader,
    Unreadable,
    decode,
    frame_count,
    opacity,
    read_header,
    without_warnings,
)
from ganforge.data.sources.readers import is_picture
from ganforge.data.sources.table_files import PICTURE_ENDINGS
from ganforge.errors import UserError
from ganforge.files import refuse_pipe

LARGEST_FLOAT, LARGEST_INTEGER = 255, 65535
"""The levels that become white in a picture of floating-point numbers, and in one of integers with more than 8 bits."""


def read_picture(path: Path, *, grey: bool = False) -> Tensor:
    """Read one picture file as uint8 [1, C, H, W]; one that shows only grey levels has one channel, any with ``grey``.

    Raises:
        UserError: the file does not exist, is no readable picture, or is an animation.
    """
    return decode_picture(content_of(path), str(path), grey=grey)


def decode_picture(content: bytes, where: str, *, grey: bool = False) -> Tensor:
    """Decode the content of a picture file as `read_picture` does; ``where`` names the file in messages.

    Raises:
        UserError: the content is no readable picture, an animation, or has levels of another range.
    """
    try:
        with without_warnings():
            _refuse_other_levels(read_header(BytesIO(content), where), where)
            frames, pixels = frame_count(content, where), decode(content, where, grey=grey)
    except Unreadable as reason:
        raise UserError(f"{where}: is no readable picture ({reason}); give a PNG, JPEG or GIF, for example") from None
    if frames > 1:
        raise UserError(f"{where}: is an animation of {frames} frames; save the frame that you mean as a picture")
    return torch.from_numpy(pixels[:1].copy() if is_grey(pixels[None]) else pixels)[None]


def read_opacity(path: Path) -> Tensor | None:
    """Return the opacity of a picture file, uint8 [1, 1, H, W]; None if every pixel is opaque.

    Raises:
        UserError: as for `read_picture`.
    """
    return _decode_opacity(content_of(path), str(path))


def _decode_opacity(content: bytes, where: str) -> Tensor | None:
    decode_picture(content, where)
    with without_warnings():
        alpha = opacity(content, where)
    return None if alpha is None or (alpha == 255).all() else torch.from_numpy(alpha)[None, None]


def read_mask(path: Path) -> Tensor:
    """Return the free pixels of a mask, bool [1, 1, H, W]: white ones (levels of 128 or more).

    In a mask with transparent pixels those are free (opacity below 128), and colours do not count.

    Raises:
        UserError: as for `read_picture`; or all pixels are free, or none.
    """
    return decode_mask(content_of(path), str(path))


def decode_mask(content: bytes, where: str) -> Tensor:
    """Decode the content of a mask as `read_mask` does; ``where`` names the file in messages."""
    alpha = _decode_opacity(content, where)
    free = decode_picture(content, where, grey=True) > 127 if alpha is None else alpha < 128
    if free.all() or not free.any():
        kinds = ("white", "black") if alpha is None else ("transparent", "opaque")
        everywhere = kinds[0] if free.all() else kinds[1]
        raise UserError(
            f"{where}: is {everywhere} everywhere; make free pixels {kinds[0]}, and leave the others {kinds[1]}"
        )
    return free


def _refuse_other_levels(header: ImageHeader, where: str) -> None:
    """Refuse a picture with raw levels that would become black everywhere, or would be cut.

    Raises:
        UserError: floating-point levels up to 1 or beyond 0..255, or integers up to 257 or beyond 0..65535.
    """
    if header.raw is None:
        return
    (low, high), white = header.raw, LARGEST_FLOAT if header.kind == "f" else LARGEST_INTEGER
    if low < 0 or high > white or 0 < high <= white / 255:
        raise UserError(f"{where}: its levels go from {low:g} to {high:g}; save it with 8 bits, from 0 to 255")


def picture_files(folder: Path) -> list[Path]:
    """Return the pictures directly in a folder; hidden files do not count."""
    entries = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return [entry for entry in entries if is_picture_file(entry)]


def is_picture_file(path: Path) -> bool:
    """Whether a file is a picture, told by its header or, so that a damaged one is named, by its ending.

    A link to a file that is gone counts by its ending, too.
    """
    if path.is_symlink() and not path.exists():
        return path.suffix.lower() in PICTURE_ENDINGS
    return path.is_file() and (path.suffix.lower() in PICTURE_ENDINGS or is_picture(path))


def content_of(path: Path) -> bytes:
    """Return the content of a picture file.

    Raises:
        UserError: it cannot be read.
    """
    refuse_pipe(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give a picture") from None
