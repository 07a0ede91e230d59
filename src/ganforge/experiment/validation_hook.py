"""``--evaluate-every``: figures on the validation split while a run goes on, the best generator kept, and the curve."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator

from ganforge.data.images import ImageSet, Splits
from ganforge.errors import UserError
from ganforge.evaluation.evaluator import generate_images, random_subset
from ganforge.evaluation.features import FeatureExtractor, Features
from ganforge.evaluation.metric_table import FEWEST, compute_metrics
from ganforge.evaluation.protocol import Protocol
from ganforge.experiment.experiment import Experiment
from ganforge.experiment.verdict import choose_judge
from ganforge.files import write_atomically
from ganforge.judge.judge import Judge
from ganforge.reports.figures import quality_curve
from ganforge.runs.log import append_line, fitting, read_lines
from ganforge.training.state import State
from ganforge.training.stats import Stats

MOST = 5000
LEVELS = (10.0, 5.0, 3.0, 2.0)
"""Multiples of the floor whose times are told at the end."""
MEASURE = "frechet_distance"
"""By which the best generator is chosen."""


def _with_the_measure(quality: dict[str, float]) -> dict[str, float]:
    if MEASURE not in quality:
        raise ValueError(f"no {MEASURE}")
    return quality


@dataclass(frozen=True)
class Look:
    """What must stand in a line of ``metrics.jsonl`` to go on with its curve."""

    step: int
    seconds: float
    measuring: float
    quality: Annotated[dict[str, float], AfterValidator(_with_the_measure)]


class ValidationHook:
    """Measures the averaged generator on the validation split every so many steps.

    Each time is a line of ``metrics.jsonl``: the figures under ``quality``, ``seconds`` of training without those
    spent measuring, which are ``measuring``. The one with the lowest Fréchet distance yet is ``best.safetensors``.
    """

    def __init__(self, experiment: Experiment, every: int, seconds: Callable[[], float] = lambda: 0.0) -> None:
        self._experiment, self._every, self._seconds = experiment, every, seconds
        began = time.perf_counter()
        splits = experiment.splits
        judge = judge_for_validation(splits)
        self._eye, self._n = FeatureExtractor(judge), min(MOST, len(splits.validation), len(splits.train))
        reals, others = (
            random_subset(splits.validation, self._n, "reals"),
            random_subset(splits.train, self._n, "floor"),
        )
        self._real = self._look(reals)
        self._floor = compute_metrics(self._real, self._look(others), len(judge.class_names))
        self._protocol = Protocol(
            judge.version, judge.hash, splits.train.name, reals.fingerprint, "validation", self._n
        )
        self._lines = [line for line in read_lines(experiment.folder.metrics) if fitting(Look, line)]
        self._spent = self._lines[-1]["measuring"] if self._lines else 0.0
        self._spent += time.perf_counter() - began

    def __call__(self, state: State, stats: Stats) -> None:
        """Measure, if it is time."""
        if state.step % self._every == 0:
            self._measure(state)

    def finish(self, state: State) -> str:
        """Measure the last step too, draw the curve, and say in words what it shows."""
        if state.step and not any(line["step"] == state.step for line in self._lines):
            self._measure(state)
        if not self._lines:
            return ""
        floor, points = self._floor[MEASURE], self._points()
        name = f"{self._experiment.recipe.name}, seed {self._experiment.seed}"
        title = f"quality on {self._n:,} validation images of {self._protocol.data}"
        write_atomically(self._experiment.folder.quality, quality_curve({name: points}, floor, title=title))
        best = min(self._lines, key=lambda line: float(line["quality"][MEASURE]))
        times = [(level, seconds_to(points, level * floor)) for level in LEVELS]
        reached = ", ".join(f"{level:g} times that after {seconds:,.0f} s" for level, seconds in times if seconds)
        return (
            f"best on {self._n:,} validation images: Fréchet distance {best['quality'][MEASURE]:.2f} at step "
            f"{best['step']:,} -> {self._experiment.folder.best}; other real images have {floor:.2f}"
            f"{f', and the run was at {reached}' if reached else ''}"
        )

    def _measure(self, state: State) -> None:
        began = time.perf_counter()
        generator = self._experiment.freeze_for_sampling(state)
        fake = self._look(generate_images(generator, self._n, seed=0))
        values = compute_metrics(self._real, fake, len(self._eye.class_names))
        values = {name: value for name, value in values.items() if math.isfinite(value)}
        before = [float(line["quality"][MEASURE]) for line in self._lines]
        if all(values[MEASURE] < value for value in before):
            generator.save(self._experiment.folder.best)
        trained = self._seconds() - self._spent
        self._spent += time.perf_counter() - began
        line = {
            "step": state.step,
            "images_seen": state.images_seen,
            "seconds": round(trained, 2),
            "measuring": round(self._spent, 2),
            "protocol": self._protocol.to_dict(),
            "quality": values,
            "floor": {MEASURE: self._floor[MEASURE]},
        }
        append_line(self._experiment.folder.metrics, line)
        self._lines.append(line)

    def _points(self) -> list[tuple[float, float]]:
        return [(max(line["seconds"], 0.01), float(line["quality"][MEASURE])) for line in self._lines]

    def _look(self, images: ImageSet) -> Features:
        return self._eye.look(images.images, self._eye.numbered(images) if images.labelled else None)


def judge_for_validation(splits: Splits) -> Judge:
    """Return the judge that measures a run while it goes on.

    Raises:
        UserError: no judge reads these images, or too few of them are for validation.
    """
    judge, why = choose_judge(splits)
    if judge is None:
        raise UserError(f"--evaluate-every needs a judge: {why}; 'ganforge judge train DATA' makes one")
    if len(splits.validation) < FEWEST:
        raise UserError(
            f"--evaluate-every: {len(splits.validation)} validation images are too few, {FEWEST} or more would do"
        )
    return judge


def seconds_to(points: Sequence[tuple[float, float]], level: float) -> float | None:
    """Return the seconds after which a figure was reached: the first of two measurements in a row at or below it."""
    for (seconds, value), (_, following) in pairwise(points):
        if value <= level and following <= level:
            return seconds
    return None
