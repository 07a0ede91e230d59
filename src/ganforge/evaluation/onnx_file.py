"""A classifier in an ONNX file, run by onnxruntime (extra ``export``)."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ganforge.errors import UserError, reason
from ganforge.files import user_path

LOCATION = re.compile(rb"\x0a\x08location\x12([\x00-\x7f])")
"""The entry of a tensor that names its file, in protobuf's encoding: field 1 "location", field 2 with its length."""


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

    onnxruntime refuses such files, too, in newer versions alone.
    """
    content, folder = path.read_bytes(), path.resolve().parent
    for match in LOCATION.finditer(content):
        place = content[match.end() : match.end() + match[1][0]].decode(errors="replace")
        if not (folder / place).resolve().is_relative_to(folder):
            raise UserError(f"{path}: names weights outside its folder ({place}); export the model into one file")
