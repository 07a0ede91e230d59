"""The report of ``benchmark other-data``: a table for each set, and in words whether the GAN is worth its training."""

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganforge.benchmarks.common import BenchmarkReport, count_of, mean_and_sd
from ganforge.evaluation.use_of_samples import SampleUse

COPYIST = 0.75
"""Above this probability to be nearer to training than held-out data, a model repeats what it learned."""
COLUMNS = ("learned", "told_apart", "nearer", "copies", "agreement", "frechet")


@dataclass(frozen=True)
class Method:
    """A method with its measurements, one for each seed."""

    name: str
    seeds: tuple[SampleUse, ...]

    def mean(self, column: str) -> float | None:
        """Return a measurement as the mean over seeds; None where there is none."""
        values = [value for use in self.seeds if (value := use.to_dict()[column]) is not None]
        return statistics.fmean(values) if values else None

    def cell(self, column: str) -> str:
        """Return a measurement as mean ± standard deviation over seeds; empty where there is none."""
        values = [value for use in self.seeds if (value := use.to_dict()[column]) is not None]
        show = "{:.2f}" if column in ("nearer", "frechet") else "{:.1%}"
        return mean_and_sd(values, show.format) if values else ""


@dataclass(frozen=True)
class SetResult:
    """All methods on one set; ``simple`` starts with the real training data in the place of samples."""

    name: str
    task: str
    n_train: int
    n_test: int
    steps: int
    recipe: str
    gan: tuple[SampleUse, ...]
    simple: tuple[Method, ...]

    @property
    def methods(self) -> tuple[Method, ...]:
        """All rows of the table: real data, simple models, the GAN."""
        return (*self.simple, Method(f"GAN: {self.recipe}, {self.steps:,} steps", self.gan))

    def verdict(self) -> str:
        """Say whether a simple model does as well as the GAN, by what is learned from both and how they are told apart.

        Two shares within twice the standard error of their difference on the test data count as equal. Models that
        repeat training data do not count.
        """
        gan = self.methods[-1]
        honest = [m for m in self.simple[1:] if _share(m, "nearer") <= COPYIST]
        equal = [m for m in honest if self._is_as_good(m, gan)]
        learned = f"{_share(gan, 'learned'):.1%}"
        repeating = [m.name for m in self.simple[1:] if m not in honest]
        aside = f"; not counted, because it repeats training data: {', '.join(repeating)}" if repeating else ""
        if equal:
            best = max(equal, key=lambda m: _share(m, "learned") - _share(m, "told_apart"))
            return (
                f"take the {best.name}: it does as well as the GAN without training "
                f"({_share(best, 'learned'):.1%} of the test data are read after learning from it, {learned} after "
                f"the GAN; told apart {_share(best, 'told_apart'):.1%} and {_share(gan, 'told_apart'):.1%}){aside}"
            )
        nearest = max(honest, key=lambda m: _share(m, "learned"), default=self.simple[0])
        return (
            f"the GAN does better than each simple model: {learned} of the test data are read after learning from it, "
            f"told apart {_share(gan, 'told_apart'):.1%}; the {nearest.name} {_share(nearest, 'learned'):.1%} and "
            f"{_share(nearest, 'told_apart'):.1%}{aside}"
        )

    def _is_as_good(self, method: Method, gan: Method) -> bool:
        margin = 2 * (_share(gan, "learned") * (1 - _share(gan, "learned")) * 2 / self.n_test) ** 0.5
        apart = 2 * (0.25 / self.n_test) ** 0.5
        reads = bool(_share(method, "learned") >= _share(gan, "learned") - margin)
        return reads and bool(_share(method, "told_apart") <= _share(gan, "told_apart") + apart)


def _share(method: Method, column: str) -> float:
    value = method.mean(column)
    assert value is not None
    return value


@dataclass(frozen=True)
class OtherDataReport(BenchmarkReport):
    """The results of all sets."""

    folder: Path
    quick: bool
    sets: tuple[SetResult, ...]

    @property
    def title(self) -> str:
        """The task on one line."""
        return "other data: sounds and signals beside simple models" + (" (--quick: a preview)" if self.quick else "")

    def notes(self) -> list[str]:
        """Return a table and a verdict for each set, and how to read them."""
        lines = []
        for one in self.sets:
            seeds = count_of(len(one.gan), "seed")
            lines += [
                f"{one.name} ({one.task}): {one.n_train:,} training, {one.n_test:,} test, {seeds}",
                "| learned from | reads real test data | told apart | nearer than held-out | copies | read as asked | "
                "Fréchet |",
                "|---|---|---|---|---|---|---|",
                *(f"| {' | '.join((m.name, *map(m.cell, COLUMNS)))} |" for m in one.methods),
                f"verdict: {one.verdict()}",
                "",
            ]
        return [
            *lines,
            "reads: a random forest of 200 trees learned from as many samples as there are training data; told apart:",
            "a forest in five folds, 50 % is none; nearer: probability to be nearer to training data than a test one,",
            ".5 is none; read as asked and Fréchet: by a judge trained on the spectra; real training data as they are,",
            f"told apart from test data; runs: {self.folder}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "benchmark": "other-data",
            "folder": str(self.folder),
            "is_protocol": not self.quick,
            "sets": [
                {
                    "name": one.name,
                    "task": one.task,
                    "recipe": one.recipe,
                    "steps": one.steps,
                    "n_train": one.n_train,
                    "n_test": one.n_test,
                    "methods": {m.name: [use.to_dict() for use in m.seeds] for m in one.methods},
                    "verdict": one.verdict(),
                }
                for one in self.sets
            ],
        }
