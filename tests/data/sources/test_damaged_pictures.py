"""Pictures that are damaged, or claim to be pictures."""

import contextlib
import struct
import sys
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from encoded_pictures import EXACT, GREY_NOISE, noise, packed, tiff
from ganforge.data.sources.decode_image import (
    Unreadable,
    decode,
    read_header,
)


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
        (b"", "not a picture in a supported format"),
        (b"hello, I am no picture at all", "not a picture in a supported format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "it is an SVG drawing"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "it is a PostScript drawing"),
        (b"%PDF-1.4\n", "it is a PDF document"),
        (b"P1 is my name", ""),
        (b"P5 0 0 255\n", ""),
        (png_claiming(8000, 8000), "8,000×8,000 px"),
        (png_claiming(100_000, 100_000), "more pixels"),
        (png_claiming(2**31 - 1, 2**31 - 1), "more pixels"),
        (b"\x89PNG\r\n\x1a\n", ""),
    ],
)
@pytest.mark.filterwarnings("ignore:Image size")
def test_other_files_are_refused_by_their_header(content, word):
    with pytest.raises(Unreadable) as caught:
        read_header(BytesIO(content))
    assert word in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "GIF"])
def test_a_picture_cut_short_is_refused(kind):
    content = packed(noise(size=(40, 40)), kind)
    with pytest.raises(Unreadable):
        decode(content[: len(content) // 2], grey=False, resize_mode=None)


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
        header = read_header(BytesIO(content))
        assert decode(content, grey=header.grey, resize_mode=None).shape[0] == (1 if header.grey else 3)


MORE = [
    *(
        (f"a.{kind.lower()}", packed(noise(size=(24, 16)), kind))
        for kind in ("PNG", "JPEG", "BMP", "WEBP", "GIF", "AVIF")
    ),
    *((f"a-{packing}.tif", packed(noise(), "TIFF", compression=packing)) for packing in ("jpeg", "tiff_deflate")),
    ("16-bit.png", packed(Image.fromarray(GREY_NOISE.astype(np.uint16) * 257))),
    ("float.tif", tiff(GREY_NOISE.astype(np.float32), 3)),
    ("a.blp", packed(noise().quantize(8), "BLP")),
]


def mutations(content, chance):
    """Yield damaged copies: cut short, with changed bytes anywhere, and with changed bytes in the header."""
    yield content[: int(chance.integers(len(content)))]
    for span, values in ((len(content), range(256)), (min(len(content), 80), (0, 1, 127, 128, 255))):
        for _ in range(6):
            changed = bytearray(content)
            for _ in range(int(chance.integers(1, 4))):
                changed[int(chance.integers(span))] = int(chance.choice(values))
            yield bytes(changed)


@pytest.mark.parametrize(
    ("name", "content"), [row[:2] for row in EXACT + MORE], ids=lambda value: value if isinstance(value, str) else ""
)
@pytest.mark.filterwarnings("ignore")
def test_damage_to_any_format_gives_one_line_and_no_output(name, content, capfd):
    refusals, chance = [], np.random.default_rng(len(content))
    for damaged in mutations(content, chance):
        try:
            header = read_header(BytesIO(damaged), name)
            assert decode(damaged, name, grey=header.grey).shape[0] == (1 if header.grey else 3)
        except Unreadable as why:
            refusals.append(str(why))
    assert all(line and line.isprintable() and len(line) < 300 for line in refusals)
    if sys.platform != "win32" and name != "a.avif":  # older AVIF decoders print and cannot be silenced
        assert capfd.readouterr() == ("", "")
