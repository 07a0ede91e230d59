"""``--evaluate-every``: metrics on the validation split during training, the best generator, and the curve."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator

from ganforge.data.images import Splits
from ganforge.errors import UserError
from ganforge.evaluation.evaluator import Evaluator, generate_images, random_subset
from ganforge.evaluation.features import FeatureExtractor
from ganforge.experiment.experiment import Experiment
from ganforge.files import write_atomically
from ganforge.judge.choice import choose_judge
from ganforge.judge.judge import Judge
from ganforge.metrics.thresholds import FEWEST_TO_EVALUATE
from ganforge.reports.figures import quality_curve
from ganforge.runs.log import append_line, fitting, read_lines
from ganforge.training.state import State
from ganforge.training.stats import Stats

MOST = 5000
REFERENCE_MULTIPLES = (10.0, 5.0, 3.0, 2.0)
"""Multiples of the distance of other reals; the time to reach each is reported at the end."""
METRIC = "frechet_distance"
"""The metric that selects the best generator."""


def _require_metric(quality: dict[str, float]) -> dict[str, float]:
    if METRIC not in quality:
        raise ValueError(f"no {METRIC}")
    return quality


@dataclass(frozen=True)
class SavedPoint:
    """The required entries of a line of ``metrics.jsonl`` that is a point of the curve."""

    step: int
    seconds: float
    measuring: float
    quality: Annotated[dict[str, float], AfterValidator(_require_metric)]


class ValidationHook:
    """Measures the averaged generator on the validation split every ``every`` steps.

    Each measurement is a line of ``metrics.jsonl``: the metrics under ``quality``, ``seconds`` of training without the
    time of measuring, which is ``measuring``. The generator with the lowest Fréchet distance is ``best.safetensors``.
    """

    def __init__(self, experiment: Experiment, every: int, seconds: Callable[[], float] = lambda: 0.0) -> None:
        self._experiment, self._every, self._seconds = experiment, every, seconds
        splits = experiment.splits
        self._n = min(MOST, len(splits.validation), len(splits.train))
        self._evaluator = Evaluator(
            FeatureExtractor(judge_for_validation(splits)),
            splits,
            "validation",
            self._n,
            reals=random_subset(splits.validation, self._n, "reals"),
            others=random_subset(splits.train, self._n, "floor"),
        )
        self._real_reference = self._evaluator.real_reference[METRIC]
        self._lines = [line for line in read_lines(experiment.folder.metrics) if fitting(SavedPoint, line)]
        self._measuring_seconds = self._lines[-1]["measuring"] if self._lines else 0.0

    def __call__(self, state: State, stats: Stats) -> None:
        """Measure, if the step is due."""
        if state.step % self._every == 0:
            self._measure(state)

    def finish(self, state: State) -> str:
        """Measure the last step too, draw the curve, and return a message with the best value."""
        if state.step and not any(line["step"] == state.step for line in self._lines):
            self._measure(state)
        if not self._lines:
            return ""
        reference, points = self._real_reference, self._points()
        name = f"{self._experiment.recipe.name}, seed {self._experiment.seed}"
        title = f"quality on {self._n:,} validation images of {self._evaluator.protocol.data}"
        write_atomically(self._experiment.folder.quality, quality_curve({name: points}, reference, title=title))
        best = min(self._lines, key=lambda line: float(line["quality"][METRIC]))
        times = [(level, seconds_to(points, level * reference)) for level in REFERENCE_MULTIPLES]
        reached = ", ".join(f"{level:g} times that after {seconds:,.0f} s" for level, seconds in times if seconds)
        return (
            f"best on {self._n:,} validation images: Fréchet distance {best['quality'][METRIC]:.2f} at step "
            f"{best['step']:,} -> {self._experiment.folder.best}; other real images have {reference:.2f}"
            f"{f', and the run was at {reached}' if reached else ''}"
        )

    def _measure(self, state: State) -> None:
        started = self._seconds()
        generator = self._experiment.freeze_for_sampling(state)
        values = self._evaluator.compute(generate_images(generator, self._evaluator.reals, self._n, seed=0))
        values = {name: value for name, value in values.items() if math.isfinite(value)}
        earlier_values = [float(line["quality"][METRIC]) for line in self._lines]
        if all(values[METRIC] < value for value in earlier_values):
            generator.save(self._experiment.folder.best)
        trained = started - self._measuring_seconds
        # after the last step the clock stands still: that measurement is not in the seconds of a resumed run either
        self._measuring_seconds += self._seconds() - started
        line = {
            "step": state.step,
            "images_seen": state.images_seen,
            "seconds": round(trained, 2),
            "measuring": round(self._measuring_seconds, 2),
            "protocol": self._evaluator.protocol.to_dict(),
            "quality": values,
            "real_reference": {METRIC: self._real_reference},
        }
        append_line(self._experiment.folder.metrics, line)
        self._lines.append(line)

    def _points(self) -> list[tuple[float, float]]:
        return [(max(line["seconds"], 0.01), float(line["quality"][METRIC])) for line in self._lines]


def judge_for_validation(splits: Splits) -> Judge:
    """Return the judge that measures a run during training.

    Raises:
        UserError: no judge fits these images, or there are too few validation images.
    """
    judge, reason = choose_judge(splits)
    if judge is None:
        raise UserError(f"--evaluate-every needs a judge: {reason}; train one with 'ganforge judge train DATA'")
    if len(splits.validation) < FEWEST_TO_EVALUATE:
        raise UserError(
            f"--evaluate-every: {len(splits.validation)} validation images are too few; at least "
            f"{FEWEST_TO_EVALUATE} are needed"
        )
    return judge


def seconds_to(points: Sequence[tuple[float, float]], level: float) -> float | None:
    """Return the seconds to reach a level: of the first of two successive measurements at or below it."""
    for (seconds, value), (_, following) in pairwise(points):
        if value <= level and following <= level:
            return seconds
    return None
