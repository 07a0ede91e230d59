"""Strengthening of a classifier with found pictures, beside controls with as many other pictures at equal steps."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.applications.found_files import Found
from ganforge.applications.latent_search import Explorer
from ganforge.applications.learner import Classifier, Learner
from ganforge.applications.strength_measures import Measures
from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet
from ganforge.data.moves import larger_moves, moved_pictures
from ganforge.evaluation.user_classifier import UserClassifier, of_callable
from ganforge.process_state import plain_state
from ganforge.randomness import random_generator

SHARE = 0.25
"""Part of the training pictures that is new in every arm but "more of the same"; few pictures are repeated."""
BATCH, RATE = 64, 1e-3
"""Of the built-in training."""
BEFORE, SAME, FAKES, MOVED, FOUND, BOTH, REAL = (
    "before",
    "more of the same",
    "random fakes",
    "moved",
    "found",
    "moved and found",
    "real, searched",
)
"""The arms: the classifier as it is, and six trainings of equal length."""
ARMS = (SAME, FAKES, MOVED, FOUND, BOTH, REAL)


@dataclass(frozen=True)
class Strengthened:
    """Errors by arm, seed and measure, and the classifiers of seed 0.

    Attributes:
        errors: for each arm, one mapping from measure to error for each seed; "before" has one.
        classifiers: of the first seed, by arm.
    """

    errors: Mapping[str, list[dict[str, float]]]
    classifiers: Mapping[str, Any]


def strengthen(
    classifier: UserClassifier,
    learner: Learner,
    start: Any,
    base: ImageSet,
    found: Found,
    explorer: Explorer,
    measures: Measures,
    train: ImageSet,
    *,
    steps: int,
    seeds: int,
    on_done: Callable[[int], None] | None = None,
) -> Strengthened:
    """Train the classifier in every arm with every seed, and measure each result.

    Args:
        classifier: as it is, for the measurement before.
        learner: trains, from ``start`` on where that is not None.
        start: the classifier that the learner goes on from.
        base: the pictures that the classifier has learned from.
        found: the pictures of a probe.
        explorer: draws the random fakes.
        measures: the test pictures of all kinds.
        train: the generator's training pictures, for the control with real ones.
        steps: of each training.
        seeds: number of trainings of each arm.
        on_done: called with 1 after each training.

    Raises:
        UserError: the learner fails, or returns no classifier.
    """
    extras = extra_pictures(classifier, found, explorer, train)
    errors: dict[str, list[dict[str, float]]] = {BEFORE: [measures.errors(classifier)]}
    kept: dict[str, Any] = {}
    for seed in range(seeds):
        for arm in ARMS:
            pictures = arm_pictures(arm, base, extras, seed)
            trained = learner(pictures.images, pictures.labels, steps=steps, seed=seed, start=start)
            errors.setdefault(arm, []).append(measures.errors(of_callable(arm, trained, classifier.pixel_range)))
            kept.setdefault(arm, trained)
            if on_done:
                on_done(1)
    return Strengthened(errors, kept)


def extra_pictures(
    classifier: UserClassifier, found: Found, explorer: Explorer, train: ImageSet
) -> dict[str, ImageSet]:
    """Return the pictures of equal number that the arms add: found ones, random fakes, and real ones by the search.

    The real ones are those of the generator's training pictures with the least margin, which is what the search in the
    latent space looks for: what someone who holds those pictures would take.
    """
    count = len(found.images)
    latent = explorer.generator.latent(count, seed=found.seed, name="strengthen fakes")
    labels = torch.arange(count) % len(found.class_names)
    fakes = explorer.generator.draw(latent, labels.to(latent.device))
    probabilities = classifier.probabilities(train.images, len(train.class_names))
    own = probabilities.gather(1, train.labels[:, None])[:, 0]
    margin = own - probabilities.scatter(1, train.labels[:, None], -1.0).amax(1)
    hardest = margin.argsort(stable=True)[:count]
    return {
        FOUND: ImageSet(found.images, found.labels, found.class_names, FOUND),
        FAKES: ImageSet(fakes, labels, found.class_names, FAKES),
        REAL: train.select(hardest, REAL),
    }


def arm_pictures(arm: str, base: ImageSet, extras: Mapping[str, ImageSet], seed: int) -> ImageSet:
    """Return the training pictures of an arm: those of the base, and `SHARE` of further ones."""
    count = max(1, round(len(base) * SHARE / (1 - SHARE)))
    if arm == SAME:
        return base
    if arm == MOVED:
        return base.concat(moved_copies(base, count, seed))
    extra = extras[FOUND if arm == BOTH else arm]
    mixed = base.concat(extra.select(torch.arange(count) % len(extra)))
    return mixed.concat(moved_copies(mixed, count, seed)) if arm == BOTH else mixed


def moved_copies(images: ImageSet, count: int, seed: int) -> ImageSet:
    """Return ``count`` random pictures, each with a larger move (`ganforge.data.moves.larger_moves`)."""
    random = random_generator(seed, "strengthen chosen")
    chosen = images.select(torch.randint(len(images), (count,), generator=random))
    moved = moved_pictures(chosen.images, larger_moves, seed, "strengthen moved")
    return ImageSet(moved, chosen.labels, images.class_names, MOVED)


def fine_tuner(pixel_range: str) -> Learner:
    """Return the built-in learner of torch modules, which goes on from ``start`` with Adam.

    The rate falls to zero, so that the last steps change little.
    """

    @plain_state()
    def learn(
        images: Tensor, labels: Tensor, /, *, steps: int, seed: int, start: Classifier | None = None
    ) -> nn.Module:
        assert isinstance(start, nn.Module)
        module = copy.deepcopy(start).train().requires_grad_()
        torch.manual_seed(seed)  # for a dropout of the module; `plain_state` restores the state
        names = tuple(map(str, range(int(labels.max()) + 1)))
        data, size = ImageSet(images, labels, names), min(BATCH, len(images))
        batches = Batches(data, size, pixel_range, seed=seed, labels=True, device=torch.device("cpu"))
        optimizer = torch.optim.Adam(module.parameters(), RATE)
        for step in range(steps):
            batch = batches[step]
            assert batch.condition is not None
            optimizer.param_groups[0]["lr"] = RATE * (1 - step / steps)
            loss = F.cross_entropy(module(batch.images), batch.condition)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return module.eval().requires_grad_(False)

    return learn
