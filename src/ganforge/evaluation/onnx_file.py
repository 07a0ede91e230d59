"""A classifier in an ONNX file, run by onnxruntime (extra ``export``)."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ganforge.errors import UserError, reason
from ganforge.files import user_path

LOCATION = re.compile(rb"(?:\x08|\x88\x80*\x00)location")
"""A string of exactly these 8 characters in protobuf's encoding, also with a length in more bytes than needed."""
ENTRY = re.compile(rb"\x6a([\x00-\x7f])\x0a\x08location\x12([\x00-\x7f])")
"""The entry of a tensor that names its file: field 13 with its length, "location", the path with its length."""


def open_onnx(path: Path) -> Callable[[np.ndarray], Any]:
    """Return the function of an ONNX file: float32 [N, C, H, W] -> its first output.

    Raises:
        UserError: onnxruntime is missing, the file is missing or no model, or its weights lie outside its folder.
    """
    path = user_path(path)
    if not path.is_file():
        raise UserError(f"{path}: is no file; give an ONNX file")
    _refuse_weights_elsewhere(path)
    try:
        import onnxruntime
    except ImportError:
        raise UserError(f"{path}: needs onnxruntime: pip install 'ganforge[export]'") from None
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class for each of its status codes
        raise UserError(f"{path}: cannot be used: {reason(error)}") from None
    name = session.get_inputs()[0].name
    return lambda pixels: session.run(None, {name: pixels})[0]


def _refuse_weights_elsewhere(path: Path) -> None:
    """Refuse a model whose tensors name a file outside the folder of the model.

    Only newer versions of onnxruntime refuse such files. An entry of another form than exporters write might hide a
    second path, so it is refused, too.
    """
    content, folder = path.read_bytes(), path.resolve().parent
    for found in LOCATION.finditer(content):
        entry = ENTRY.match(content, found.end() - len("xx..location"))
        length = entry[2][0] if entry else 0
        if entry is None or entry[1][0] != len("..location..") + length:
            raise UserError(f"{path}: the place of its weights cannot be checked; export the model into one file")
        place = content[entry.end() : entry.end() + length].decode(errors="replace")
        if not (folder / place).resolve().is_relative_to(folder):
            raise UserError(f"{path}: names weights outside its folder ({place}); export the model into one file")
