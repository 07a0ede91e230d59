import struct
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from encoded_pictures import EXACT, noise, packed, tiff
from ganforge.data.sources import decode_image
from ganforge.data.sources.decode_image import (
    ResizeMode,
    Unreadable,
    decode,
    header_of_image,
    levels_of_image,
    parse_resize,
    read_header,
)
from ganforge.errors import UserError


def read(content, resize_mode=None, name="", levels=None):
    header = read_header(BytesIO(content), name)
    pixels = decode(content, name, grey=header.grey, resize_mode=resize_mode, levels=levels)
    assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous
    assert pixels.shape == (
        1 if header.grey else 3,
        *((resize_mode.side, resize_mode.side) if resize_mode else (header.height, header.width)),
    )
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
def test_transparency_is_composited_over_black(mode):
    if mode in ("RGBA", "LA"):
        image, options = Image.new(mode, (8, 8), (200, 100)[: len(mode)] if mode == "LA" else (200, 200, 200, 0)), {}
        expected = 78 if mode == "LA" else 0
    else:
        image, expected = Image.new(mode, (8, 8), (200, 9, 9) if mode == "RGB" else 1), 0
        options = {"transparency": (200, 9, 9) if mode == "RGB" else 1}
    if mode == "P":
        image.putpalette([0, 0, 0, 255, 255, 255])
    assert np.unique(read(packed(image, **options))).tolist() == [expected]


def test_the_first_frame_of_an_animation_is_read():
    frames = [Image.new("L", (8, 8), level) for level in (50, 90, 130)]
    for kind, options in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})):
        content = packed(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert np.unique(read(content)).tolist() == [50]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_applied(kind, orientation):
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


def spider(image):
    return packed(image, "SPIDER")


@pytest.mark.parametrize(("name", "content", "expected"), EXACT, ids=[name for name, *_ in EXACT])
def test_every_raster_format_is_read(name, content, expected):
    pixels = read(content, name=name)
    assert np.array_equal(pixels.transpose(1, 2, 0).reshape(expected.shape), expected)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_avif_is_read(mode):
    content = packed(Image.new(mode, (16, 12), 77 if mode == "L" else (200, 30, 30)), "AVIF", quality=100)
    pixels = decode(content, grey=mode == "L")
    assert pixels.mean((1, 2)) == pytest.approx([77] if mode == "L" else [200, 30, 30], abs=3)


def test_all_formats_of_pillow_are_listed_except_deliberate_exclusions():
    Image.init()
    left_out = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG", "FPX", "MIC", "IPTC", "FITS"}
    read_too = set(decode_image.FORMATS) | set(decode_image.FORMATS_BY_ENDING)
    assert set(Image.OPEN) - read_too <= left_out and not read_too & left_out


def test_a_format_that_this_pillow_lacks_is_unsupported(monkeypatch):
    content = packed(Image.new("L", (16, 12)), "AVIF")
    monkeypatch.delitem(Image.OPEN, "AVIF")
    decode_image._formats.cache_clear()
    with pytest.raises(Unreadable, match="not a picture in a supported format"):
        read_header(BytesIO(content))
    assert read(packed(noise())).shape == (3, 12, 16)
    decode_image._formats.cache_clear()


@pytest.mark.parametrize("name", ["a.bin", "a.png", "a"])
def test_a_format_without_a_signature_is_tried_only_for_its_ending(name):
    with pytest.raises(Unreadable, match="not a picture in a supported format"):
        read_header(BytesIO(packed(noise(), "TGA")), name)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.eps", packed(noise(), "EPS")), ("a.nef", packed(noise(), "TIFF")), ("a", b"\0\0\0\x18ftypheic" + bytes(99))],
)
def test_formats_that_need_another_program_are_named_and_never_opened(name, content, monkeypatch):
    import subprocess

    monkeypatch.setattr(subprocess, "check_call", pytest.fail)
    with pytest.raises(Unreadable, match="which is not supported") as caught:
        read_header(BytesIO(content), name)
    assert "convert it" in caught.value.remedy


# All of Pillow's modes


def test_a_picture_of_any_mode_becomes_levels():
    colour = Image.new("RGB", (9, 8), (200, 100, 50))
    for mode in ("RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "RGBa", "P", "PA"):
        image = colour.convert("RGBA").convert(mode) if mode == "RGBa" else colour.convert(mode)
        if mode == "P":
            image = colour.quantize(8)
        if mode == "PA":
            image = colour.quantize(8).convert("PA")
        assert not header_of_image(image).grey
        pixels = levels_of_image(image, grey=False)
        assert pixels.shape == (3, 8, 9) and pixels.mean((1, 2)) == pytest.approx([200, 100, 50], abs=4), mode
        assert levels_of_image(image, grey=True).mean() == pytest.approx(124, abs=4), mode


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La", "I", "I;16", "I;16B", "F"])
def test_a_grey_picture_of_any_mode_becomes_grey_levels(mode):
    level = 65535 if mode.startswith("I") else 255
    image = Image.new("LA", (9, 8), (level, 255)).convert(mode) if mode == "La" else Image.new(mode, (9, 8), level)
    if mode == "LA":
        image = Image.new("LA", (9, 8), (255, 255))
    header = header_of_image(image)
    assert header.grey and header.raw == ((level, level) if mode[0] in "IF" else None)
    assert np.unique(levels_of_image(image, grey=True)).tolist() == [255]
    assert levels_of_image(image, grey=False).shape == (3, 8, 9)


def test_transparent_levels_of_16_bits_and_of_one_are_black():
    deep = np.full((8, 8), 40_000, np.uint16)
    deep[0] = 50_000
    pixels = read(packed(Image.fromarray(deep), transparency=40_000))
    assert np.unique(pixels[0, 1:]).tolist() == [0] and np.unique(pixels[0, 0]).tolist() == [195]


@pytest.mark.parametrize(
    ("levels", "kind"),
    [
        (np.array([[100, 4095], [0, 200]], np.uint16), 1),
        (np.array([[-100, 4095], [0, 200]], np.int16), 2),
        (np.array([[-100, 70_000], [0, 200]], np.int32), 2),
        (np.array([[7, 4_000_000_000], [0, 200]], np.uint32), 1),
        (np.array([[-100, 127], [0, -128]], np.int8), 2),
        (np.array([[-0.5, 1.5], [0, 0.25]], np.float32), 3),
    ],
)
def test_raw_levels_report_their_range_and_are_mapped_by_given_levels(levels, kind):
    content = tiff(levels, kind)
    low, high = float(levels.min()), float(levels.max())
    assert read_header(BytesIO(content)).raw == (low, high)
    mapped = decode(content, grey=True, levels=(low, high))
    assert np.array_equal(mapped[0], np.rint((levels.astype(float) - low) * 255 / (high - low)))
    clipped = decode(content, grey=True, levels=(0, high / 2))
    assert clipped.min() == 0 and clipped.max() == 255


def test_floats_without_levels_are_clipped_to_0_to_255():
    content = tiff(np.array([[-5, 0.4], [254.6, 300]], np.float32), 3)
    assert decode(content, grey=True).tolist() == [[[0, 0], [255, 255]]]


def test_a_4_bit_picture_uses_the_full_range():
    ramp = np.array([[0x0F], [0xF0]], np.uint8)
    header = bytearray(tiff(ramp, 1, bits=4))
    header[10 + 8 : 10 + 12] = struct.pack("<I", 2)  # two pixels a row
    assert decode(bytes(header), grey=True).tolist() == [[[0, 255], [255, 0]]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinite_levels_are_refused(bad):
    content = tiff(np.array([[1, bad]], np.float32), 3)
    for attempt in (lambda: read_header(BytesIO(content)), lambda: decode(content, grey=True)):
        with pytest.raises(Unreadable, match="NaN or infinite"):
            attempt()


def test_levels_apply_to_8_bit_pictures_too():
    masks = Image.fromarray(np.eye(8, dtype=np.uint8))
    assert np.array_equal(read(packed(masks), levels=(0, 1))[0], np.eye(8) * 255)
    assert np.array_equal(read(packed(masks), levels=(1, 0))[0], 255 - np.eye(8) * 255)
    colour = np.stack([np.eye(8, dtype=np.uint8), np.zeros((8, 8), np.uint8), np.full((8, 8), 2, np.uint8)], 2)
    assert np.array_equal(read(packed(Image.fromarray(colour)), levels=(0, 2))[:, 0, 0], [128, 0, 255])
    clear = Image.new("LA", (8, 8), (1, 128))  # half-transparent white over black, for any white level
    assert np.unique(read(packed(clear), levels=(0, 1))).tolist() == [128]


def test_equal_black_and_white_levels_give_black():
    assert np.unique(read(packed(Image.new("L", (8, 8), 5)), levels=(5, 5))).tolist() == [0]


# Sizes


def test_cropping_keeps_the_centre_and_padding_the_whole():
    image = np.full((20, 60), 100, np.uint8)
    image[:, 20:40] = 200  # the middle square
    content = packed(Image.fromarray(image))
    assert read(content, ResizeMode(10, pad=False))[0, :, 1:-1].astype(int) == pytest.approx(
        200, abs=3
    )  # Lanczos rings at edges
    padded = read(content, ResizeMode(30, pad=True))[0]
    assert np.unique(padded[:10]).tolist() == np.unique(padded[20:]).tolist() == [100]
    assert padded[15, 15] == 200


def test_padding_uses_the_colour_of_the_top_left_corner():
    paper = packed(Image.new("RGB", (40, 20), (250, 240, 230)))
    assert read(paper, ResizeMode(16, pad=True)).reshape(3, -1).T.tolist() == [[250, 240, 230]] * 256


def test_a_square_is_scaled_alike_by_cropping_and_padding():
    content = packed(noise(size=(48, 48)))
    assert np.array_equal(read(content, ResizeMode(16, pad=False)), read(content, ResizeMode(16, pad=True)))


@settings(max_examples=30, deadline=None)
@given(width=st.integers(1, 300), height=st.integers(1, 300), side=st.integers(8, 64), pad=st.booleans())
def test_every_shape_fits(width, height, side, pad):
    read(packed(Image.new("L", (width, height), 9)), ResizeMode(side, pad))


@pytest.mark.parametrize(
    ("value", "resize_mode"),
    [(None, None), (32, ResizeMode(32, False)), ("8", ResizeMode(8, False)), ("64-pad", ResizeMode(64, True))],
)
def test_resize_values_are_parsed(value, resize_mode):
    assert parse_resize(value) == resize_mode


@pytest.mark.parametrize("value", ["7", 65, "0", "-8", "32x32", "32-PAD", "pad", "", "3.5", "99999999999", "٣٢"])
def test_wrong_resize_values_are_refused(value):
    with pytest.raises(UserError, match="--resize"):
        parse_resize(value)
