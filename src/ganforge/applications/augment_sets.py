"""Training sets made from few labelled pictures: moved copies, generated pictures, guessed labels; with provenance."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ganforge.applications.augment_parts import Parts
from ganforge.data.images import scale
from ganforge.data.moves import MOVES, moved_pictures
from ganforge.generation.generator import Generator
from ganforge.randomness import random_generator

ENOUGH = 5000
"""Pictures of a set made from fewer labelled ones."""
MOST_ADDED, REFERENCES = 10_000, 2000
"""Most pictures that an option adds; labelled pictures whose distances to the nearest others bound the filters."""
SURE = 0.95
"""Confidence from which a guess of the teacher counts as a label."""
CONFIDENT = 0.8
"""Filter: lowest probability of the class in a generated picture, by the teacher."""
FAR, NEAR = 0.99, 0.01
"""Filters: quantiles of the distance from a labelled picture to the nearest other one; they bound generated ones'."""
FILTERS = (
    "the teacher reads its class",
    "the teacher is sure of its class",
    "not far from every labelled picture",
    "no near copy of a labelled picture",
)
"""The filters of generated pictures, by the property of the pictures that each keeps."""
DRAWN = 2
"""Generated pictures drawn for each one that is wanted, because filters remove some."""
BLOCK = 500
ORIGINAL, GENERATED, GUESSED = "original", "generated", "label guessed"
"""Sources of a picture, besides the moves of `MOVES`."""


@dataclass(frozen=True)
class MadeSet:
    """Pictures to learn from, and where each comes from.

    Attributes:
        images: uint8 [N, C, H, W].
        labels: int64 [N].
        source: text for each picture: original, generated, label guessed; followed by the moves, if any.
        original: int64 [N], the index of the picture in the training part of the data; -1 for a generated one.
        seed: int64 [N], the seed of the latents or of the moves; -1 for an original.
        row: int64 [N], the number of the picture in the draw of that seed; -1 for an original.
    """

    images: Tensor
    labels: Tensor
    source: tuple[str, ...]
    original: Tensor
    seed: Tensor
    row: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def select(self, rows: Tensor) -> "MadeSet":
        """Return the pictures at ``rows``, int64 [M]."""
        source = tuple(self.source[row] for row in rows.tolist())
        tensors = (self.images, self.labels, self.original, self.seed, self.row)
        images, labels, original, seed, row = (values[rows] for values in tensors)
        return MadeSet(images, labels, source, original, seed, row)

    def with_moves(self, name: str, seed: int) -> "MadeSet":
        """Return the same pictures moved; picture number i is the i-th of the moves of this seed."""
        source, count = tuple(f"{source}, {name}" for source in self.source), len(self)
        images = moved_pictures(self.images, MOVES[name], seed, name)
        return MadeSet(images, self.labels, source, self.original, torch.full((count,), seed), torch.arange(count))

    def file(self, class_names: Sequence[str], method: str) -> bytes:
        """Return the set as an .npz file, with images uint8 [N, H, W, C]; ``method`` says how to train on it."""
        arrays = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        arrays |= {"images": self.images.permute(0, 2, 3, 1).numpy()}
        arrays |= {"class_names": np.array(class_names), "method": np.array(method)}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # NumPy takes any number of named arrays
        return buffer.getvalue()


def join(sets: Sequence[MadeSet]) -> MadeSet:
    """Return several sets as one."""
    columns = [[getattr(one, field.name) for one in sets] for field in fields(MadeSet)]
    images, labels, source, original, seed, row = columns
    tensors = [torch.cat(column) for column in (images, labels, original, seed, row)]
    return MadeSet(tensors[0], tensors[1], sum(source, ()), *tensors[2:])


def originals(parts: Parts) -> MadeSet:
    """Return the labelled pictures as they are."""
    count = len(parts.labelled)
    unmoved = torch.full((count,), -1)
    return MadeSet(parts.labelled.images, parts.labelled.labels, (ORIGINAL,) * count, parts.original, unmoved, unmoved)


def added(parts: Parts) -> int:
    """Return the number of pictures that an option adds to the labelled ones."""
    count = len(parts.labelled)
    return max(ENOUGH - count, min(count, MOST_ADDED))


def repeated(pictures: MadeSet, count: int) -> MadeSet:
    """Return ``count`` pictures, again and again, of each class in turn: a rare class is repeated more often."""
    classes = pictures.labels.unique()
    rows = torch.empty(count, dtype=torch.int64)
    for turn, number in enumerate(classes):
        of_class = torch.nonzero(pictures.labels == number).flatten()
        places = torch.arange(turn, count, len(classes))
        rows[places] = of_class[torch.arange(len(places)) % len(of_class)]
    return pictures.select(rows)


def with_moved(parts: Parts, name: str, seed: int) -> MadeSet:
    """Return the labelled pictures and moved copies of them."""
    pictures = originals(parts)
    return join([pictures, repeated(pictures, added(parts)).with_moves(name, seed)])


class Drawn(NamedTuple):
    """Generated pictures, and which of them each filter keeps, bool [N]."""

    pictures: MadeSet
    kept: dict[str, Tensor]

    @property
    def kept_by_all(self) -> Tensor:
        """Which pictures all filters keep, bool [N]."""
        return torch.stack([*self.kept.values()]).all(0)

    def has_all_classes(self, classes: int) -> bool:
        """Whether all filters together leave a picture of every class."""
        return len(self.pictures.labels[self.kept_by_all].unique()) == classes

    def some(self, kept: Tensor, count: int) -> MadeSet:
        """Return at most ``count`` of the kept pictures, the same number of each class as far as there are so many."""
        rows = torch.nonzero(kept).flatten()
        labels = self.pictures.labels[rows]
        rank = torch.zeros(len(rows), dtype=torch.int64)
        for number in labels.unique():
            of_class = labels == number
            rank[of_class] = torch.arange(int(of_class.sum()))
        return self.pictures.select(rows[rank.argsort(stable=True)[:count]])


class DrawnSets:
    """The generated pictures of each seed, with the judgement of every filter; each is drawn once.

    The teacher is a classifier of the labelled pictures alone: a judge that has learned from other labels would bring
    them in. It labels the pictures of a generator without classes.
    """

    def __init__(self, generator: Generator, parts: Parts, teacher: nn.Module) -> None:
        self._draw = cache(lambda seed: _draw(generator, parts, teacher, seed))

    def __getitem__(self, seed: int) -> Drawn:
        """Return the pictures of a seed."""
        return self._draw(seed)


def _draw(generator: Generator, parts: Parts, teacher: nn.Module, seed: int) -> Drawn:
    count = DRAWN * added(parts)
    numbers = torch.arange(count) % parts.classes
    images = generator.sample_classes(count, numbers, seed=seed)
    probabilities = probabilities_of(teacher, images)
    if not generator.class_names:
        numbers = probabilities.argmax(1)
    rows = torch.arange(count)
    made = MadeSet(images, numbers, (GENERATED,) * count, torch.full((count,), -1), torch.full((count,), seed), rows)
    nearest = _nearest_distances(images, parts.labelled.images)
    known = parts.labelled.images
    among_labelled = _nearest_distances(known[:REFERENCES], known, skip_self=True)
    judgements = (
        probabilities.argmax(1) == numbers,
        probabilities[rows, numbers] >= CONFIDENT,
        nearest <= among_labelled.quantile(FAR),
        nearest >= among_labelled.quantile(NEAR),
    )
    return Drawn(made, dict(zip(FILTERS, judgements, strict=True)))


def with_guessed(parts: Parts, teacher: nn.Module, seed: int) -> MadeSet:
    """Return labelled and moved pictures, and moved unlabelled ones of whose label the teacher is sure.

    Pseudo-labels (Lee 2013): the guess counts as a label where its probability is `SURE` or more.
    """
    assert parts.unlabelled is not None
    order = torch.randperm(len(parts.unlabelled), generator=random_generator(seed, "unlabelled"))[: added(parts)]
    images = parts.unlabelled.gather(order)
    confidence, guesses = probabilities_of(teacher, images).max(1)
    sure = confidence >= SURE
    base = with_moved(parts, "small moves", seed)
    if not bool(sure.any()):
        return base
    count, places = int(sure.sum()), parts.unlabelled_original[order[sure]]
    unmoved = torch.full((count,), -1)
    guessed = MadeSet(images[sure], guesses[sure], (GUESSED,) * count, places, unmoved, unmoved)
    return join([base, guessed.with_moves("small moves", seed + 1)])


@torch.no_grad()
def probabilities_of(network: nn.Module, images: Tensor) -> Tensor:
    """Return the probabilities float [N, K] that a network of ours gives to images uint8 [N, C, H, W]."""
    return torch.cat([network(scale(block, "0..1")).softmax(1) for block in images.split(BLOCK)])


def _nearest_distances(images: Tensor, others: Tensor, *, skip_self: bool = False) -> Tensor:
    """Return the Euclidean distance of each image to the nearest of others, float [N]; pixels in 0..1."""
    known, nearest = others.flatten(1).float() / 255, []
    for block in (images.flatten(1).float() / 255).split(BLOCK):
        distances = torch.cdist(block, known)
        # the nearest other of a picture of the same set is the second nearest
        nearest.append(distances.kthvalue(2, 1).values if skip_self else distances.min(1).values)
    return torch.cat(nearest)
