"""How a set becomes train, validation and test where its makers did not cut it: always in the same way."""

import torch
from torch import Tensor

from ganforge.data.images import Splits
from ganforge.data.settle import Parts
from ganforge.errors import UserError
from ganforge.randomness import random_generator


def shuffled(count: int, *part: str) -> Tensor:
    """Return the fixed order, int64 [count], in which a set (or a ``part`` of it) is cut."""
    return torch.randperm(count, generator=random_generator("split", *part))


def cut(parts: Parts, origin: str, images: str) -> Splits:
    """Cut what the makers of a set did not: a twelfth for validation where there is a test part, else 80/10/10.

    A set with its own test part keeps its order (MNIST: 55,000 + 5,000) unless that order is by class. With ``images``
    = ``all`` the validation images are trained on, too.
    """
    rest, validation, test = parts.train, parts.validation, parts.test
    name = rest.name
    by_class = bool((rest.labels.diff() >= 0).all()) and rest.labelled
    if not parts.shuffled and (test is None or by_class):
        rest = rest.select(shuffled(len(rest)))
    needed = 2 + (validation is None) + (test is None)
    if len(rest) < needed:
        raise UserError(f"{name}: {len(rest)} images are too few to train, validate and test on; give {needed} or more")
    held = max(1, len(rest) // (10 if test is None else 12))
    if test is None:
        test, rest = rest.select(slice(-held, None), f"{name} test"), rest.select(slice(None, -held))
    train, everything = rest, rest
    if validation is None:
        validation, train = rest.select(slice(-held, None), f"{name} validation"), rest.select(slice(None, -held))
    elif images == "all":
        everything = rest.followed_by(validation)
    return Splits(everything if images == "all" else train, validation, test, origin)
