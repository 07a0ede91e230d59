"""One picture from a file."""

from pathlib import Path

import torch
from torch import Tensor

from ganforge.data.normalize_arrays import is_grey
from ganforge.data.sources.decode_image import Unreadable, decode
from ganforge.errors import UserError


def read_picture(path: Path, *, grey: bool = False) -> Tensor:
    """Read one picture file as uint8 [1, C, H, W]; one that shows only grey levels has one channel, any with ``grey``.

    Raises:
        UserError: the file does not exist or is no readable picture.
    """
    try:
        pixels = decode(path.read_bytes(), path.name, grey=grey)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give a picture") from None
    except Unreadable as reason:
        raise UserError(f"{path}: is no readable picture ({reason}); give a PNG, JPEG or GIF, for example") from None
    return torch.from_numpy(pixels[:1].copy() if is_grey(pixels[None]) else pixels)[None]
