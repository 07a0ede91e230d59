"""Contents of IDX files, for tests of their reading."""

import struct

import numpy as np
import pytest

from ganforge.errors import UserError


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def idx(array):
    return struct.pack(f">I{array.ndim}I", 2048 + array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


GOOD = idx(pixels(5, 8, 9))


LABELS = np.array([0, 1, 2, 1, 0])


def refusal(read, *args):
    with pytest.raises(UserError) as caught:
        read(*args)
    message = str(caught.value)
    assert "\n" not in message
    return message
