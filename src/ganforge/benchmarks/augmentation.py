"""``benchmark augment``: is the choice of ``ganforge augment`` right, over settings, draws of labels and networks?"""

import statistics
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganforge.applications.augment import augment
from ganforge.applications.augment_generator import train_generator
from ganforge.applications.augment_parts import Parts, divide
from ganforge.applications.augment_report import NOTHING
from ganforge.applications.learner import predict
from ganforge.applications.own_learners import SmallLearner
from ganforge.benchmarks.common import BenchmarkOptions, BenchmarkReport, count_of, mean_and_sd, measure_once
from ganforge.data.images import Splits
from ganforge.data.load import load
from ganforge.errors import UserError, suggest_names
from ganforge.evaluation.downstream import NetworkKind, SmallNetwork
from ganforge.evaluation.told_apart import LeNet
from ganforge.generation.generator import Generator, load_generator
from ganforge.metrics.intervals import interval_of_splits
from ganforge.metrics.paired import paired_difference
from ganforge.randomness import random_generator
from ganforge.runs.folder import RunFolder

NETWORKS: dict[str, NetworkKind] = {"LeNet": LeNet, "SmallNetwork": SmallNetwork}
DRAWS, STEPS, GENERATOR_STEPS = 5, 1000, 5000
"""Draws of the labels, steps of a classifier, and of the generator."""
QUICK_DRAWS, QUICK_STEPS, QUICK_GENERATOR_STEPS = 1, 100, 300
QUICK_RECIPE = "cgan"
"""Recipe of ``--quick``, whose steps are short; else the default one for labelled pictures."""
RARE, RARE_COUNT, COMMON_COUNT = (2, 5, 8), 20, 500
"""Setting mnist-rare: the rare classes, their labels each, and those of every other class."""


@dataclass(frozen=True)
class Setting:
    """A data set and its number of labels; ``rare``: three classes have few, and there are no unlabelled pictures."""

    data: str
    labels: int
    rare: bool = False

    def parts(self, splits: Splits, draw: int) -> Parts:
        """Return the parts of a draw."""
        if not self.rare:
            return divide(splits, self.labels, draw=draw)
        train = splits.train
        return divide(replace(splits, train=train.select(_rare_rows(train.labels, draw))), draw=draw)


SETTINGS = {
    "mnist-50": Setting("mnist", 50),
    "mnist-100": Setting("mnist", 100),
    "mnist-500": Setting("mnist", 500),
    "mnist-rare": Setting("mnist", 0, rare=True),
    "cifar10-500": Setting("cifar10", 500),
    "glyphs-100": Setting("digits", 100),
}
"""The settings by name; all but mnist-rare have unlabelled pictures. glyphs: scikit-learn's digits, 8×8."""


@dataclass(frozen=True)
class Trial:
    """One draw of labels of a setting with one network: errors in 0..1, by option.

    Attributes:
        setting, draw, network: of the trial.
        chosen: the option that ``augment`` chose on validation images.
        validation: errors on validation images.
        test: errors on test images.
        beside_nothing: paired difference of each test error from that of learning from the labels alone, and the ends
            of its 95 % interval.
        regret: test error of the choice above that of the option with the smallest one.
        allowed: twice the standard error of this paired difference.
        steps, generator_steps: of the trainings.
    """

    setting: str
    draw: int
    network: str
    chosen: str
    validation: dict[str, float]
    test: dict[str, float]
    beside_nothing: dict[str, tuple[float, float, float]]
    regret: float
    allowed: float
    steps: int
    generator_steps: int

    @property
    def is_right(self) -> bool:
        """Whether the choice costs no more than the best option and noise; then "nothing" is right, too."""
        return self.regret <= self.allowed


@dataclass(frozen=True)
class AugmentReport(BenchmarkReport):
    """All trials of a call."""

    trials: tuple[Trial, ...]
    folder: Path
    quick: bool
    header = ("setting", "network", "option", "test error", "beside nothing (95 % interval)", "chosen")

    @property
    def title(self) -> str:
        """The task."""
        return f"augment: which further pictures help, and is the choice right?{' --quick, no protocol' * self.quick}"

    def table(self) -> list[tuple[str, ...]]:
        """Return a row for each option: mean test error ± standard deviation over draws, how often it was taken."""
        rows: list[tuple[str, ...]] = []
        for setting, network in dict.fromkeys((trial.setting, trial.network) for trial in self.trials):
            of_both = [trial for trial in self.trials if (trial.setting, trial.network) == (setting, network)]
            # an option can be missing: "GAN alone" where the filters leave no picture of some class
            for option in dict.fromkeys(option for trial in of_both for option in trial.test):
                trials = [trial for trial in of_both if option in trial.test]
                errors = mean_and_sd([trial.test[option] for trial in trials], "{:.2%}".format)
                times = sum(trial.chosen == option for trial in trials)
                beside = _points([trial.beside_nothing[option] for trial in trials])
                rows.append((setting, network, option, errors, beside, f"{times} of {len(trials)}" if times else ""))
        return rows

    def notes(self) -> list[str]:
        """Return the share of right choices, the lengths, and where the results are."""
        right = sum(trial.is_right for trial in self.trials)
        steps = sorted({(trial.steps, trial.generator_steps) for trial in self.trials})
        lengths = ", ".join(f"{of_one:,} (generator: {of_generator:,})" for of_one, of_generator in steps)
        return [
            f"right choices: {right} of {count_of(len(self.trials), 'trial')} (regret at most twice the standard error "
            "of the paired difference from the best option on test images)",
            f"steps of each classifier: {lengths}; results: {self.folder}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        trials = [asdict(trial) | {"is_right": trial.is_right} for trial in self.trials]
        return {"benchmark": "augment", "quick": self.quick, "folder": str(self.folder), "trials": trials}


def _points(differences: list[tuple[float, float, float]]) -> str:
    """Return a difference in percentage points: of one draw with its interval, of several with that over the draws."""
    estimate, low, high = differences[0]
    if len(differences) > 1:
        of_draws = [difference for difference, _, _ in differences]
        estimate = statistics.fmean(of_draws)
        low, high = interval_of_splits(estimate, of_draws)
    return f"{100 * estimate:+.1f} points, {100 * low:+.1f} to {100 * high:+.1f}"


def run_augmentation(options: BenchmarkOptions) -> AugmentReport:
    """Measure every option of ``augment`` in each setting, on validation and on test images; results are kept.

    Args:
        options: ``only``: names of settings, all unless given; ``seeds``: number of draws; ``steps``: of a classifier.

    Raises:
        UserError: a setting is unknown, or its data are not on this machine.
    """
    names = options.only or (["glyphs-100"] if options.quick else list(SETTINGS))
    for name in names:
        if name not in SETTINGS:
            raise UserError(f"--only {name}: {suggest_names(name, SETTINGS)}")
    draws = options.seeds or (QUICK_DRAWS if options.quick else DRAWS)
    networks = ["LeNet"] if options.quick else list(NETWORKS)
    folder, lengths = options.folder(), _lengths(options)
    trials = []
    for name in names:
        for draw in range(draws):
            for network in networks:
                file = folder / f"{name}-{draw}-{network}-{lengths[0]}-{lengths[1]}.json"
                measure = partial(_measure, options, name, draw, network, folder)
                trials.append(measure_once(file, measure, Trial, indent=2))
    return AugmentReport(tuple(trials), folder, options.quick)


def _measure(options: BenchmarkOptions, name: str, draw: int, network: str, folder: Path) -> dict[str, Any]:
    watcher, (steps, generator_steps) = options.watcher, _lengths(options)
    watcher.say(f"{name}, draw {draw}, {network}")
    parts = SETTINGS[name].parts(load(SETTINGS[name].data), draw)
    generator = _generator(options, parts, folder / "generators" / f"{name}-{draw}", generator_steps)
    own = SmallLearner(NETWORKS[network])
    choice, trained, test = augment(parts, generator, own=own, steps=steps, watcher=watcher)
    wrong: dict[str, Tensor] = {
        one.option.name: torch.stack(
            [predict(classifier, test.images, parts.classes) != test.labels for classifier in one.classifiers]
        )
        for one in trained
        if not one.option.filter
    }
    errors = {option: float(rows.double().mean()) for option, rows in wrong.items()}
    best = min(errors, key=errors.__getitem__)
    difference = paired_difference(wrong[choice.chosen], wrong[best])
    return asdict(
        Trial(
            setting=name,
            draw=draw,
            network=network,
            chosen=choice.chosen,
            validation={row.name: row.error for row in choice.rows},
            test=errors,
            beside_nothing={option: _beside(rows, wrong[NOTHING]) for option, rows in wrong.items()},
            regret=difference.difference,
            allowed=2 * difference.standard_error,
            steps=steps,
            generator_steps=generator_steps,
        )
    )


def _beside(one: Tensor, other: Tensor) -> tuple[float, float, float]:
    difference = paired_difference(one, other)
    return difference.difference, difference.low, difference.high


def _lengths(options: BenchmarkOptions) -> tuple[int, int]:
    """Return the steps of a classifier and of a generator."""
    return options.steps_or(STEPS, QUICK_STEPS), QUICK_GENERATOR_STEPS if options.quick else GENERATOR_STEPS


def _generator(options: BenchmarkOptions, parts: Parts, folder: Path, steps: int) -> Generator:
    """Return the generator of a draw; both networks share it, and a complete one is not trained again."""
    if RunFolder(folder).exists and RunFolder(folder).read_run().get("status") == "finished":
        return load_generator(folder)
    recipe = options.recipe or (QUICK_RECIPE if options.quick else "default")
    return train_generator(parts, recipe=recipe, steps=steps, out=folder, watcher=options.watcher).generator()


def _rare_rows(labels: Tensor, draw: int) -> Tensor:
    """Return the rows of a training part with three rare classes, int64."""
    rows = []
    for number in range(int(labels.max()) + 1):
        of_class = torch.nonzero(labels == number).flatten()
        order = torch.randperm(len(of_class), generator=random_generator("rare", draw, number))
        rows.append(of_class[order[: RARE_COUNT if number in RARE else COMMON_COUNT]])
    return torch.cat(rows)
