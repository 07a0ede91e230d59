"""Learners: the contract for a user's own code that trains a classifier, and how it is loaded and called.

A learner is ``function(images, labels, *, steps, seed, start=None) -> classifier`` with images uint8 [N, C, H, W] and
labels int64 [N], both tensors; ``start`` is a classifier to go on from. A classifier is called with float32
[N, C, H, W] in 0..1 and returns logits or probabilities [N, K], or class indices [N], as a tensor or an array.
"""

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor

from ganforge.errors import UserError
from ganforge.evaluation.user_classifier import BLOCK, error_in_words, of_callable, user_object


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
        UserError: the text has another form, the module cannot be imported, or it has no such function. When the
            learner is called: as `checked_learner` says.
    """
    function = user_object(text, "module:function, such as mine:learn for learn of mine.py")
    return checked_learner(f"--learner {text}", function)


def checked_learner(name: str, function: Callable[..., Any]) -> Learner:
    """Return a learner with errors of one line; ``function`` gets a ``start`` only where there is one.

    Raises:
        UserError: when the learner is called: the function fails, or returns something that cannot be called.
    """

    def learn(
        images: Tensor, labels: Tensor, /, *, steps: int, seed: int, start: Classifier | None = None
    ) -> Classifier:
        with_start = {} if start is None else {"start": start}
        try:
            classifier: Classifier = function(images, labels, steps=steps, seed=seed, **with_start)
        except UserError:
            raise
        except Exception as error:  # the user's own code may raise anything
            raise UserError(f"{name} failed on {len(images)} pictures: {error_in_words(error)}") from error
        if not callable(classifier):
            raise UserError(f"{name}: returned {type(classifier).__name__}, which is no classifier to call")
        return classifier

    return learn


def check_learner(learner: Learner, images: Tensor, labels: Tensor, classes: int) -> None:
    """Train and call a learner once, so that a user's mistake shows before long work.

    Raises:
        UserError: the learner fails, or its classifier returns something else than classes.
    """
    predict(learner(images, labels, steps=1, seed=0), images[:BLOCK], classes)


def predict(classifier: Classifier, images: Tensor, classes: int) -> Tensor:
    """Return the classes, int64 [N], that a learner's classifier gives to images uint8 [N, C, H, W].

    Raises:
        UserError: the classifier fails, or returns another shape, not-a-number, or a class that does not exist.
    """
    return of_callable("the learner's classifier", classifier).probabilities(images, classes).argmax(1)
