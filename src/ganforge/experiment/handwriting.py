"""Writing with a generator: what the judge of digits cannot read as what was asked is drawn again."""

from typing import NamedTuple

import torch
from torch import Tensor

from ganforge.judge.judge import Judge
from ganforge.judge.shipped import load_judge
from ganforge.sampling import Generator

TRIES = 5
SURE = 0.8
"""Confidence below which the judge's reading does not count."""


class Written(NamedTuple):
    """Images uint8 [len(text), C, H, W], how many of them are later tries, and how many are still not read as asked."""

    images: Tensor
    redrawn: int
    unread: int


def write(generator: Generator, text: str, *, seed: int = 0) -> Written:
    """Draw one picture for each character, and draw those anew that the judge does not surely read as asked.

    A generator slips now and then (its card says how often); whoever asks for a number wants that number. Only the
    judge of digits that ships has a say, for generators of digits like those it knows; others are not proofread.

    Raises:
        UserError: as `Generator.write`.
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
        images[wrong] = generator.write("".join(text[place] for place in wrong), seed=seed, attempt=attempt)
        wrong = wrong[_misread(judge, images[wrong], "".join(text[place] for place in wrong))]
    return Written(images, redrawn, len(wrong))


def _proofreader(generator: Generator) -> Judge | None:
    judge = load_judge()
    reads = tuple(generator.note["shape"]) == judge.card.shape and {*generator.class_names} <= {*judge.class_names}
    return judge if reads else None


def _misread(judge: Judge, images: Tensor, text: str) -> Tensor:
    """Places [M] of the pictures that are not surely read as they should."""
    seen = judge.look(images)
    asked = torch.tensor([judge.class_names.index(character) for character in text])
    return torch.nonzero((seen.classes != asked) | (seen.confidence < SURE)).flatten()
