"""Writing digits with a generator: digits that the judge misreads are drawn again."""

from typing import NamedTuple

import torch
from torch import Tensor

from ganforge.generation.generator import Generator
from ganforge.judge.judge import Judge
from ganforge.judge.shipped import load_judge

TRIES = 5
SURE = 0.8
"""Lowest confidence of the judge at which its reading counts."""


class Written(NamedTuple):
    """Images uint8 [len(text), C, H, W], the number drawn again, and the number still not read as requested."""

    images: Tensor
    redrawn: int
    unread: int


def write(generator: Generator, text: str, *, seed: int = 0) -> Written:
    """Draw one picture for each character; pictures that the judge misreads, or is unsure of, are drawn again.

    A generator draws a wrong digit now and then (its card says how often). Only the shipped judge of digits checks, and
    only generators with its image shape and classes; the pictures of other generators are not checked.

    Raises:
        UserError: as in `Generator.write`.
    """
    images = generator.write(text, seed=seed)
    judge = _proofreader(generator)
    if judge is None:
        return Written(images, 0, 0)
    wrong = _misread(judge, images, text)
    redrawn = len(wrong)
    for attempt in range(1, TRIES):
        if not len(wrong):
            break
        images[wrong] = generator.write("".join(text[index] for index in wrong), seed=seed, attempt=attempt)
        wrong = wrong[_misread(judge, images[wrong], "".join(text[index] for index in wrong))]
    return Written(images, redrawn, len(wrong))


def _proofreader(generator: Generator) -> Judge | None:
    judge = load_judge()
    fits = tuple(generator.note["shape"]) == judge.card.shape and {*generator.class_names} <= {*judge.class_names}
    return judge if fits else None


def _misread(judge: Judge, images: Tensor, text: str) -> Tensor:
    """Return the indices [M] of the pictures that the judge misreads or is unsure of."""
    predictions = judge.look(images)
    requested = torch.tensor([judge.class_names.index(character) for character in text])
    return torch.nonzero((predictions.classes != requested) | (predictions.confidence < SURE)).flatten()
