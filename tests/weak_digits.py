"""Digits of the shipped generator as a data set, readers without training, and a classifier with a known weakness."""

from dataclasses import replace
from functools import cache

import torch

import ganforge
from ganforge.data.images import ImageSet, Splits
from ganforge.data.traits import measured_traits
from ganforge.evaluation.readers import Readers
from ganforge.judge.shipped import load_judge

NAMES = tuple("0123456789")


def digits(n, seed):
    labels = torch.arange(n) % 10
    return ImageSet(ganforge.load("mnist").sample(n, labels=list(range(10)), seed=seed), labels, NAMES, "drawn")


@cache
def splits():
    return Splits(digits(400, 1), digits(100, 2), digits(400, 3))


@cache
def generator():
    """The shipped generator as one that was trained on `splits`."""
    loaded = ganforge.load("mnist")
    return replace(loaded, note={**loaded.note, "fingerprint": splits().fingerprint, "data": "drawn"})


@cache
def readers():
    judge = load_judge()
    return Readers(judge, judge.network, torch.arange(10))


class SlantedFours(torch.nn.Module):
    """The judge, but it reads a 4 that leans to the right as a 9."""

    def __init__(self):
        super().__init__()
        self.network = load_judge().network
        self.shift = torch.nn.Parameter(torch.zeros(10))

    def forward(self, pixels):
        logits = self.network(pixels) + self.shift
        slant = measured_traits((pixels.detach() * 255).byte())["slant"]
        leaning = (logits.argmax(1) == 4) & torch.from_numpy(slant > 0.35)
        return torch.where(leaning[:, None], torch.nn.functional.one_hot(torch.tensor(9), 10) * 9.0, logits)


def slanted_fours(pixels):
    """The same without gradients, as class indices."""
    with torch.no_grad():
        return module(pixels).argmax(1)


module = SlantedFours().eval()
