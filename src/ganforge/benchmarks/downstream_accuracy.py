"""Downstream benchmarks: accuracy of classifiers trained on generated digits, ``one-nn`` and ``train-on-generated``.

They start with full runs on MNIST, with folder and verdict.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ganforge
from ganforge.benchmarks.common import (
    QUICK_STEPS,
    BenchmarkOptions,
    BenchmarkReport,
    count_of,
    mean_and_sd,
    measure_once,
)
from ganforge.data.images import ImageSet
from ganforge.data.load import load
from ganforge.errors import UserError
from ganforge.evaluation.downstream import EPOCHS, count_correct, nearest_neighbour_hits, train_classifier
from ganforge.evaluation.evaluator import generate_images, random_subset
from ganforge.experiment.run import Run
from ganforge.files import cache_folder
from ganforge.metrics.intervals import Interval, proportion_interval
from ganforge.recipes.recipe import DEFAULT_RECIPE

QUICK_SAMPLES, QUICK_EPOCHS = 5_000, 2


@dataclass(frozen=True)
class DownstreamTask:
    """The protocol of a downstream benchmark.

    Attributes:
        samples: generated digits for training, equally many of each class.
        published: published test errors in percent for this number of samples, by method.
        wrong: counts the misclassified test digits: (training images, test images, epochs) -> errors.
    """

    about: str
    samples: int
    published: tuple[tuple[str, float], ...]
    wrong: Callable[[ImageSet, ImageSet, int], int]


def _nearest(images: ImageSet, test_images: ImageSet, epochs: int) -> int:
    return len(test_images) - nearest_neighbour_hits(images, test_images)


def _classifier(images: ImageSet, test_images: ImageSet, epochs: int) -> int:
    return len(test_images) - count_correct(train_classifier(images, epochs), test_images)


DOWNSTREAM_TASKS = {
    "one-nn": DownstreamTask(
        "MNIST's test digits read by their nearest neighbour (pixels, Euclidean) among generated ones: the 1-NN test "
        "of the DCGAN paper",
        50_000,
        (("real digits", 3.1), ("GAN", 6.28), ("DCGAN", 2.98)),
        _nearest,
    ),
    "train-on-generated": DownstreamTask(
        "MNIST's test digits read by a small network (3×3 convolutions of 32 and 64, pool, dense 128) that learned "
        f"from generated ones, {EPOCHS} epochs: the classification accuracy score",
        60_000,
        (("real digits, about", 0.8), ("conditional DCGAN", 2.9)),
        _classifier,
    ),
}


@dataclass(frozen=True)
class Result:
    """The result of one seed: test error in [0, 1] and its 95 % interval over the test digits."""

    seed: int
    step: int
    error: float
    interval: Interval


@dataclass(frozen=True)
class DownstreamReport(BenchmarkReport):
    """Our seeds, the published rows and real digits (``floor``: the error with as many real training images)."""

    name: str
    recipe: str
    folder: Path
    samples: int
    quick: bool
    shortened: str
    results: tuple[Result, ...]
    floor: float
    header = ("trained on", "test error", "n", "how")

    @property
    def task(self) -> DownstreamTask:
        """The protocol of this benchmark."""
        return DOWNSTREAM_TASKS[self.name]

    @property
    def terms(self) -> str:
        """How our row was made, and how that differs from the protocol."""
        seeds = count_of(len(self.results), "seed")
        return f"{'--quick, no protocol: ' if self.quick else ''}{seeds}{self.shortened}"

    @property
    def title(self) -> str:
        """The task and its source."""
        return f"{self.name}: {self.task.about}"

    def notes(self) -> list[str]:
        """Return where the runs are, and what an interval is."""
        return [f"runs: {self.folder}/seed-*; one seed: 95 % interval over test digits; several: ± standard deviation"]

    def table(self) -> list[tuple[str, ...]]:
        """Return the rows: method, test error, number of samples, how."""
        n = f"{self.task.samples:,}"
        rows = [(method, f"{error:g} %", n, "published") for method, error in self.task.published]
        rows.append(("real digits (floor)", f"{self.floor:.2%}", f"{self.samples:,}", "MNIST's training digits"))
        errors = [result.error for result in self.results]
        low, high = self.results[0].interval
        spread = f"{max(errors):.2%}" if len(errors) > 1 else f"{low:.2%} to {high:.2%}"
        cell = f"{mean_and_sd(errors, '{:.2%}'.format)} ({spread})"
        return [*rows, (f"ours: {self.recipe}", cell, f"{self.samples:,}", self.terms)]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "benchmark": self.name,
            "about": self.task.about,
            "recipe": self.recipe,
            "folder": str(self.folder),
            "samples": self.samples,
            "is_protocol": not self.quick and not self.shortened,
            "terms": self.terms,
            "floor": self.floor,
            "published": [{"method": method, "error": error / 100} for method, error in self.task.published],
            "seeds": [{**asdict(result), "interval": list(result.interval)} for result in self.results],
        }


def run_downstream(options: BenchmarkOptions) -> DownstreamReport:
    """Train a conditional recipe on MNIST with seeds 0, 1, ..., and a classifier on the digits of each.

    Complete runs in the folder are not trained again, so both benchmarks can share a folder (``out``).

    Raises:
        UserError: the recipe is not conditional, or as in `ganforge.train_seeds`.
    """
    name, quick, say = options.name, options.quick, options.watcher.say
    task, checked = DOWNSTREAM_TASKS[name], options.recipe_or(DEFAULT_RECIPE)
    if not checked.conditional:
        raise UserError(f"{name} needs a conditional recipe, and {checked.name} is not one; take {DEFAULT_RECIPE}")
    samples, epochs = (QUICK_SAMPLES, QUICK_EPOCHS) if quick else (task.samples, EPOCHS)
    steps, folder = options.steps_or(None, quick=QUICK_STEPS), options.folder(checked.name)
    shortened = f", {steps:,} steps" if steps else ""
    runs = options.train_on_mnist(options.recipe or DEFAULT_RECIPE, folder, steps)
    mnist = load("mnist")
    test_images = mnist.test if not quick else random_subset(mnist.test, QUICK_SAMPLES, "lesson")

    def count_wrong(run: Run, seed: int) -> dict[str, int]:
        say(f"training a classifier on {samples:,} digits of seed {seed} ...")
        return {
            "wrong": task.wrong(
                generate_images(ganforge.load(run.folder), test_images, samples, seed=0), test_images, epochs
            )
        }

    results = []
    for seed, run in enumerate(runs):
        file = run.folder / f"{name}-{run.step}-{samples}.json"
        wrong = measure_once(file, partial(count_wrong, run, seed), dict[str, int])["wrong"]
        results.append(Result(seed, run.step, wrong / len(test_images), proportion_interval(wrong, len(test_images))))

    def error_of_real() -> float:
        say(f"training a classifier on {samples:,} real digits (cached for later calls) ...")
        return task.wrong(random_subset(real, samples, "lesson"), test_images, epochs) / len(test_images)

    real = mnist.train.concat(mnist.validation)
    key = f"{name}-{samples}-{test_images.fingerprint[:12]}-{real.fingerprint[:12]}"
    floor = measure_once(cache_folder() / "evaluation" / f"{key}.json", error_of_real, float)
    return DownstreamReport(name, checked.name, folder, samples, quick, shortened, tuple(results), floor)
