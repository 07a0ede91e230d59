"""Corruptions of random draws: a generator draws none, so a probe tries each of them beside its search."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganforge.applications.latent_search import Drawn, Explorer, OnDrawn
from ganforge.data.corruptions import TRIED, corrupted
from ganforge.metrics.intervals import Interval, proportion_interval

SHARE, MOST_DRAWS = 0.1, 2000
"""Random draws that get every corruption: as a share of the budget, and at most."""
FAR = 0.02
"""Points by which an error must surely be above the usual one: every classifier reads corrupted pictures worse."""
FEWEST, EXAMPLES = 3, 12
"""Misread copies of a hole, and those that are kept for the sheet."""


@dataclass(frozen=True)
class CorruptionTrial:
    """A corruption on random draws of one class.

    Attributes:
        corruption: name of the corruption, one of `TRIED`.
        label: the class.
        tested, wrong: corrupted draws of which a reader is still sure, and those that the classifier misreads.
        error, interval: their ratio.
        usual: the classifier's error on the same draws without the corruption.
        hole: whether `FEWEST` or more are misread, and the lower end of the interval is more than `FAR` above the usual
            error.
        misread: the first `EXAMPLES` misread ones, uint8 [M, C, H, W].
    """

    corruption: str
    label: int
    tested: int
    wrong: int
    error: float
    interval: Interval
    usual: float
    hole: bool
    misread: Tensor


def draws_to_corrupt(budget: int) -> int:
    """Return how many random draws get every corruption."""
    return min(MOST_DRAWS, int(SHARE * budget))


def corrupted_copies(budget: int) -> int:
    """Return how many corrupted copies a probe looks at, at most."""
    return len(TRIED) * draws_to_corrupt(budget)


def try_corruptions(
    draws: Drawn, explorer: Explorer, seed: int, on_drawn: OnDrawn | None = None
) -> tuple[CorruptionTrial, ...]:
    """Corrupt random draws of which both readers are sure, and ask readers and classifier again.

    The class is known, because both readers were sure before. Only copies of which one of them is still sure count, so
    a corruption that nobody can read is no weakness. Both would be too much to ask: each has weaknesses of its own, and
    the copies that are left are easy for any classifier.

    Returns:
        a trial for each corruption and class with such a copy, the error farthest above the usual one first.
    """
    trials = []
    for name in TRIED:
        images = corrupted(draws.images, name, seed)
        sure = explorer.readers.either(images, draws.labels)
        predicted = explorer.classifier.probabilities(images, len(explorer.generator.class_names)).argmax(1)
        wrong = predicted != draws.labels
        for label in draws.labels[sure].unique().tolist():
            own = sure & (draws.labels == label)
            trials.append(_trial(name, label, images[own], wrong[own], draws.wrong[own]))
        if on_drawn:
            on_drawn(len(images))
    return tuple(sorted(trials, key=lambda trial: trial.interval.low - trial.usual, reverse=True))


def _trial(name: str, label: int, images: Tensor, wrong: Tensor, wrong_before: Tensor) -> CorruptionTrial:
    tested, count = len(wrong), int(wrong.sum())
    interval, usual = proportion_interval(count, tested), float(wrong_before.float().mean())
    hole = count >= FEWEST and interval.low > usual + FAR
    misread = images[torch.nonzero(wrong).flatten()[:EXAMPLES]]
    return CorruptionTrial(name, label, tested, count, count / tested, interval, usual, hole, misread)
