"""Classifiers and learners: the contract for a user's own code, and how it is loaded and called.

A learner is ``function(images, labels, *, steps, seed, start=None) -> classifier`` with images uint8 [N, C, H, W] and
labels int64 [N], both tensors; ``start`` is a classifier to go on from. A classifier is called with float32
[N, C, H, W] in 0..1 and returns logits or probabilities [N, K], or class indices [N], as a tensor or an array.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ganforge.data.images import scale
from ganforge.errors import UserError, one_line
from ganforge.evaluation.user_classifier import user_object

BLOCK = 500
"""Images in one call of a classifier."""


class Classifier(Protocol):
    """Anything that classifies pictures when it is called."""

    def __call__(self, images: Tensor, /) -> Any:
        """Float32 [N, C, H, W] in 0..1 -> logits or probabilities [N, K], or class indices [N]."""
        ...


class Learner(Protocol):
    """Anything that trains a classifier."""

    def __call__(
        self, images: Tensor, labels: Tensor, /, *, steps: int, seed: int, start: Classifier | None = None
    ) -> Classifier:
        """Images uint8 [N, C, H, W], labels int64 [N] -> a classifier, after ``steps`` steps of an optimiser."""
        ...


def load_learner(text: str) -> Learner:
    """Return the learner that ``module:function`` names; the module is the user's own code, which runs.

    Modules of the working folder are found, too.

    Raises:
        UserError: the text has another form, the module cannot be imported, or it has no such function. Errors of the
            learner itself when it is called.
    """
    function = user_object(text, "module:function, such as mine:learn for learn of mine.py")

    def learn(
        images: Tensor, labels: Tensor, /, *, steps: int, seed: int, start: Classifier | None = None
    ) -> Classifier:
        with_start = {} if start is None else {"start": start}
        classifier = _call(f"--learner {text}", function, images, labels, steps=steps, seed=seed, **with_start)
        if not callable(classifier):
            raise UserError(f"--learner {text}: returned {type(classifier).__name__}, which is no classifier to call")

        def classify(pixels: Tensor, /) -> Any:
            return _call(f"the classifier of --learner {text}", classifier, pixels)

        return classify

    return learn


def check_learner(learner: Learner, images: Tensor, labels: Tensor, classes: int) -> None:
    """Train and call a learner once, so that a user's mistake shows before long work.

    Raises:
        UserError: the learner fails, or its classifier returns something else than classes.
    """
    predict(learner(images, labels, steps=1, seed=0), images[:BLOCK], classes)


def predict(classifier: Classifier, images: Tensor, classes: int) -> Tensor:
    """Return the classes, int64 [N], that a classifier gives to images uint8 [N, C, H, W].

    Raises:
        UserError: the classifier returns another shape, not-a-number, or a class that does not exist.
    """
    if isinstance(classifier, nn.Module):
        classifier.eval()
    return torch.cat([_classes_of(classifier(scale(block, "0..1")), block, classes) for block in images.split(BLOCK)])


def _classes_of(answer: Any, block: Tensor, classes: int) -> Tensor:
    """Return the classes of a block of images from what a classifier returned for it."""
    try:
        values = answer.detach().cpu() if isinstance(answer, Tensor) else torch.from_numpy(np.array(answer))
    except (TypeError, ValueError) as error:
        raise UserError(f"the classifier returned {type(answer).__name__}, which is no array of numbers") from error
    count = len(block)
    if tuple(values.shape) == (count, classes):
        if not bool(values.isfinite().all()):
            raise UserError("the classifier returned values that are not finite")
        return values.argmax(1)
    if tuple(values.shape) != (count,):
        raise UserError(
            f"the classifier returned shape {list(values.shape)} for {count} pictures of {classes} classes; "
            f"[{count}, {classes}] or [{count}] is needed"
        )
    indices = values.long()
    if bool((indices != values).any()) or int(indices.min()) < 0 or int(indices.max()) >= classes:
        raise UserError(f"the classifier returned values that are no class indices from 0 to {classes - 1}")
    return indices


def _call(what: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call the user's code; any error of it becomes one line."""
    try:
        with torch.enable_grad():
            return function(*arguments, **options)
    except Exception as error:  # the user's own code may raise anything
        raise UserError(f"{what} failed: {one_line(_named(error))}") from error


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
