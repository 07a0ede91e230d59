"""A .npy too large for memory: copied once into the cache, in the order in which it is cut, and never read whole."""

from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import torch

from ganforge.data.cache import Header, Key, cached
from ganforge.data.download import Report
from ganforge.data.layouts import channels_first
from ganforge.data.readers import read_npy_header, refusing_damage
from ganforge.data.settle import Parts
from ganforge.data.splits import shuffled
from ganforge.data.stored import PixelFile

LARGE = 2**30
"""Bytes from which on a .npy is not read into memory."""


def is_large(path: Path) -> bool:
    """Say whether a path is a .npy that is better not read whole."""
    return path.suffix.lower() == ".npy" and path.is_file() and path.stat().st_size > LARGE


def read_large(path: Path, reading: Report | None = None) -> tuple[Parts, str] | None:
    """Read a large .npy of uint8 images, or return None where it holds another type or is written by columns.

    Raises:
        UserError: its header or its images cannot be used, or the cache cannot be written.
    """
    found = path.stat()
    with refusing_damage(path), path.open("rb") as stream:
        shape, column_first, dtype = read_npy_header(stream, found.st_size, str(path))
        start = stream.tell()
    if dtype != np.uint8 or column_first:
        return None
    source = PixelFile(path, shape, start)
    laid_out = channels_first(source.images.numpy(), str(path))[0].shape

    def fill(file: IO[bytes]) -> tuple[Header, npt.NDArray[np.int64]]:
        done = 0
        for rows in torch.split(shuffled(shape[0]), 4096):
            file.write(np.ascontiguousarray(channels_first(source.read(rows).numpy(), str(path))[0]).data)
            done += len(rows)
            if reading:
                reading(f"copying {path.name}", done, shape[0])
        header = Header(counts={"train": shape[0]}, shape=laid_out[1:], class_names=(), note=f"{shape[0]:,} images")
        return header, np.full(shape[0], -1)

    key = Key.of(("npy", str(path.resolve())), [f"{found.st_size}\0{found.st_mtime_ns}"])
    return cached(key, path.resolve().name.split(".")[0] or "images", fill)
