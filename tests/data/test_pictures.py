import contextlib
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ganforge.data.pictures import Fit, Unreadable, decode, look, parse_fit
from ganforge.errors import UserError


def packed(image, kind="PNG", **options):
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def noise(mode="RGB", size=(16, 12), seed=0):
    channels = len(Image.new(mode, (1, 1)).getbands())
    shape = (*size[::-1], channels) if channels > 1 else size[::-1]
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8), mode)


def read(content, fit=None):
    seen = look(BytesIO(content))
    pixels = decode(content, grey=seen.grey, fit=fit)
    assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous
    assert pixels.shape == (1 if seen.grey else 3, *((fit.side, fit.side) if fit else (seen.height, seen.width)))
    return pixels


# Formats and modes


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_lossless_formats_keep_every_level(kind, mode):
    image = noise(mode)
    pixels = read(packed(image, kind, **({"lossless": True} if kind == "WEBP" else {})))
    expected = np.asarray(image)
    if len(pixels) == 3:
        assert np.array_equal(pixels.transpose(1, 2, 0), expected if mode == "RGB" else np.stack([expected] * 3, 2))
    else:
        assert np.array_equal(pixels[0], expected)


def test_jpeg_is_read_in_both_modes():
    assert read(packed(Image.new("RGB", (9, 8), (200, 30, 30)), "JPEG")).mean((1, 2)) == pytest.approx(
        [200, 30, 30], abs=3
    )
    assert read(packed(Image.new("L", (9, 8), 77), "JPEG")).astype(int) == pytest.approx(77, abs=1)


def test_cmyk_becomes_rgb():
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert read(packed(red, "JPEG")).mean((1, 2)) == pytest.approx([255, 0, 0], abs=4)


def test_sixteen_bit_grey_is_divided_by_257():
    levels = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    assert np.array_equal(read(packed(Image.fromarray(levels)))[0], np.arange(256).reshape(16, 16))


def test_one_bit_becomes_black_and_white():
    image = Image.fromarray(np.eye(8, dtype=bool))
    assert np.array_equal(read(packed(image))[0], np.eye(8) * 255)


def test_a_palette_is_resolved_to_its_colours():
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 10, 200, 30])
    assert read(packed(image)).mean((1, 2)).tolist() == [10, 200, 30]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L"])
def test_transparency_is_laid_over_black(mode):
    if mode in ("RGBA", "LA"):
        image, options = Image.new(mode, (8, 8), (200, 100)[: len(mode)] if mode == "LA" else (200, 200, 200, 0)), {}
        expected = 78 if mode == "LA" else 0
    else:
        image, expected = Image.new(mode, (8, 8), (200, 9, 9) if mode == "RGB" else 1), 0
        options = {"transparency": (200, 9, 9) if mode == "RGB" else 1}
    if mode == "P":
        image.putpalette([0, 0, 0, 255, 255, 255])
    assert np.unique(read(packed(image, **options))).tolist() == [expected]


def test_the_first_frame_of_a_film_counts():
    frames = [Image.new("L", (8, 8), level) for level in (50, 90, 130)]
    for kind, options in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})):
        content = packed(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert np.unique(read(content)).tolist() == [50]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_the_camera_is_obeyed(kind, orientation):
    upright = np.zeros((16, 24), np.uint8)
    upright[:8, :8] = 255  # bright in the top left corner
    undo = {
        2: "FLIP_LEFT_RIGHT",
        3: "ROTATE_180",
        4: "FLIP_TOP_BOTTOM",
        5: "TRANSPOSE",
        6: "ROTATE_90",
        7: "TRANSVERSE",
        8: "ROTATE_270",
    }
    image = Image.fromarray(upright)
    stored = image.transpose(Image.Transpose[undo[orientation]]) if orientation > 1 else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = read(packed(stored, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {})))
    assert np.abs(pixels[0].astype(int) - upright).max() < 40


# What is refused


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_claiming(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is no PNG"),
        (b"hello, I am no picture at all", "is no PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no PNG"),
        (packed(noise(), "TIFF"), "is no PNG"),
        (packed(noise(), "PPM"), "is no PNG"),
        (png_claiming(8000, 8000), "8,000×8,000 px"),
        (png_claiming(100_000, 100_000), "more pixels"),
        (png_claiming(2**31 - 1, 2**31 - 1), "more pixels"),
        (b"\x89PNG\r\n\x1a\n", ""),
    ],
)
@pytest.mark.filterwarnings("ignore:Image size")
def test_what_is_no_picture_is_refused_by_its_header(content, word):
    with pytest.raises(Unreadable) as caught:
        look(BytesIO(content))
    assert word in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "GIF"])
def test_a_picture_cut_short_is_refused(kind):
    content = packed(noise(size=(40, 40)), kind)
    with pytest.raises(Unreadable):
        decode(content[: len(content) // 2], grey=False, fit=None)


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(["PNG", "JPEG", "BMP", "WEBP", "GIF"]),
    position=st.floats(0, 1, exclude_max=True),
    bits=st.integers(1, 255),
    cut=st.booleans(),
)
@pytest.mark.filterwarnings("ignore")
def test_damage_anywhere_is_refused_or_harmless(kind, position, bits, cut):
    content = bytearray(packed(noise(size=(24, 16)), kind))
    at = int(position * len(content))
    content[at] ^= bits
    content = bytes(content[:at] if cut else content)
    with contextlib.suppress(Unreadable):
        seen = look(BytesIO(content))
        assert decode(content, grey=seen.grey, fit=None).shape[0] == (1 if seen.grey else 3)


# Sizes


def test_cropping_keeps_the_middle_and_padding_the_whole():
    image = np.full((20, 60), 100, np.uint8)
    image[:, 20:40] = 200  # the middle square
    content = packed(Image.fromarray(image))
    assert read(content, Fit(10, pad=False))[0, :, 1:-1].astype(int) == pytest.approx(
        200, abs=3
    )  # scaling rings a little at edges
    padded = read(content, Fit(30, pad=True))[0]
    assert np.unique(padded[:10]).tolist() == np.unique(padded[20:]).tolist() == [100]
    assert padded[15, 15] == 200


def test_padding_takes_the_colour_of_the_picture_s_own_corner():
    paper = packed(Image.new("RGB", (40, 20), (250, 240, 230)))
    assert read(paper, Fit(16, pad=True)).reshape(3, -1).T.tolist() == [[250, 240, 230]] * 256


def test_a_square_is_scaled_alike_both_ways():
    content = packed(noise(size=(48, 48)))
    assert np.array_equal(read(content, Fit(16, pad=False)), read(content, Fit(16, pad=True)))


@settings(max_examples=30, deadline=None)
@given(width=st.integers(1, 300), height=st.integers(1, 300), side=st.integers(8, 64), pad=st.booleans())
def test_every_shape_fits(width, height, side, pad):
    read(packed(Image.new("L", (width, height), 9)), Fit(side, pad))


@pytest.mark.parametrize(
    ("given", "fit"), [(None, None), (32, Fit(32, False)), ("8", Fit(8, False)), ("64-pad", Fit(64, True))]
)
def test_sizes_are_understood(given, fit):
    assert parse_fit(given) == fit


@pytest.mark.parametrize("given", ["7", 65, "0", "-8", "32x32", "32-PAD", "pad", "", "3.5", "99999999999", "٣٢"])
def test_sizes_that_are_none_are_refused(given):
    with pytest.raises(UserError, match="--resize"):
        parse_fit(given)
