"""Small versions of the published data sets besides MNIST: a few synthetic images with real names and layouts."""

import gzip
import io
import struct
import tarfile
import zipfile
from dataclasses import replace

import numpy as np

from ganforge.data.sources.dataset_formats import CIFAR10, CIFAR10_MEMBERS, FASHION, LETTERS, LETTERS_MEMBERS

SMALL_FASHION = replace(FASHION, counts=(30, 10))
SMALL_LETTERS = replace(LETTERS, counts=(52, 26))
SMALL_CIFAR10 = replace(CIFAR10, counts=(50, 10))

NAMES = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]


def idx(array):
    magic = 2051 if array.ndim == 3 else 2049
    return struct.pack(f">I{array.ndim}I", magic, *array.shape) + array.astype(np.uint8).tobytes()


def grey(count, classes=10, first=0):
    images = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    return images, (np.arange(count) * 7 % classes + first).astype(np.uint8)


def fashion_files():
    return dict(zip(NAMES, (idx(array) for count in (30, 10) for array in grey(count)), strict=True))


def an_l(count=1):
    """Letters L in reading orientation: a vertical stroke on the left, a horizontal one to the right."""
    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 8:10] = picture[22:24, 8:18] = 255
    return np.broadcast_to(picture, (count, 28, 28))


def letter_members(first=1):
    """EMNIST's four files as the archive has them: every picture transposed, labels from 1."""
    members = [idx(a) for n in (52, 26) for a in (an_l(n).transpose(0, 2, 1), grey(n, 26, first)[1])]
    return {name: gzip.compress(content, 1, mtime=0) for name, content in zip(LETTERS_MEMBERS, members, strict=True)}


def zipped(members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members:
            archive.writestr(name, member)
    return content.getvalue()


def cifar10_members():
    """CIFAR-10's six files: rows of a label, then the red, the green and the blue of a picture.

    Its k-th picture has red k, green a ramp from left to right, blue a ramp from top to bottom.
    """
    members, k = {}, 0
    ramp = np.arange(32, dtype=np.uint8)
    for name in CIFAR10_MEMBERS:
        rows = []
        for _ in range(10):
            red, green, blue = np.full((32, 32), k), np.tile(ramp, (32, 1)), np.tile(ramp[:, None], (1, 32))
            rows.append(bytes([k * 3 % 10]) + np.stack([red, green, blue]).astype(np.uint8).tobytes())
            k += 1
        members[name] = b"".join(rows)
    return members


def tarred(members, links=()):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, member in members:
            info = tarfile.TarInfo(name)
            info.size = len(member)
            archive.addfile(info, io.BytesIO(member))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return gzip.compress(content.getvalue(), 1, mtime=0)
