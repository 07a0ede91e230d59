"""Decode one picture in any raster format that Pillow reads to uint8 levels 0..255, or raise `Unreadable`.

Transparent pixels are composited over black, because most small images have a black background. Only the first frame
of an animation is read, and the EXIF orientation is applied. A picture with more than 8 bits has raw levels. Their
black and white points cannot be chosen from one picture; the caller chooses them for the whole data set and passes
them as ``levels``.
"""

import ctypes
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from io import BytesIO
from pathlib import PurePosixPath
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError, _imaging

from ganforge.data.axis_order import LARGEST, SMALLEST
from ganforge.data.sources.unsupported_formats import START, kind_of
from ganforge.data.sources.unsupported_kinds import CAMERA
from ganforge.errors import UserError, reason

Pixels = npt.NDArray[np.uint8]
Levels = tuple[float, float]
"""The raw levels that are mapped to 0 and 255."""

FORMATS = (
    *("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "AVIF", "JPEG2000", "PPM", "ICO", "ICNS", "PSD", "QOI", "DDS"),
    *("SUN", "XBM", "XPM", "MSP", "BLP", "FTEX", "PIXAR", "DCX", "XVTHUMB"),
)
"""Pillow's names of the formats that are recognised by their first bytes.

Excluded formats of Pillow: EPS, WMF and EMF, which are programs or start one; the stubs BUFR, GRIB, HDF5 and MPEG; FPX
and MIC, which need another library; IPTC, which opens any embedded format; FITS, whose scaling Pillow does not apply.
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
"""Formats with weak or no signatures: a file is tried as one of these only if its name has the ending."""

MOST_PIXELS = 50_000_000
RAW = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
"""Pillow's modes for pictures with raw levels (more than 8 bits)."""
GREY = ("1", "L", "LA", "La", *RAW)
ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
"""Pillow's names of the formats whose further frames are an animation, not pages or layers."""
ORIENTATION, SIDEWAYS = 0x0112, (5, 6, 7, 8)
"""The EXIF orientation tag, and the values that swap width and height."""
SAMPLE_FORMAT, UNSIGNED, SIGNED = 339, 1, 2
"""The TIFF tag SampleFormat, and its values for unsigned and signed integers."""


class Unreadable(Exception):
    """The file is not a readable picture; the message is a short reason, and ``remedy`` says what to do."""

    def __init__(self, message: str, remedy: str = "repair it") -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True)
class ImageHeader:
    """The properties of a picture before it is decoded: width and height after orientation, and whether it is grey.

    ``raw`` is the lowest and highest raw level and ``kind`` the kind character of their NumPy dtype, for pictures with
    raw levels.
    """

    width: int
    height: int
    grey: bool
    raw: Levels | None = None
    kind: str = ""


@dataclass(frozen=True)
class ResizeMode:
    """How pictures are resized to a square of ``side`` px: centre crop or padding.

    Cropping scales the short side to ``side``. Padding scales the long side to ``side`` and fills the rest with the
    colour of the picture's top left corner, so that dark ink on white paper gets no black bars.
    """

    side: int
    pad: bool

    def __str__(self) -> str:
        """Return a description for the note on the data's source."""
        if self.pad:
            return f"long side scaled to {self.side} px, padded to a square with each picture's corner colour"
        return f"short side scaled to {self.side} px, cropped to a square in the middle"

    def apply(self, image: Image.Image) -> Image.Image:
        """Resize one picture of mode L or RGB to the square."""
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
    """Parse the value of ``--resize``: None, a size such as 32, or 32-pad.

    Raises:
        UserError: the value has another form, or the size is out of range.
    """
    if resize is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9})(-pad)?", str(resize))
    if not match:
        raise UserError(f"--resize {resize}: write a size, as in --resize 32 to crop, or --resize 32-pad to pad")
    side = int(match[1])
    if not SMALLEST <= side <= LARGEST:
        raise UserError(f"--resize {resize}: the size is out of range; give a size from {SMALLEST} to {LARGEST} px")
    return ResizeMode(side, bool(match[2]))


@contextmanager
def without_warnings() -> Iterator[None]:
    """Suppress Pillow's warnings of readable oddities and of large pictures; `Unreadable` names a refused picture."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_header(stream: IO[bytes], name: str = "") -> ImageHeader:
    """Read the header of a picture, or all of a picture with raw levels; ``name`` is the file name, for its ending.

    Raises:
        Unreadable: the format is unknown, or the header claims more than `MOST_PIXELS`.
    """

    with _damage_as_unreadable(), _open_image(stream, name) as image:
        return header_of_image(image)


def decode(
    content: bytes,
    name: str = "",
    *,
    grey: bool,
    resize_mode: ResizeMode | None = None,
    levels: Levels | None = None,
    raw_levels: Levels | None = None,
) -> Pixels:
    """Decode a picture to uint8 [C, H, W] with C = 1 or 3; the arguments are those of `levels_of_image`.

    Raises:
        Unreadable: the picture is truncated or damaged, or the file is not a picture.
    """

    with _damage_as_unreadable(), _open_image(BytesIO(content), name) as image:
        return levels_of_image(image, grey=grey, resize_mode=resize_mode, levels=levels, raw_levels=raw_levels)


def frame_count(content: bytes, name: str = "") -> int:
    """Return the number of frames of an animation, 1 for a still picture; pages and layers do not count.

    Raises:
        Unreadable: as for `decode`.
    """
    with _damage_as_unreadable(), _open_image(BytesIO(content), name) as image:
        return getattr(image, "n_frames", 1) if image.format in ANIMATED else 1


def decode_frames(content: bytes, name: str = "") -> Pixels:
    """Decode all frames of an animation, or all pages, as RGB, uint8 [frames, H, W, 3].

    Raises:
        Unreadable: as for `decode`; also if all frames together have more than `MOST_PIXELS`.
    """
    with _damage_as_unreadable(), _open_image(BytesIO(content), name) as image:
        frames = getattr(image, "n_frames", 1)
        if frames * image.width * image.height > MOST_PIXELS:
            raise Unreadable(f"its {frames:,} frames have more pixels together than the limit of {MOST_PIXELS:,}")
        return np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)])


def opacity(content: bytes, name: str = "") -> Pixels | None:
    """Return the opacity of each pixel, uint8 [H, W], 0 is transparent; None for a picture without transparency.

    Raises:
        Unreadable: as for `decode`.
    """
    with _damage_as_unreadable(), _open_image(BytesIO(content), name) as image:
        if image.mode in RAW or not image.has_transparency_data:
            return None
        whole = image.convert("LA") if image.mode == "La" else image
        alpha = _upright(whole.convert("RGBA").getchannel("A"), image)
        return np.array(alpha)


def header_of_image(image: Image.Image) -> ImageHeader:
    """Return the header of a Pillow image.

    Raises:
        Unreadable: some levels are NaN or infinite.
    """
    (width, height), grey = image.size, image.mode in GREY
    raw = _raw_levels(image)
    # Pillow gives a TIFF's size after orientation. For squares getexif is not called, because it decodes a whole PNG.
    if width != height and image.format != "TIFF" and image.getexif().get(ORIENTATION) in SIDEWAYS:
        width, height = height, width
    if raw is None:
        return ImageHeader(width, height, grey)
    return ImageHeader(width, height, grey, (float(raw.min()), float(raw.max())), raw.dtype.kind)


def levels_of_image(
    image: Image.Image,
    *,
    grey: bool,
    resize_mode: ResizeMode | None = None,
    levels: Levels | None = None,
    raw_levels: Levels | None = None,
) -> Pixels:
    """Convert a Pillow image of any mode to uint8 [C, H, W] with C = 1 or 3.

    ``levels`` = (low, high) are the levels that become 0 and 255; every level x becomes 255·(x − low)/(high − low),
    rounded and clipped. ``raw_levels`` takes precedence for pictures with raw levels. Without either, integer raw
    levels are divided by 257 and floating-point ones are kept.

    Raises:
        Unreadable: some levels are NaN or infinite.
    """
    raw = _raw_levels(image)
    if raw is None:
        output = _composite_over_black(image, levels)
    else:
        default = (0, 255) if raw.dtype.kind == "f" else (0, 65535)
        output = Image.fromarray(_map_levels(raw, raw_levels or levels or default))
    output = _to_mode(_upright(output, image), "L" if grey else "RGB")
    pixels = np.asarray(resize_mode.apply(output) if resize_mode else output)
    return pixels[None] if grey else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _upright(output: Image.Image, image: Image.Image) -> Image.Image:
    """Turn what was made of a picture by the EXIF orientation of the picture."""
    if (orientation := image.getexif().get(ORIENTATION, 1)) == 1:
        return output
    output.getexif()[ORIENTATION] = orientation
    return ImageOps.exif_transpose(output)


def _raw_levels(image: Image.Image) -> npt.NDArray[Any] | None:
    """Return the raw levels [H, W] of a picture that is not unsigned 8-bit, else None."""
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
    transparent = image.info.get("transparency")
    return np.where(raw == transparent, raw.dtype.type(0), raw) if isinstance(transparent, int) else raw


def _map_levels(raw: npt.NDArray[Any], levels: Levels) -> Pixels:
    low, high = levels
    scale = 255 / (high - low) if high != low else 0.0
    floats: npt.NDArray[np.floating[Any]] = raw.astype(np.float32 if raw.dtype.itemsize < 4 else np.float64)
    output: Pixels = np.rint((floats - low) * scale).clip(0, 255).astype(np.uint8)
    return output


def _composite_over_black(image: Image.Image, levels: Levels | None) -> Image.Image:
    """Map the levels of an 8-bit picture and composite it over black; return mode L or RGB, or RGBA if transparent."""
    if image.mode == "La":  # Pillow converts La to LA only
        image = image.convert("LA")
    transparent = image.has_transparency_data
    image = _to_mode(image, "RGBA" if transparent else "L" if image.mode in GREY else "RGB")
    if levels is not None:
        table = _map_levels(np.arange(256), levels).tolist()
        image = image.point(table * (3 if transparent else len(image.getbands())) + list(range(256)) * transparent)
    return Image.alpha_composite(Image.new("RGBA", image.size, "black"), image) if transparent else image


def _to_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


@lru_cache(256)
def _formats(ending: str) -> tuple[str, ...]:
    """Return the formats to try for a name with this ending, restricted to those that this Pillow supports."""
    if ending in CAMERA:
        return ()
    Image.init()
    _silence()
    by_ending = (form for form, endings in FORMATS_BY_ENDING.items() if ending in endings)
    return tuple(form for form in (*FORMATS, *by_ending) if form in Image.OPEN)


@cache
def _silence() -> None:
    """Suppress the output of Pillow and libtiff on damaged files; the error message of ganforge names the file."""
    # Without a handler Python prints Pillow's log to stderr, and libtiff prints its errors itself.
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    with suppress(OSError, AttributeError):  # libtiff is not always an exported symbol
        set_handler = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)


def _open_image(stream: IO[bytes], name: str) -> Image.Image:
    try:
        image = Image.open(stream, formats=_formats(PurePosixPath(name).suffix.lower()))
    except UnidentifiedImageError:
        stream.seek(0)
        if kind := kind_of(name, stream.read(START)):
            raise Unreadable(f"it is {kind.description}, which is not supported", kind.remedy(name)) from None
        raise Unreadable("it is not a picture in a supported format") from None
    if image.width * image.height > MOST_PIXELS:
        raise Unreadable(f"it claims {image.width:,}×{image.height:,} px, more than the limit of {MOST_PIXELS:,}")
    return image


@contextmanager
def _damage_as_unreadable() -> Iterator[None]:
    """Turn every exception that Pillow raises on a bad file into `Unreadable`."""
    try:
        yield
    except Unreadable:
        raise
    except Image.DecompressionBombError:
        raise Unreadable(f"it claims more pixels than the limit of {MOST_PIXELS:,}") from None
    except Exception as error:  # OSError, SyntaxError, ValueError, struct.error, zlib.error, IndexError, ...
        raise Unreadable(reason(error)) from error
