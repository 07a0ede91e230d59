"""A classifier of the user: the user's own Python code, an ONNX file, or a server on this machine."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganforge.data.images import PIXEL_RANGES, scale
from ganforge.errors import UserError, one_line
from ganforge.evaluation.local_server import server_at
from ganforge.evaluation.onnx_file import open_onnx

BLOCK = 250
"""Pictures per call of the classifier."""
PICKLES = (".pt", ".pt2", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")
"""Endings of files that can hold pickles, which run code when they are read."""
EXPORT = "torch.onnx.export(model, torch.zeros(1, 1, 28, 28), 'model.onnx', dynamic_shapes=({0: 'n'},), dynamo=True)"


@dataclass(frozen=True)
class UserClassifier:
    """A classifier of pictures with its answers in one form.

    Attributes:
        name: as the user wrote it.
        answer: pictures uint8 [N, C, H, W] -> logits or probabilities [N, K], or class indices [N].
        function: the user's own callable object; None for a file or a server.
        pixel_range: of the classifier's inputs.
    """

    name: str
    answer: Callable[[Tensor], Any]
    function: Any = None
    pixel_range: str = "0..1"

    @property
    def module(self) -> nn.Module | None:
        """The torch module, where it is one: gradients pass through it, and it can be trained."""
        return self.function if isinstance(self.function, nn.Module) else None

    @torch.no_grad()
    def probabilities(self, images: Tensor, classes: int) -> Tensor:
        """Return the probabilities float32 [N, classes] of pictures uint8 [N, C, H, W]; indices give 0 and 1.

        Raises:
            UserError: the classifier fails, or its answer has another form.
        """
        return torch.cat([self._checked(block, classes) for block in images.split(BLOCK)])

    def log_probabilities(self, pixels: Tensor) -> Tensor:
        """Return log-probabilities [N, K] of pixels in 0..1, with gradients; for torch modules alone."""
        assert self.module is not None
        low, high = PIXEL_RANGES[self.pixel_range]
        logits: Tensor = self.module(pixels * (high - low) + low)
        return logits.clamp_min(1e-12).log() if _are_probabilities(logits.detach()) else logits.log_softmax(1)

    def _checked(self, images: Tensor, classes: int) -> Tensor:
        try:
            answer = self.answer(images)
        except UserError:
            raise
        except Exception as error:  # the user's own code may raise anything
            raise UserError(f"{self.name}: failed on {len(images)} pictures: {error_in_words(error)}") from error
        try:
            return _probabilities(_as_tensor(answer), len(images), classes)
        except UserError as error:
            raise UserError(f"{self.name}: {error}") from error


def _as_tensor(answer: Any) -> Tensor:
    try:
        # a copy, because torch warns about arrays that cannot be written
        return answer.detach().cpu() if isinstance(answer, Tensor) else torch.from_numpy(np.array(answer))
    except (TypeError, ValueError) as error:
        raise UserError(f"returned {type(answer).__name__}, which is no array of numbers") from error


def _probabilities(answer: Tensor, count: int, classes: int) -> Tensor:
    """Return probabilities float32 [N, K] from an answer for ``count`` pictures."""
    if tuple(answer.shape) == (count, classes):
        answer = answer.float()
        if not bool(answer.isfinite().all()):
            raise UserError("returned NaN or infinite values")
        return answer if _are_probabilities(answer) else answer.softmax(1)
    if tuple(answer.shape) != (count,):
        raise UserError(
            f"returned shape {list(answer.shape)} for {count} pictures; return logits or probabilities "
            f"[{count}, {classes}], or class indices [{count}]"
        )
    indices = answer.long()
    outside = (indices != answer) | (indices < 0) | (indices >= classes)
    if bool(outside.any()):
        raise UserError(f"returned {answer[outside][0]:g}, and the class indices are 0 to {classes - 1}")
    return nn.functional.one_hot(indices, classes).float()


def _are_probabilities(answer: Tensor) -> bool:
    return bool((answer >= 0).all()) and bool(((answer.sum(1) - 1).abs() < 1e-3).all())


def error_in_words(error: Exception) -> str:
    """Return the type and the message of an error of the user's own code, on one line."""
    return one_line(f"{type(error).__name__}: {error}")


def load_classifier(text: str, pixel_range: str = "0..1") -> UserClassifier:
    """Return the classifier that ``text`` names: module:callable, FILE.onnx or http://127.0.0.1:PORT/PATH.

    Raises:
        UserError: no such classifier, a file that can hold pickles, a server elsewhere, or a library is missing.
    """
    if pixel_range not in PIXEL_RANGES:
        raise UserError(f"--input-range {pixel_range}: give {' or '.join(PIXEL_RANGES)}")
    ending = Path(text).suffix.lower()
    if "://" in text:
        return UserClassifier(text, server_at(text), pixel_range=pixel_range)
    if ending in PICKLES:
        raise UserError(f"{text}: a {ending} file can hold code and is not opened; write an ONNX file: {EXPORT}")
    if ending == ".onnx":
        run = open_onnx(Path(text))
        return UserClassifier(text, lambda images: run(scale(images, pixel_range).numpy()), pixel_range=pixel_range)
    return of_callable(text, user_object(text), pixel_range)


def of_callable(name: str, function: Any, pixel_range: str = "0..1") -> UserClassifier:
    """Return a callable (float32 [N, C, H, W] -> answer) as a classifier; a torch module is set to evaluation."""
    if isinstance(function, nn.Module):
        function.eval()
    return UserClassifier(name, lambda images: function(scale(images, pixel_range)), function, pixel_range)


def user_object(text: str, forms: str = "module:callable, FILE.onnx or http://127.0.0.1:PORT/PATH") -> Any:
    """Return the callable of the user's own code that ``module:name`` names; modules of this folder are found.

    Args:
        text: as the user wrote it.
        forms: what may be given, for the message where the text has another form.

    Raises:
        UserError: there is no such module or name, it cannot be imported, or it is no callable object.
    """
    module_name, separator, attribute = text.partition(":")
    if not separator or not all(part.isidentifier() for part in [*module_name.split("."), attribute]):
        raise UserError(f"{text}: give {forms}")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the user's own code may raise anything
        raise UserError(f"{text}: cannot import {module_name}: {error_in_words(error)}") from error
    if not hasattr(module, attribute):
        raise UserError(f"{text}: {module_name} has no {attribute}")
    found = getattr(module, attribute)
    if isinstance(found, type) or not callable(found):
        raise UserError(f"{text}: is {'a class' if isinstance(found, type) else 'no function'}; name a callable object")
    return found
