"""Probe of a classifier: pictures that two readers read surely and the classifier reads wrongly, grouped and named."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganforge.applications.corruption_trials import (
    CorruptionTrial,
    corrupted_copies,
    draws_to_corrupt,
    try_corruptions,
)
from ganforge.applications.latent_search import Drawn, Explorer, OnDrawn
from ganforge.applications.weakness_groups import Group, Styles, group_found, styles_of
from ganforge.data.images import ImageSet, Splits
from ganforge.errors import UserError
from ganforge.evaluation.readers import Readers
from ganforge.evaluation.user_classifier import UserClassifier
from ganforge.generation.generator import Generator
from ganforge.metrics.intervals import Interval, proportion_interval

RANDOM_SHARE = 0.6
"""Share of the budget for random draws, which give the rates; the rest is for the search."""
LEAST_BUDGET = 200
ALIKE = 0.98
"""Cosine of two pictures above which the second one is a copy."""
MOST_FOUND = 4000
"""Pictures that are kept at most, the random ones first."""


@dataclass(frozen=True)
class Probe:
    """The result of a probe.

    Attributes:
        found: the pictures that the classifier reads wrongly, without copies.
        group: the group of each, int64 [N], an index into ``groups``.
        groups: the most common one first.
        styles: of each class, with their error among random draws, the weakest first.
        drawn: random draws, and those of them of which both readers are sure.
        error: errors among these, and the interval.
        corruptions: the trials of corrupted draws, the error farthest above the usual one first.
    """

    found: Drawn
    group: Tensor
    groups: tuple[Group, ...]
    styles: Styles
    class_names: tuple[str, ...]
    drawn: int
    sure: int
    error: float
    interval: Interval
    searched: int
    corruptions: tuple[CorruptionTrial, ...]


def pictures_to_read(budget: int) -> int:
    """Return how many pictures a probe reads at most: the budget, and corrupted copies of some random draws."""
    return budget + corrupted_copies(budget)


def fitting(generator: Generator, splits: Splits) -> None:
    """Refuse generators without classes, and data that do not fit the generator or that it may have seen otherwise.

    Raises:
        UserError: no classes, other classes or another shape, or test pictures that the generator may have seen.
    """
    name = splits.train.name
    if generator.recipe.pairs or not generator.class_names:
        raise UserError(f"{generator.recipe.name} draws no pictures of a class; give a conditional generator")
    if tuple(generator.note["shape"]) != splits.train.shape or generator.class_names != splits.train.class_names:
        raise UserError(f"{name}: the pictures or classes differ from those that {generator.recipe.name} draws")
    if generator.recipe.data.images == "all":
        fingerprint = Splits(splits.train.concat(splits.validation), splits.validation, splits.test).fingerprint
    else:
        fingerprint = splits.fingerprint
    if generator.note.get("fingerprint") != fingerprint:
        raise UserError(
            f"{name}: is not the data of {generator.recipe.name}, which may have seen these test pictures; give the "
            f"data that it was trained on ({generator.note['data']}), or a generator of {name}"
        )


def probe(
    classifier: UserClassifier,
    generator: Generator,
    readers: Readers,
    splits: Splits,
    *,
    budget: int,
    seed: int = 0,
    on_drawn: OnDrawn | None = None,
) -> Probe:
    """Draw and search ``budget`` pictures, group those that the classifier reads wrongly, and try corruptions.

    Args:
        classifier: of the classes of the data.
        generator: conditional, trained on the same classes.
        readers: of these data.
        splits: the data; training pictures make the styles, test pictures are compared with the groups.
        budget: number of drawn pictures; a step of gradient counts as one.
        seed: of latents and search.
        on_drawn: receives the numbers of pictures just read, `pictures_to_read` in all at most.

    Raises:
        UserError: the data do not fit the generator, or the classifier fails.
    """
    fitting(generator, splits)
    explorer = Explorer(generator, classifier, readers)
    random = explorer.draw(max(LEAST_BUDGET // 2, int(RANDOM_SHARE * budget)), seed, on_drawn)
    searched = explorer.search(random, budget - len(random), seed, on_drawn)
    found = without_copies(random.select(random.wrong).concat(searched.select(searched.wrong)))
    sure = random.select(random.sure)
    if not len(sure):
        raise UserError(f"{generator.recipe.name}: the readers are sure of none of its pictures; train it for longer")
    corruptions = try_corruptions(sure.select(slice(0, draws_to_corrupt(budget))), explorer, seed, on_drawn)
    styles = styles_of(splits.train, sure)
    group, groups = group_found(found, sure, styles, readers, classifier, splits.test)
    wrong = int(sure.wrong.sum())
    interval = proportion_interval(wrong, len(sure))
    names = generator.class_names
    return Probe(
        *(found, group, groups, styles, names),
        *(len(random), len(sure), wrong / len(sure), interval, len(searched)),
        corruptions,
    )


def without_copies(found: Drawn) -> Drawn:
    """Drop every picture that is nearly equal to an earlier one, and keep the first `MOST_FOUND`."""
    pixels = torch.nn.functional.normalize(found.images.flatten(1).float(), dim=1)
    kept: list[int] = []
    for row in range(len(found)):
        if len(kept) == MOST_FOUND:
            break
        if not kept or float((pixels[kept] @ pixels[row]).max()) < ALIKE:
            kept.append(row)
    return found.select(torch.tensor(kept, dtype=torch.int64))


def misread(classifier: UserClassifier, images: ImageSet) -> np.ndarray:
    """Return which real pictures a classifier reads wrongly, bool [N]."""
    predicted = classifier.probabilities(images.images, len(images.class_names)).argmax(1)
    wrong: np.ndarray = (predicted != images.labels).numpy()
    return wrong
