"""One picture: the bytes of any raster format that Pillow decodes become levels 0..255, or a reason why they cannot.

Transparency is laid over black, because black is what most small images have around them. The first frame of a film
counts, and the orientation that a camera noted is obeyed. Pictures of more than 8 bits have raw levels, whose range
says nothing about one picture alone: what is black and white is settled over the whole set and given back as
``levels``.
"""

import ctypes
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from io import BytesIO
from pathlib import PurePosixPath
from typing import IO, Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError, _imaging

from ganforge.data.normalize_arrays import LARGEST, SMALLEST
from ganforge.data.unsupported_formats import CAMERA, START, kind_of
from ganforge.errors import UserError, reason

Pixels = npt.NDArray[np.uint8]
Levels = tuple[float, float]
"""The raw levels that become 0 and 255."""
T = TypeVar("T")

FORMATS = (
    *("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "AVIF", "JPEG2000", "PPM", "ICO", "ICNS", "PSD", "QOI", "DDS"),
    *("SUN", "XBM", "XPM", "MSP", "BLP", "FTEX", "PIXAR", "DCX", "XVTHUMB"),
)
"""Pillow's names of the formats that are told by their first bytes.

Not among Pillow's others: EPS, WMF and EMF, which start or are programs; the stubs BUFR, GRIB, HDF5 and MPEG; FPX and
MIC, which need a library; IPTC, which opens whatever lies inside it; FITS, whose scaling Pillow does not apply.
"""
FORMATS_BY_ENDING = {
    "TGA": (".tga", ".icb", ".vda", ".vst"),
    "PCX": (".pcx",),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "FLI": (".fli", ".flc"),
    "CUR": (".cur",),
    "DIB": (".dib",),
    "GBR": (".gbr",),
    "PCD": (".pcd",),
    "IM": (".im",),
    "IMT": (".imt",),
    "MCIDAS": (".area", ".mcidas"),
    "SPIDER": (".spi", ".spider"),
}
"""Formats whose first bytes prove little: a file is tried for them only where its name ends so."""

MOST_PIXELS = 50_000_000
RAW = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
"""Pillow's modes of pictures with raw levels."""
GREY = ("1", "L", "LA", "La", *RAW)
ORIENTATION, LYING = 0x0112, (5, 6, 7, 8)
"""The EXIF tag, and its values for pictures that were taken with the camera on its side."""
SAMPLE_FORMAT, UNSIGNED, SIGNED = 339, 1, 2
"""The TIFF tag of the kind of its numbers, and two of its values."""


class Unreadable(Exception):
    """A file is no picture that can be read; the message says why, in a few words, and ``remedy`` what to do."""

    def __init__(self, why: str, remedy: str = "repair it") -> None:
        super().__init__(why)
        self.remedy = remedy


@dataclass(frozen=True)
class ImageHeader:
    """What a picture is before it is decoded: the size it will be shown at, and whether it is grey.

    ``raw``: its lowest and highest raw level, where it has raw levels, and ``kind`` that of their NumPy type.
    """

    width: int
    height: int
    grey: bool
    raw: Levels | None = None
    kind: str = ""


@dataclass(frozen=True)
class ResizeMode:
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


def parse_resize(resize: object) -> ResizeMode | None:
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
    return ResizeMode(side, bool(match[2]))


def read_header(stream: IO[bytes], name: str = "") -> ImageHeader:
    """Read a picture's header, and where it has raw levels the whole of it. ``name``: the file's, for its ending.

    Raises:
        Unreadable: it is no picture of a known format, or claims more pixels than are worth unpacking.
    """

    def read() -> ImageHeader:
        with _opened(stream, name) as image:
            return header_of_image(image)

    return _refusing(read)


def decode(
    content: bytes,
    name: str = "",
    *,
    grey: bool,
    fit: ResizeMode | None = None,
    levels: Levels | None = None,
    raw_levels: Levels | None = None,
) -> Pixels:
    """Decode a whole picture to uint8 [C, H, W], one channel or three; ``levels`` as `levels_of_image` has them.

    Raises:
        Unreadable: it is cut short, damaged, or no picture.
    """

    def read() -> Pixels:
        with _opened(BytesIO(content), name) as image:
            return levels_of_image(image, grey=grey, fit=fit, levels=levels, raw_levels=raw_levels)

    return _refusing(read)


def header_of_image(image: Image.Image) -> ImageHeader:
    """Return the header of a picture that Pillow has opened or made.

    Raises:
        Unreadable: some of its levels are not numbers.
    """
    (width, height), grey = image.size, image.mode in GREY
    raw = _raw_levels(image)
    # A TIFF's size is given as it will be shown. Where it does not matter it is not asked for: a PNG would be unpacked.
    if width != height and image.format != "TIFF" and image.getexif().get(ORIENTATION) in LYING:
        width, height = height, width
    if raw is None:
        return ImageHeader(width, height, grey)
    return ImageHeader(width, height, grey, (float(raw.min()), float(raw.max())), raw.dtype.kind)


def levels_of_image(
    image: Image.Image,
    *,
    grey: bool,
    fit: ResizeMode | None = None,
    levels: Levels | None = None,
    raw_levels: Levels | None = None,
) -> Pixels:
    """Turn a picture of any mode that Pillow has opened or made into uint8 [C, H, W], one channel or three.

    ``levels``: what becomes 0 and 255; all else is mapped along the straight line through both, rounded and clipped.
    ``raw_levels`` are those of pictures with raw levels. Without either, raw levels are divided by 257 where they are
    whole numbers and kept where they are not.

    Raises:
        Unreadable: some of its levels are not numbers.
    """
    raw = _raw_levels(image)
    if raw is None:
        shown = _over_black(image, levels)
    else:
        usual = (0, 255) if raw.dtype.kind == "f" else (0, 65535)
        shown = Image.fromarray(_mapped(raw, raw_levels or levels or usual))
    if (orientation := image.getexif().get(ORIENTATION, 1)) != 1:
        shown.getexif()[ORIENTATION] = orientation
        shown = ImageOps.exif_transpose(shown)
    shown = _in_mode(shown, "L" if grey else "RGB")
    pixels = np.asarray(fit.apply(shown) if fit else shown)
    return pixels[None] if grey else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _raw_levels(image: Image.Image) -> npt.NDArray[Any] | None:
    """Return the levels [H, W] of a picture whose levels are not those of 8 bits, or None."""
    (kind, *_) = getattr(image, "tag_v2", {}).get(SAMPLE_FORMAT) or (0,)
    if image.mode in RAW:
        raw = np.asarray(image)
        raw = raw.view(np.uint32) if kind == UNSIGNED and image.mode == "I" else raw
    elif kind == SIGNED and image.mode == "L":
        raw = np.asarray(image).view(np.int8)
    else:
        return None
    if not np.isfinite(raw).all():
        raise Unreadable("some of its levels are NaN or infinite")
    clear = image.info.get("transparency")
    return np.where(raw == clear, raw.dtype.type(0), raw) if isinstance(clear, int) else raw


def _mapped(raw: npt.NDArray[Any], levels: Levels) -> Pixels:
    low, high = levels
    scale = 255 / (high - low) if high != low else 0.0
    exact: npt.NDArray[np.floating[Any]] = raw.astype(np.float32 if raw.dtype.itemsize < 4 else np.float64)
    shown: Pixels = np.rint((exact - low) * scale).clip(0, 255).astype(np.uint8)
    return shown


def _over_black(image: Image.Image, levels: Levels | None) -> Image.Image:
    """Bring a picture of 8 bits to mode L or RGB, its levels mapped, then transparency laid over black."""
    if image.mode == "La":  # Pillow knows no other way out of it
        image = image.convert("LA")
    clear = image.has_transparency_data
    image = _in_mode(image, "RGBA" if clear else "L" if image.mode in GREY else "RGB")
    if levels is not None:
        table = _mapped(np.arange(256), levels).tolist()
        image = image.point(table * (3 if clear else len(image.getbands())) + list(range(256)) * clear)
    return Image.alpha_composite(Image.new("RGBA", image.size, "black"), image) if clear else image


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


@lru_cache(256)
def _formats(ending: str) -> tuple[str, ...]:
    """List the formats to try for a name with this ending, as far as this Pillow has them."""
    if ending in CAMERA:
        return ()
    Image.init()
    _silence()
    by_ending = (form for form, endings in FORMATS_BY_ENDING.items() if ending in endings)
    return tuple(form for form in (*FORMATS, *by_ending) if form in Image.OPEN)


@cache
def _silence() -> None:
    """Let nothing be printed of a damaged file beside the one line that names it."""
    # Python prints what Pillow logs where nobody has asked for it, and libtiff what it meets, unless told otherwise.
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    with suppress(OSError, AttributeError):  # where libtiff is hidden inside Pillow
        silence = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
        silence.argtypes, silence.restype = [ctypes.c_void_p], ctypes.c_void_p
        silence(None)


def _opened(stream: IO[bytes], name: str) -> Image.Image:
    try:
        image = Image.open(stream, formats=_formats(PurePosixPath(name).suffix.lower()))
    except UnidentifiedImageError:
        stream.seek(0)
        if kind := kind_of(name, stream.read(START)):
            raise Unreadable(f"it is {kind.what}, which is not read", kind.remedy(name)) from None
        raise Unreadable("it is no picture of a known format") from None
    if image.width * image.height > MOST_PIXELS:
        raise Unreadable(f"it claims {image.width:,}×{image.height:,} px")
    return image


def _refusing(read: Callable[[], T]) -> T:
    """Turn whatever Pillow raises at a bad file, which is nearly anything, into one reason."""
    try:
        return read()
    except Unreadable:
        raise
    except Image.DecompressionBombError:
        raise Unreadable("it claims more pixels than a picture has") from None
    except Exception as error:  # OSError, SyntaxError, ValueError, struct.error, zlib.error, IndexError, ...
        raise Unreadable(reason(error)) from error
