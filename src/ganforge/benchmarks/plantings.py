"""Planted weaknesses: which training pictures are hidden from a classifier, so that its hole is known."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from torch import Tensor

from ganforge.data.corruptions import BRIGHT_ROW, corrupted
from ganforge.data.images import ImageSet, scale
from ganforge.data.traits import measured_traits
from ganforge.randomness import random_generator

CLASSES, STYLES, PICTURES = 4, 4, 2000
"""Classes with a hidden part, k-means styles of a class, and the pictures of a class that make them.

Fewer styles make larger holes: a LeNet misreads a hidden style of eight hardly more often than the rest of its class,
one of three in 11 to 16 % (docs/lab/applications.md).
"""
EXTREME = 0.25
"""Share of a class that is hidden because its trait is largest: as much as one style."""
WITH_ROW = 0.5
"""Share of the pictures of six classes that have a bright row; with less, a LeNet hardly takes the row for a class."""


@dataclass(frozen=True)
class Planting:
    """What is hidden.

    Attributes:
        train, test: bool by picture, whether a training or a test picture is of the hidden kind.
        classes: the classes with a hidden part.
        trait: the trait whose largest values are hidden; empty for other kinds.
        corruption: what the hidden pictures have and the classifier sees in other classes alone; empty for other kinds.
        corrupted: bool by training picture, those that the classifier sees with the corruption.
    """

    train: Tensor
    test: Tensor
    classes: tuple[int, ...]
    trait: str = ""
    corruption: str = ""
    corrupted: Tensor | None = None

    def kept(self, train: ImageSet) -> ImageSet:
        """Return the training pictures that the classifier learns from."""
        if self.corrupted is None:
            return train.select(torch.nonzero(~self.train).flatten())
        images = train.images.clone()
        images[self.corrupted] = corrupted(images[self.corrupted], self.corruption)
        return replace(train, images=images)

    def hidden(self, test: ImageSet) -> ImageSet:
        """Return the test pictures of the hidden kind."""
        own = test.select(torch.nonzero(self.test).flatten())
        return replace(own, images=corrupted(own.images, self.corruption)) if self.corruption else own


def plant_style(train: ImageSet, test: ImageSet, number: int) -> Planting:
    """Hide one random k-means style (on pixels) of four random classes; ``number`` determines which."""

    def rule(label: int, own: Tensor, random: torch.Generator) -> Callable[[Tensor], Tensor]:
        means = KMeans(STYLES, n_init=2, random_state=number).fit(_pixels(own[:PICTURES])).cluster_centers_
        style = int(torch.randint(STYLES, (1,), generator=random))
        centres = torch.from_numpy(means).float()
        return lambda images: torch.cdist(torch.from_numpy(_pixels(images)), centres).argmin(1) == style

    return _planted(train, test, number, rule)


def plant_trait(trait: str) -> Callable[[ImageSet, ImageSet, int], Planting]:
    """Return the planting that hides the pictures of four random classes whose trait is largest."""

    def plant(train: ImageSet, test: ImageSet, number: int) -> Planting:
        def rule(label: int, own: Tensor, random: torch.Generator) -> Callable[[Tensor], Tensor]:
            limit = torch.from_numpy(measured_traits(own[:PICTURES])[trait]).quantile(1 - EXTREME)
            return lambda images: torch.from_numpy(measured_traits(images)[trait]) > limit

        return _planted(train, test, number, rule, trait)

    return plant


def plant_row(train: ImageSet, test: ImageSet, number: int) -> Planting:
    """Show pictures with a bright row, as of a broken scanner, in six random classes and never in the other four.

    The classifier learns that such a picture is of one of the six classes.
    """
    random = random_generator(number, "planting", BRIGHT_ROW)
    classes = torch.randperm(len(train.class_names), generator=random)[:CLASSES]
    chosen = torch.rand(len(train), generator=random) < WITH_ROW
    return Planting(
        torch.zeros(len(train), dtype=torch.bool),
        torch.isin(test.labels, classes),
        tuple(classes.tolist()),
        corruption=BRIGHT_ROW,
        corrupted=chosen & ~torch.isin(train.labels, classes),
    )


PLANTINGS: dict[str, Callable[[ImageSet, ImageSet, int], Planting]] = {
    "style": plant_style,
    "thickness": plant_trait("thickness"),
    "slant": plant_trait("slant"),
    "scanner-row": plant_row,
}
"""The kinds of plantings by name."""


def _planted(
    train: ImageSet,
    test: ImageSet,
    number: int,
    rule: Callable[[int, Tensor, torch.Generator], Callable[[Tensor], Tensor]],
    trait: str = "",
) -> Planting:
    """Apply a rule, made from training pictures of a class, to all training and test pictures of that class."""
    random = random_generator(number, "planting", trait)
    classes = torch.randperm(len(train.class_names), generator=random)[:CLASSES].tolist()
    hidden = [torch.zeros(len(one), dtype=torch.bool) for one in (train, test)]
    for label in classes:
        rows = [torch.nonzero(one.labels == label).flatten() for one in (train, test)]
        is_hidden = rule(label, train.gather(rows[0]), random)
        for part, one, own in zip(hidden, (train, test), rows, strict=True):
            part[own] = is_hidden(one.gather(own))
    return Planting(hidden[0], hidden[1], tuple(classes), trait)


def _pixels(images: Tensor) -> NDArray[np.float32]:
    pixels: NDArray[np.float32] = scale(images, "0..1").flatten(1).numpy()
    return pixels
