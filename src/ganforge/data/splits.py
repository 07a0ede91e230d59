"""How a set becomes train, validation and test where its makers did not cut it: always in the same way."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor

from ganforge.data.images import Splits
from ganforge.data.normalize_arrays import RawSplits
from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.errors import UserError
from ganforge.randomness import random_generator

PARTS = ("train", "validation", "test")


def shuffled(count: int, *part: str) -> Tensor:
    """Return the fixed order, int64 [count], in which a set (or a ``part`` of it) is cut."""
    return torch.randperm(count, generator=random_generator("split", *part))


def held_out(count: int, has_test: bool) -> int:
    """Return how many images validation and test get each: a tenth, or a twelfth where the makers cut a test part."""
    return max(1, count // (12 if has_test else 10))


@dataclass(frozen=True)
class Cut:
    """Which images of a set go where: int64 indices, each part in its fixed shuffled order."""

    train: Tensor
    validation: Tensor
    test: Tensor


def cut_evenly(labels: Tensor, *, validation: int, test: int) -> Cut:
    """Cut a set so that every class has the same share of each part, whatever the order of the images.

    Each class is shuffled by itself. Of a class of n among N images, the parts get n·validation/N and n·test/N, rounded
    so that the parts are as large as asked; training keeps at least one image of each class.

    Args:
        labels: int64 [N]; -1, unknown, counts as a class.
        validation: images for validation.
        test: images for test.

    Raises:
        ValueError: there are too few images of each class.
    """
    count = len(labels)
    order = shuffled(count)
    counts = torch.bincount(labels + 1)
    spare = (counts - 1).clamp_min(0)
    # Together first: who gives to one part for a rounding does not give to the other one, too.
    held = _shares(counts, spare, validation + test)
    of_test = _shares(counts, held, test)
    # How many of its class come before an image, in the shuffled order, says where the image goes.
    classes = labels[order] + 1
    place = _place_in_class(classes, len(counts))
    of_train = (counts - held)[classes]
    before_test = (counts - of_test)[classes]
    return Cut(order[place < of_train], order[(place >= of_train) & (place < before_test)], order[place >= before_test])


def order_in_file(parts: Sequence[str], labels: Tensor, rules: ReadingRules) -> tuple[Tensor, dict[str, int]]:
    """Return the order in which the images of a set are written into a file, and how many of them are of each part.

    The parts follow one another, each in its fixed shuffled order. What the makers did not cut is cut beforehand, but
    for sets that are too small to be cut, and under version 1 of the rules, where `cut` does it.

    Args:
        parts: of each image, as its makers cut the set.
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
        held = held_out(len(train), "test" not in missing)
        with suppress(ValueError):
            chosen = cut_evenly(labels[train], **{part: held if part in missing else 0 for part in PARTS[1:]})
            rows |= {part: train[getattr(chosen, part)] for part in ("train", *missing)}
    return torch.cat([rows[part] for part in PARTS]), {part: len(index) for part, index in rows.items() if len(index)}


def _shares(counts: Tensor, spare: Tensor, wanted: int) -> Tensor:
    """Share out ``wanted`` images over classes by largest remainders, in proportion to ``counts``, within ``spare``."""
    if int(spare.sum()) < wanted:
        raise ValueError("too few images of each class")
    exact = counts.double() * wanted / int(counts.sum())
    shares = torch.minimum(exact.floor().long(), spare)
    while (left := wanted - int(shares.sum())) > 0:
        remainder = torch.where(shares < spare, exact - shares, -torch.inf)
        shares[remainder.argsort(descending=True, stable=True)[: min(left, int((shares < spare).sum()))]] += 1
    return shares


def _place_in_class(classes: Tensor, count: int) -> Tensor:
    """Return for every image how many of its class come before it."""
    by_class = classes.argsort(stable=True)
    starts = torch.bincount(classes, minlength=count).cumsum(0).roll(1)
    starts[0] = 0
    place = torch.empty_like(classes)
    place[by_class] = torch.arange(len(classes)) - starts[classes[by_class]]
    return place


def split_dataset(
    parts: RawSplits, origin: str, images: str, rules: ReadingRules = USUAL, *, published: bool = False
) -> Splits:
    """Cut what the makers of a set did not: a twelfth for validation where there is a test part, else 80/10/10.

    Every class gets the same share of each part (`cut_evenly`). Only the order of a ``published`` set is trusted
    (MNIST: 55,000 + 5,000). With ``images`` = ``all`` the validation images are trained on, too.

    Raises:
        UserError: there are too few images.
    """
    count, has_test = len(parts.train), parts.test is not None
    needed = 2 + (parts.validation is None) + (not has_test)
    if count < needed:
        raise UserError(
            f"{parts.train.name}: {count} images are too few to train, validate and test on; give {needed} or more"
        )
    if published or parts.shuffled or rules.version == 1:
        whole = _cut_in_order(parts)
    elif parts.validation is None or not has_test:
        whole = _cut_by_class(parts)
    else:
        whole = parts
    train, validation, test = whole.train, whole.validation, whole.test
    assert validation is not None
    assert test is not None
    if images == "all":
        train = train.concat(validation)
    return Splits(train, validation, test, origin, parts.notes)


def _cut_by_class(parts: RawSplits) -> RawSplits:
    train, validation, test = parts.train, parts.validation, parts.test
    held = held_out(len(train), test is not None)
    try:
        chosen = cut_evenly(
            train.labels, validation=held if validation is None else 0, test=held if test is None else 0
        )
    except ValueError:
        raise UserError(
            f"{train.name}: holds too few images of each class to train, validate and test on; give three of each"
        ) from None
    if validation is None:
        validation = train.select(chosen.validation, f"{train.name} validation")
    if test is None:
        test = train.select(chosen.test, f"{train.name} test")
    return RawSplits(train.select(chosen.train), validation, test)


def _cut_in_order(parts: RawSplits) -> RawSplits:
    """Cut the end off: the order of published sets, and of all sets under version 1 of the rules.

    A set with its own test part keeps its order unless that order is by class.
    """
    rest, validation, test = parts.train, parts.validation, parts.test
    name = rest.name
    by_class = bool((rest.labels.diff() >= 0).all()) and rest.labelled
    if not parts.shuffled and (test is None or by_class):
        rest = rest.select(shuffled(len(rest)))
    held = held_out(len(rest), test is not None)
    if test is None:
        test, rest = rest.select(slice(-held, None), f"{name} test"), rest.select(slice(None, -held))
    if validation is None:
        validation, rest = rest.select(slice(-held, None), f"{name} validation"), rest.select(slice(None, -held))
    return RawSplits(rest, validation, test)
