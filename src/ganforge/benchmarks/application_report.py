"""The report of ``benchmark applications``: a table and a verdict for each task."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganforge.benchmarks.common import BenchmarkReport, count_of
from ganforge.benchmarks.next_frame import NextFrameResult
from ganforge.evaluation.compare import FEWEST_SEEDS, welch
from ganforge.evaluation.metric_table import METRICS
from ganforge.evaluation.protocol import Protocol
from ganforge.evaluation.result import shown
from ganforge.evaluation.translation import DRAWS, MANY, MANY_CONDITIONS
from ganforge.metrics.restoration import posterior_deficit, posterior_gain

SIGNIFICANT = 0.05
CONTENT_LOSS = 0.005
"""How far the share that is read right may lie below that of the L1 network."""
COLUMNS = (
    "psnr",
    "psnr_of_best",
    "psnr_of_mean",
    "psnr_of_mean_64",
    "averaging_gain",
    "draws_differ",
    "ssim",
    "input_error",
    "label_agreement",
    "vote",
    "frechet_distance",
    "told_apart",
    "colourfulness",
)
"""The metrics of the tables, by the names and titles that ``ganforge evaluate`` gives them."""
ATTAINABLE = "classifier of the condition itself (attainable limit)"


@dataclass(frozen=True)
class Row:
    """A method with its metrics, one dictionary for each seed."""

    method: str
    seeds: tuple[dict[str, float], ...]

    def values(self, name: str) -> list[float]:
        """Return a metric of all seeds that have it."""
        return [metrics[name] for metrics in self.seeds if name in metrics]

    def cells(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the method and its metrics, mean ± standard deviation over seeds."""
        return (self.method, *(_cell(self.values(name), name) for name in names))


def _cell(values: list[float], name: str) -> str:
    if not values:
        return ""
    mean = shown(statistics.fmean(values), name)
    return mean if len(values) < 2 else f"{mean} ± {shown(statistics.stdev(values), name)}"


@dataclass(frozen=True)
class TaskResult:
    """All methods of one task: ours, the L1 network, simple methods, training pictures, real pictures, the limit.

    Attributes:
        task: its recipe.
        allowed_loss: how many dB of PSNR below the L1 network still count as no worse.
        steps: training steps of ours.
        protocol: of the measurement.
        ours, control, others: the rows of the table.
    """

    task: str
    allowed_loss: float
    steps: int
    protocol: Protocol
    ours: Row
    control: Row
    others: tuple[Row, ...] = field(default=())

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, ours first."""
        return (self.ours, self.control, *self.others)

    def verdict(self) -> str:
        """Say in words whether the GAN helps, compared with the L1 network."""
        ours, control = (row.values("frechet_distance") for row in (self.ours, self.control))
        if len(ours) < FEWEST_SEEDS or len(control) < FEWEST_SEEDS:
            return f"cannot tell: {FEWEST_SEEDS} seeds or more are needed"
        means = {name: (_mean(self.ours, name), _mean(self.control, name)) for name in COLUMNS}
        if welch(ours, control) > SIGNIFICANT:
            return "the GAN does nothing: its Fréchet distance is that of the L1 network within noise"
        if statistics.fmean(ours) > statistics.fmean(control):
            return "the GAN harms: its Fréchet distance is above that of the L1 network"
        read, psnr = means["label_agreement"], means["psnr"]
        if None not in read and read[0] < read[1] - CONTENT_LOSS:  # type: ignore[operator]
            return f"the GAN looks more real and harms the content: {read[0]:.1%} read right, by L1 {read[1]:.1%}"
        if None not in psnr and psnr[0] < psnr[1] - self.allowed_loss:  # type: ignore[operator]
            return f"the GAN looks more real at the cost of the truth: PSNR {psnr[0]:.1f} dB, by L1 {psnr[1]:.1f}"
        return "the GAN helps: a lower Fréchet distance than the L1 network, at no loss of content"

    def distance_from_control(self) -> list[str]:
        """Say how far the means of our draws lie from the L1 network, beside what perfect draws would reach."""
        lines = []
        pairs = (("psnr_of_mean", "psnr", DRAWS), ("psnr_of_mean_64", "psnr_of_mean_64", MANY))
        for own, other, count in pairs:
            ours, control = _mean(self.ours, own), _mean(self.control, other)
            if ours is not None and control is not None:
                lines.append(
                    f"mean of {count} draws: {ours - control:+.2f} dB from the L1 network; that of perfect draws lies "
                    f"{posterior_deficit(count):.2f} dB below the best possible network"
                )
        return lines


def _mean(row: Row, name: str) -> float | None:
    values = row.values(name)
    return statistics.fmean(values) if values else None


HOW_TO_READ = (
    "distortion: PSNR, SSIM (higher is better); perception: Fréchet, told apart (50 %: not at all)",
    f"gain of the mean: dB by which the mean of {DRAWS} results is nearer to the truth than one",
    f"(draws that differ as much as the possible pictures do gain {posterior_gain(DRAWS):.2f})",
    f"mean of {MANY}: on the first {MANY_CONDITIONS:,} conditions; every row: docs/applications.md",
)


@dataclass(frozen=True)
class ApplicationsReport(BenchmarkReport):
    """The tables of all tasks."""

    folder: Path
    quick: bool
    tasks: tuple[TaskResult, ...]
    clips: NextFrameResult | None = None
    title = "applications: pictures from pictures, on test pictures, beside methods without a GAN"

    def notes(self) -> list[str]:
        """Return a table for each task with its verdict, and how to read them."""
        lines = self.clips.lines() if self.clips else []
        for task in self.tasks:
            names = [name for name in COLUMNS if any(row.values(name) for row in task.rows)]
            lines += [
                f"{task.task}: {count_of(len(task.ours.seeds), 'seed')}, {task.steps:,} steps, n = "
                f"{task.protocol.n:,}, protocol {task.protocol.id}",
                f"| method | {' | '.join(METRICS[name].title for name in names)} |",
                f"|---|{'---|' * len(names)}",
                *(f"| {' | '.join(row.cells(names))} |" for row in task.rows),
                *task.distance_from_control(),
                f"verdict: {task.verdict()}",
                "",
            ]
        return [
            *(["--quick: a preview, not a result"] if self.quick else []),
            *lines,
            *(HOW_TO_READ if self.tasks else ()),
            f"runs: {self.folder}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        tasks: list[dict[str, Any]] = [
            {
                "task": task.task,
                "steps": task.steps,
                "n": task.protocol.n,
                "protocol": task.protocol.to_dict(),
                "rows": {row.method: list(row.seeds) for row in task.rows},
                "verdict": task.verdict(),
            }
            for task in self.tasks
        ]
        tasks += [self.clips.to_dict()] if self.clips else []
        return {"benchmark": "applications", "folder": str(self.folder), "quick": self.quick, "tasks": tasks}
