"""Deterministic splitting of a set into train, validation and test where its authors defined no such parts."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor

from ganforge.data.images import Splits
from ganforge.data.normalize_arrays import RawSplits
from ganforge.data.parts import count_of
from ganforge.data.reading_rules import PARTS, USUAL, ReadingRules
from ganforge.errors import UserError
from ganforge.randomness import random_generator


def shuffled(count: int, *part: str) -> Tensor:
    """Return the fixed order, int64 [count], in which a set (or a ``part`` of it) is split."""
    return torch.randperm(count, generator=random_generator("split", *part))


def held_out(count: int, has_test: bool) -> int:
    """Return the size of the validation and the test part: a tenth each, or a twelfth if the set has a test part."""
    return max(1, count // (12 if has_test else 10))


@dataclass(frozen=True)
class SplitIndices:
    """The indices of each part, int64, in a fixed shuffled order."""

    train: Tensor
    validation: Tensor
    test: Tensor


def stratified_split(labels: Tensor, *, validation: int, test: int) -> SplitIndices:
    """Split a set so that every class has the same share in each part, independent of the order of the images.

    Each class is shuffled separately. From a class with n of N images, the parts get n·validation/N and n·test/N,
    rounded so that the parts have exactly the requested sizes. Training keeps at least one image of each class.

    Args:
        labels: int64 [N]; -1 (unknown) counts as a class.
        validation: number of validation images.
        test: number of test images.

    Raises:
        ValueError: there are too few images of each class.
    """
    count = len(labels)
    order = shuffled(count)
    counts = torch.bincount(labels + 1)
    spare = (counts - 1).clamp_min(0)
    # Both parts are allocated jointly first, so that no class loses an image to rounding in both.
    held_counts = _allocate(counts, spare, validation + test)
    test_counts = _allocate(counts, held_counts, test)
    # An image's rank within its class, in the shuffled order, determines its part.
    classes = labels[order] + 1
    rank = _rank_in_class(classes, len(counts))
    train_end = (counts - held_counts)[classes]
    test_start = (counts - test_counts)[classes]
    return SplitIndices(
        order[rank < train_end], order[(rank >= train_end) & (rank < test_start)], order[rank >= test_start]
    )


def order_in_file(parts: Sequence[str], labels: Tensor, rules: ReadingRules) -> tuple[Tensor, dict[str, int]]:
    """Return the order in which the images of a set are written to a file, and the number of images in each part.

    The parts are consecutive, each in its fixed shuffled order. Missing parts are split off first, except for sets that
    are too small and under version 1 of the rules, where `split_dataset` does so.

    Args:
        parts: the part of each image as the set's authors defined it.
        labels: int64 [N].
        rules: as `ReadingRules`.
    """
    members = {
        part: torch.tensor([k for k, name in enumerate(parts) if name == part], dtype=torch.int64) for part in PARTS
    }
    rows = {part: index[shuffled(len(index), *(() if part == "train" else (part,)))] for part, index in members.items()}
    train = members["train"]
    missing = [part for part in ("validation", "test") if not len(members[part])]
    if rules.version > 1 and missing and len(train) >= 2 + len(missing):
        size = held_out(len(train), "test" not in missing)
        with suppress(ValueError):
            split = stratified_split(labels[train], **{part: size if part in missing else 0 for part in PARTS[1:]})
            rows |= {part: train[getattr(split, part)] for part in ("train", *missing)}
    return torch.cat([rows[part] for part in PARTS]), {part: len(index) for part, index in rows.items() if len(index)}


def _allocate(counts: Tensor, spare: Tensor, total: int) -> Tensor:
    """Allocate ``total`` images to classes by largest remainders, in proportion to ``counts``, at most ``spare``."""
    if int(spare.sum()) < total:
        raise ValueError("too few images of each class")
    exact = counts.double() * total / int(counts.sum())
    shares = torch.minimum(exact.floor().long(), spare)
    while (left := total - int(shares.sum())) > 0:
        remainder = torch.where(shares < spare, exact - shares, -torch.inf)
        shares[remainder.argsort(descending=True, stable=True)[: min(left, int((shares < spare).sum()))]] += 1
    return shares


def _rank_in_class(classes: Tensor, count: int) -> Tensor:
    """Return for every image the number of earlier images of its class."""
    by_class = classes.argsort(stable=True)
    starts = torch.bincount(classes, minlength=count).cumsum(0).roll(1)
    starts[0] = 0
    rank = torch.empty_like(classes)
    rank[by_class] = torch.arange(len(classes)) - starts[classes[by_class]]
    return rank


def split_dataset(
    parts: RawSplits, origin: str, images: str, rules: ReadingRules = USUAL, *, published: bool = False
) -> Splits:
    """Split off the missing parts: a twelfth for validation if there is a test part, else 80/10/10.

    Every class has the same share in each part (`stratified_split`). A ``published`` set is split in its own order
    (MNIST: 55,000 + 5,000). ``images`` = "all" adds the validation images to the training images.

    Raises:
        UserError: there are too few images.
    """
    count, has_test = len(parts.train), parts.test is not None
    needed = 2 + (parts.validation is None) + (not has_test)
    if count < needed:
        kind = parts.train.parts
        raise UserError(
            f"{parts.train.name}: {count_of(count, kind)} {'is' if count == 1 else 'are'} too few for train, "
            f"validation and test; give {count_of(needed, kind)} or more"
            + (", of 11 frames or more unless pairs.given is set lower" if kind and kind.kind == "clip" else "")
        )
    if published or parts.shuffled or rules.version == 1:
        split = _split_in_order(parts)
    elif parts.validation is None or not has_test:
        split = _split_by_class(parts)
    else:
        split = parts
    train, validation, test = split.train, split.validation, split.test
    assert validation is not None
    assert test is not None
    if images == "all":
        train = train.concat(validation)
    return Splits(train, validation, test, origin, parts.notes)


def _split_by_class(parts: RawSplits) -> RawSplits:
    train, validation, test = parts.train, parts.validation, parts.test
    size = held_out(len(train), test is not None)
    try:
        split = stratified_split(
            train.labels, validation=size if validation is None else 0, test=size if test is None else 0
        )
    except ValueError:
        raise UserError(
            f"{train.name}: has too few images of each class for train, validation and test; give three of each"
        ) from None
    if validation is None:
        validation = train.select(split.validation, f"{train.name} validation")
    if test is None:
        test = train.select(split.test, f"{train.name} test")
    return RawSplits(train.select(split.train), validation, test)


def _split_in_order(parts: RawSplits) -> RawSplits:
    """Split off the last images: for published sets, and for all sets under version 1 of the rules.

    A set with its own test part keeps its order unless it is sorted by class.
    """
    rest, validation, test = parts.train, parts.validation, parts.test
    name = rest.name
    by_class = bool((rest.labels.diff() >= 0).all()) and rest.labelled
    if not parts.shuffled and (test is None or by_class):
        rest = rest.select(shuffled(len(rest)))
    size = held_out(len(rest), test is not None)
    if test is None:
        test, rest = rest.select(slice(-size, None), f"{name} test"), rest.select(slice(None, -size))
    if validation is None:
        validation, rest = rest.select(slice(-size, None), f"{name} validation"), rest.select(slice(None, -size))
    return RawSplits(rest, validation, test)
