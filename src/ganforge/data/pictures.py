"""One picture: the bytes of a PNG, JPEG, BMP, WebP or GIF become levels 0..255, or a reason why they cannot.

Transparency is laid over black, because black is what most small images have around them. The first frame of a film
counts, the orientation that a camera noted is obeyed, and 16-bit grey is divided by 257.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import IO, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from ganforge.data.settle import LARGEST, SMALLEST
from ganforge.errors import UserError

Pixels = npt.NDArray[np.uint8]
T = TypeVar("T")

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF")
MOST_PIXELS = 50_000_000
SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")
GREY = ("1", "L", "LA", "La", *SIXTEEN_BITS)
ORIENTATION, LYING = 0x0112, (5, 6, 7, 8)
"""The EXIF tag, and its values for pictures that were taken with the camera on its side."""


class Unreadable(Exception):
    """A file is no picture that can be read; the message says why, in a few words."""


@dataclass(frozen=True)
class Look:
    """What a picture's header says: the size it will be shown at, and whether it is grey."""

    width: int
    height: int
    grey: bool


@dataclass(frozen=True)
class Fit:
    """How pictures are brought to one square size, ``side`` px: cropped in the middle, or padded.

    Cropping scales the short side to the size. Padding scales the long side to it and fills the rest with the colour
    of the picture's own top left corner, so that dark ink on white paper gets no black bars.
    """

    side: int
    pad: bool

    def __str__(self) -> str:
        """Say what is done, for the sentence on where the data came from."""
        if self.pad:
            return f"long side scaled to {self.side} px, padded to a square with each picture's corner colour"
        return f"short side scaled to {self.side} px, cropped to a square in the middle"

    def apply(self, image: Image.Image) -> Image.Image:
        """Scale and crop or pad one picture of mode L or RGB."""
        square = (self.side, self.side)
        if not self.pad:
            return ImageOps.fit(image, square, Image.Resampling.LANCZOS)
        longest = max(image.size)
        width, height = (max(1, round(length * self.side / longest)) for length in image.size)
        canvas = Image.new(image.mode, square, image.getpixel((0, 0)))
        canvas.paste(
            image.resize((width, height), Image.Resampling.LANCZOS),
            ((self.side - width) // 2, (self.side - height) // 2),
        )
        return canvas


def parse_fit(resize: object) -> Fit | None:
    """Understand what was given as ``--resize``: nothing, a size such as 32, or 32-pad.

    Raises:
        UserError: it is none of these, or the size is not one that works.
    """
    if resize is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9})(-pad)?", str(resize))
    if not match:
        raise UserError(f"--resize {resize}: write a size, as in --resize 32 to crop, or --resize 32-pad to pad")
    side = int(match[1])
    if not SMALLEST <= side <= LARGEST:
        raise UserError(f"--resize {resize}: {SMALLEST} to {LARGEST} px a side work")
    return Fit(side, bool(match[2]))


def look(stream: IO[bytes]) -> Look:
    """Read a picture's header.

    Raises:
        Unreadable: it is no picture of a known format, or claims more pixels than are worth unpacking.
    """
    return _refusing(lambda: _look(stream))


def _look(stream: IO[bytes]) -> Look:
    with Image.open(stream, formats=FORMATS) as image:
        width, height = _checked(image).size
        # Where it does not matter it is not asked for: a PNG would be unpacked to find it.
        lying = width != height and image.getexif().get(ORIENTATION) in LYING
        return Look(height, width, image.mode in GREY) if lying else Look(width, height, image.mode in GREY)


def decode(content: bytes, *, grey: bool, fit: Fit | None) -> Pixels:
    """Decode a whole picture to uint8 [C, H, W], one channel or three.

    Raises:
        Unreadable: it is cut short, damaged, or no picture.
    """
    return _refusing(lambda: _decode(content, grey, fit))


def _decode(content: bytes, grey: bool, fit: Fit | None) -> Pixels:
    with Image.open(BytesIO(content), formats=FORMATS) as opened:
        return levels_of_image(_checked(opened), grey=grey, fit=fit)


def levels_of_image(image: Image.Image, *, grey: bool, fit: Fit | None = None) -> Pixels:
    """Turn a picture of any mode that Pillow has opened or made into uint8 [C, H, W], one channel or three."""
    image = ImageOps.exif_transpose(image)
    if image.mode in SIXTEEN_BITS:
        levels = np.rint(np.asarray(image).astype(np.float32) / 257)
        image = Image.fromarray(levels.clip(0, 255).astype(np.uint8))
    elif image.has_transparency_data:
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, "black"), clear)
    image = image.convert("L" if grey else "RGB")
    pixels = np.asarray(fit.apply(image) if fit else image)
    return pixels[None] if grey else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _checked(image: Image.Image) -> Image.Image:
    if image.width * image.height > MOST_PIXELS:
        raise Unreadable(f"it claims {image.width:,}×{image.height:,} px")
    return image


def _refusing(read: Callable[[], T]) -> T:
    """Turn whatever Pillow raises at a bad file, which is nearly anything, into one reason."""
    try:
        return read()
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable(f"it is no {', '.join(FORMATS[:-1])} or {FORMATS[-1]}") from None
    except Image.DecompressionBombError:
        raise Unreadable("it claims more pixels than a picture has") from None
    except Exception as error:  # OSError, SyntaxError, ValueError, struct.error, zlib.error, IndexError, ...
        raise Unreadable(" ".join(str(error).split()) or type(error).__name__) from error
