"""Encoded pictures of every format, for tests of their decoding."""

import struct
from io import BytesIO

import numpy as np
from PIL import Image


def packed(image, kind="PNG", **options):
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def noise(mode="RGB", size=(16, 12), seed=0):
    channels = len(Image.new(mode, (1, 1)).getbands())
    shape = (*size[::-1], channels) if channels > 1 else size[::-1]
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8), mode)


GREY_NOISE, COLOUR_NOISE = np.asarray(noise("L")), np.asarray(noise())
"""uint8 [12, 16] and [12, 16, 3]."""


def sun(pixels):
    """Return an 8-bit Sun raster, which Pillow cannot write."""
    height, width = pixels.shape
    return struct.pack(">8I", 0x59A66A95, width, height, 8, pixels.size, 1, 0, 0) + pixels.tobytes()


def psd(pixels):
    """Return a Photoshop picture of one layer, which Pillow cannot write."""
    height, width, channels = pixels.shape
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, channels, height, width, 8, 3)
    return header + struct.pack(">III", 0, 0, 0) + struct.pack(">H", 0) + pixels.transpose(2, 0, 1).tobytes()


def xpm(pixels):
    height, width = pixels.shape
    rows = ['"' + "".join("a" if level else "b" for level in row) + '"' for row in pixels]
    head = f'/* XPM */\nstatic char *x[] = {{\n"{width} {height} 2 1",\n"a c #FFFFFF",\n"b c #000000",\n'
    return (head + ",\n".join(rows) + "\n};\n").encode()


def cursor(pixels):
    """Return a cursor: an icon with another type in its header."""
    content = bytearray(packed(Image.fromarray(pixels), "ICO", bitmap_format="bmp", sizes=[pixels.shape[1::-1]]))
    content[2] = 2
    return bytes(content)


EXACT = [
    ("a.tif", packed(Image.fromarray(GREY_NOISE), "TIFF"), GREY_NOISE),
    ("a.tif", packed(Image.fromarray(COLOUR_NOISE), "TIFF", compression="tiff_lzw"), COLOUR_NOISE),
    ("a.pgm", packed(Image.fromarray(GREY_NOISE), "PPM"), GREY_NOISE),
    ("a.ppm", packed(Image.fromarray(COLOUR_NOISE), "PPM"), COLOUR_NOISE),
    ("a.pbm", b"P1 3 2 1 0 1 0 1 0", np.array([[0, 255, 0], [255, 0, 255]])),
    ("a.jp2", packed(Image.fromarray(COLOUR_NOISE), "JPEG2000"), COLOUR_NOISE),
    ("a.ico", packed(Image.fromarray(COLOUR_NOISE), "ICO", sizes=[(16, 12)]), COLOUR_NOISE),
    ("a.tga", packed(Image.fromarray(COLOUR_NOISE), "TGA"), COLOUR_NOISE),
    ("A.TGA", packed(Image.fromarray(GREY_NOISE), "TGA", compression="tga_rle"), GREY_NOISE),
    ("a.pcx", packed(Image.fromarray(COLOUR_NOISE), "PCX"), COLOUR_NOISE),
    ("a.rgb", packed(Image.fromarray(COLOUR_NOISE), "SGI"), COLOUR_NOISE),
    ("a.dib", packed(Image.fromarray(GREY_NOISE), "DIB"), GREY_NOISE),
    ("a.dds", packed(Image.fromarray(COLOUR_NOISE), "DDS"), COLOUR_NOISE),
    ("a.msp", packed(Image.fromarray(GREY_NOISE > 127), "MSP"), (GREY_NOISE > 127) * 255),
    ("a.xbm", packed(Image.fromarray(GREY_NOISE > 127), "XBM"), (GREY_NOISE > 127) * 255),
    ("a.spi", packed(Image.fromarray(GREY_NOISE), "SPIDER"), GREY_NOISE),
    ("a.ras", sun(GREY_NOISE), GREY_NOISE),
    ("a.psd", psd(COLOUR_NOISE), COLOUR_NOISE),
    ("a.xpm", xpm(GREY_NOISE > 127), np.stack([(GREY_NOISE > 127) * 255] * 3, 2)),
    ("a.cur", cursor(COLOUR_NOISE), COLOUR_NOISE),
    ("a.qoi", b"qoif" + struct.pack(">IIBB", 2, 1, 3, 0) + b"\xfe\1\2\3\xfe\4\5\6" + bytes(7) + b"\1",
     np.array([[[1, 2, 3], [4, 5, 6]]])),
]  # fmt: skip


def tiff(levels, kind, bits=None):
    """Return a TIFF of one strip; ``kind`` is its SampleFormat: 1 unsigned, 2 signed, 3 float."""
    height, width = levels.shape
    values = {256: width, 257: height, 258: bits or levels.dtype.itemsize * 8, 259: 1, 262: 1, 273: 134, 277: 1}
    values |= {278: height, 279: levels.nbytes, 339: kind}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items())
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(values)) + entries + bytes(4) + levels.tobytes()
