"""Augmentation, decided by measurement: which further pictures help a classifier of few labels, if any do.

Every option trains the same learner for the same number of steps, with the same seeds; validation images choose, and
test images report the error of the chosen option, once.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganforge.applications import augment_sets as sets
from ganforge.applications.augment_parts import Parts
from ganforge.applications.augment_report import (
    BOTH,
    FIXMATCH,
    GAN,
    GAN_ALONE,
    GAN_UNFILTERED,
    GUESSES,
    MIXUP,
    MOVES,
    NOTHING,
    STRONG,
    Choice,
    FilterRow,
    Row,
)
from ganforge.applications.augment_sets import DrawnSets, MadeSet
from ganforge.applications.learner import Classifier, Learner, predict
from ganforge.applications.own_learners import FixMatch, SmallLearner
from ganforge.data.images import ImageSet
from ganforge.evaluation.compare import holm
from ganforge.experiment.experiment import ProgressListener
from ganforge.generation.generator import Generator
from ganforge.metrics.paired import paired_difference
from ganforge.process_state import plain_state

SEEDS, FEWEST_SEEDS = 3, 3
FEWEST_STEPS, MOST_STEPS = 50, 3000
"""Steps of a classifier: at least and, unless the user says how many, at most."""
TIMED_STEPS, SHARE_OF_STEPS = 3, 0.8
"""Steps whose time is measured; share of the seconds for steps, because making and reading pictures takes some, too."""


class Option(NamedTuple):
    """A way to make more of few labels: how its pictures are made for a seed, and the learner.

    ``filter`` is the name of a filter whose worth the option measures, beside `GAN_UNFILTERED`; such an option is not
    among those to choose from.
    """

    name: str
    make: Callable[[int], MadeSet]
    learner: Learner
    filter: str = ""


class Trained(NamedTuple):
    """The classifiers of an option by seed, and which validation images each gets wrong, bool [S, V]."""

    option: Option
    classifiers: list[Classifier]
    wrong: Tensor


def options_for(
    parts: Parts, drawn: DrawnSets | None, teacher: nn.Module, learner: Learner | None, own: SmallLearner
) -> list[Option]:
    """Return the options: those to choose from, and one for each filter.

    Args:
        parts: of the data.
        drawn: the generated pictures; None: options with generated pictures are left out.
        teacher: a classifier of the labelled pictures, which guesses labels.
        learner: the user's learner; mixup and FixMatch are ways to train our own and are left out then.
        own: our own learner.
    """
    plain: Learner = learner or own

    def as_given(_: int) -> MadeSet:
        return sets.originals(parts)

    options = [
        Option(NOTHING, as_given, plain),
        *(Option(name, partial(_moved, parts, name), plain) for name in (MOVES, STRONG)),
    ]
    if learner is None:
        options.append(Option(MIXUP, as_given, SmallLearner(own.network, mixup=True)))
    if parts.unlabelled is not None:
        options.append(Option(GUESSES, partial(sets.with_guessed, parts, teacher), plain))
        if learner is None:
            options.append(Option(FIXMATCH, as_given, FixMatch(parts.unlabelled.images, own.network)))
    return options + (_options_with_generated(parts, drawn, plain) if drawn else [])


def _moved(parts: Parts, name: str, seed: int) -> MadeSet:
    return sets.with_moved(parts, name, seed)


def _options_with_generated(parts: Parts, drawn: DrawnSets, plain: Learner) -> list[Option]:
    given, count = sets.originals(parts), sets.added(parts)

    def all_filters(seed: int) -> MadeSet:
        return sets.join([given, drawn[seed].some(drawn[seed].kept_by_all, count)])

    def no_filter(seed: int) -> MadeSet:
        return sets.join([given, drawn[seed].some(torch.ones(len(drawn[seed].pictures), dtype=torch.bool), count)])

    def alone(seed: int) -> MadeSet:
        return drawn[seed].some(drawn[seed].kept_by_all, len(given) + count)

    def one_filter(name: str, seed: int) -> MadeSet:
        return sets.join([given, drawn[seed].some(drawn[seed].kept[name], count)])

    def both(seed: int) -> MadeSet:
        generated = drawn[seed].some(drawn[seed].kept_by_all, count // 2)
        moved = sets.repeated(given, count - len(generated)).with_moves(MOVES, seed)
        return sets.join([given, moved, generated.with_moves(MOVES, seed + 1)] if len(generated) else [given, moved])

    return [
        Option(GAN, all_filters, plain),
        Option(GAN_UNFILTERED, no_filter, plain),
        Option(BOTH, both, plain),
        Option(GAN_ALONE, alone, plain),
        *(Option(f"GAN, {name}", partial(one_filter, name), plain, name) for name in sets.FILTERS),
    ]


@plain_state()
def augment(
    parts: Parts,
    generator: Generator | None,
    *,
    learner: Learner | None = None,
    own: SmallLearner | None = None,
    steps: int | None = None,
    seconds: float = 300.0,
    seeds: int = SEEDS,
    watcher: ProgressListener | None = None,
) -> tuple[Choice, list[Trained], ImageSet]:
    """Measure every option on the validation images, choose, and report on the test images.

    Args:
        parts: of the data, as `divide` returns them; validation and test images are used up.
        generator: of generated pictures; None: options with them are left out.
        learner: the user's learner, in place of our own.
        own: our own learner; LeNet-5 unless given.
        steps: of every classifier; unless given, as many as fit in ``seconds``, `FEWEST_STEPS` to `MOST_STEPS`.
        seconds: for all classifiers together, unless ``steps`` is given.
        seeds: classifiers of each option.
        watcher: receives the progress.

    Returns:
        the choice, the classifiers of every option, and the test images.

    Raises:
        UserError: the user's learner fails, or its classifier returns something else than classes.
    """
    own, watcher = own or SmallLearner(), watcher or ProgressListener()
    given = parts.labelled
    untrained = own(given.images, given.labels, steps=0, seed=0)
    planned = options_for(parts, _drawn(generator, parts, untrained), untrained, learner, own)
    if steps is None:
        steps = _steps_within(seconds, planned, parts, seeds)
    watcher.say(f"{len(planned)} options, {seeds} seeds each, {steps:,} steps each")
    made = sets.with_moved(parts, MOVES, 0)
    teacher = own(made.images, made.labels, steps=steps, seed=0)
    drawn = _drawn(generator, parts, teacher)
    options = options_for(parts, drawn, teacher, learner, own)
    if drawn and not all(drawn[seed].has_all_classes(parts.classes) for seed in range(seeds)):
        options = [option for option in options if option.name != GAN_ALONE]
    trained = _train_all(options, parts, steps, seeds, watcher)
    chosen, rows = _choose([one for one in trained if not one.option.filter])
    test = parts.test.open()
    before, after = (_wrong(one.classifiers, test, parts.classes) for one in (trained[0], chosen))
    by_name = {one.option.name: one for one in trained}
    choice = Choice(
        rows,
        _filter_rows(by_name, drawn),
        paired_difference(by_name[BOTH].wrong, by_name[MOVES].wrong) if generator else None,
        chosen.option.name,
        chosen.option.make(0),
        (float(before.double().mean()), float(after.double().mean())),
        paired_difference(after, before),
        (len(given), len(parts.validation), len(test)),
        steps,
        seeds,
    )
    return choice, trained, test


def _drawn(generator: Generator | None, parts: Parts, teacher: nn.Module) -> DrawnSets | None:
    return None if generator is None else DrawnSets(generator, parts, teacher)


def _steps_within(seconds: float, options: Sequence[Option], parts: Parts, seeds: int) -> int:
    """Return how many steps each classifier can take, from the measured time of a few steps of each learner."""
    by_learner: dict[int, float] = {}
    given = parts.labelled
    for option in options:
        if id(option.learner) not in by_learner:
            option.learner(given.images, given.labels, steps=1, seed=0)  # the first call warms up
            started = time.perf_counter()
            option.learner(given.images, given.labels, steps=TIMED_STEPS, seed=0)
            by_learner[id(option.learner)] = (time.perf_counter() - started) / TIMED_STEPS
    of_one_step = seeds * sum(by_learner[id(option.learner)] for option in options)
    return max(FEWEST_STEPS, min(MOST_STEPS, round(SHARE_OF_STEPS * seconds / of_one_step)))


def _train_all(
    options: Sequence[Option], parts: Parts, steps: int, seeds: int, watcher: ProgressListener
) -> list[Trained]:
    """Train every option with every seed, and measure on the validation images, which are opened here."""
    validation = parts.validation.open()
    trained = []
    for number, option in enumerate(options):
        classifiers: list[Classifier] = []
        for seed in range(seeds):
            watcher.benchmarking(number * seeds + seed, len(options) * seeds, option.name, "classifiers")
            made = option.make(seed)
            classifiers.append(option.learner(made.images, made.labels, steps=steps, seed=seed))
        trained.append(Trained(option, classifiers, _wrong(classifiers, validation, parts.classes)))
    watcher.end()
    return trained


def _wrong(classifiers: Sequence[Classifier], images: ImageSet, classes: int) -> Tensor:
    """Return which images each classifier gets wrong, bool [S, N]."""
    return torch.stack([predict(classifier, images.images, classes) != images.labels for classifier in classifiers])


def _choose(trained: Sequence[Trained]) -> tuple[Trained, tuple[Row, ...]]:
    """Return the option with the smallest error if it helps beyond noise, else the first one, which adds nothing."""
    nothing, *others = trained
    differences = [paired_difference(one.wrong, nothing.wrong) for one in others]
    beyond_noise = holm([difference.p_value for difference in differences])
    error = float(nothing.wrong.double().mean())
    rows = [Row(NOTHING, error, paired_difference(nothing.wrong, nothing.wrong), False)]
    helping = [nothing]
    for one, difference, is_beyond in zip(others, differences, beyond_noise, strict=True):
        rows.append(Row(one.option.name, float(one.wrong.double().mean()), difference, is_beyond))
        if is_beyond and difference.difference < 0:
            helping.append(one)
    return min(helping, key=lambda one: float(one.wrong.double().mean())), tuple(rows)


def _filter_rows(trained: dict[str, Trained], drawn: DrawnSets | None) -> tuple[FilterRow, ...]:
    if drawn is None:
        return ()
    kept = drawn[0].kept
    unfiltered = trained[GAN_UNFILTERED].wrong
    return tuple(
        FilterRow(
            one.option.filter,
            1 - float(kept[one.option.filter].double().mean()),
            paired_difference(one.wrong, unfiltered),
        )
        for one in trained.values()
        if one.option.filter
    )
