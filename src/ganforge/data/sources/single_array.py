"""One array from a NumPy file: the one of a given name, or the only one."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ganforge.errors import UserError

DAMAGE = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)
"""The errors of `numpy.load` for a file that is damaged, holds Python objects, or is no NumPy file."""


def read_single_array(path: Path, name: str) -> Any:
    """Return the array of a .npy file; of an .npz file the array ``name``, or the only one.

    Raises:
        UserError: the file is damaged, or has several arrays and none of that name.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded as arrays:
            listed = arrays.files
            chosen = name if name in listed else listed[0] if len(listed) == 1 else None
            if chosen is not None:
                return arrays[chosen]
    except DAMAGE:
        raise UserError(f"{path}: is damaged or not an {path.suffix} of numbers; write it with numpy.savez") from None
    raise UserError(f"{path}: has the arrays {', '.join(listed) or 'none'}; call that of the {name} {name!r}")
