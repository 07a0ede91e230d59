"""``benchmark applications --task next-frame``: Moving MNIST, ten frames given, ten to come, beside constant motion.

The protocol of the published tables: the squared error is summed over a frame of 64×64 pixels in 0..1 and averaged over
frames and clips; 10→1 is the first of the ten. The file of the published test set is not used: the test clips follow
its rule, from the test digits of MNIST, so that the place and class of each digit is known.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

import ganforge
from ganforge.benchmarks.common import BenchmarkOptions, count_of, mean_and_sd, measure_once
from ganforge.data.load import load
from ganforge.data.moving_digits import digit_paths, moving_digits
from ganforge.data.pairs import NextFrame
from ganforge.data.sources.registry import MOVING_MNIST_TEST
from ganforge.evaluation.baselines import simple_continuations
from ganforge.evaluation.clips import (
    AFTER,
    HORIZON,
    ClipPair,
    DigitTruth,
    clip_metrics,
    clips_told_apart,
    digits_read,
    split_clips,
)
from ganforge.evaluation.compare import FEWEST_SEEDS, welch
from ganforge.evaluation.translation import DRAWS
from ganforge.experiment.run import Run
from ganforge.generation.roll_out import continue_clips
from ganforge.judge.shipped import load_judge
from ganforge.metrics.clips import frame_error
from ganforge.recipes.reading import load_recipe

TASK, DATA = "next-frame", "moving-mnist"
N, QUICK_N = 1000, 200
SIGNIFICANT = 0.05
PER_CENT = ("told_apart", *(f"read_{count}" for count in AFTER))


class Published(NamedTuple):
    """A row of the Moving MNIST table of OpenSTL (Tan et al. 2023), 10→10, on the published test clips."""

    method: str
    mse: float
    ssim: float
    budget: str


PUBLISHED = (
    Published("ConvLSTM-S (Shi et al. 2015)", 46.26, 0.878, "15.0 M weights, to convergence: hundreds of epochs"),
    Published("PredRNN (Wang et al. 2017)", 25.04, 0.944, "23.8 M weights, to convergence: hundreds of epochs"),
    Published("SimVP (Gao et al. 2022)", 32.15, 0.927, "58.0 M weights, 200 epochs"),
    Published("SimVP (Gao et al. 2022)", 21.15, 0.954, "58.0 M weights, 2,000 epochs"),
)
SOURCE = "published: model zoo of OpenSTL (github.com/chengtan9907/OpenSTL), video benchmarks"


@dataclass(frozen=True)
class ClipRow:
    """A method with its metrics, one dictionary for each seed, and what its training cost."""

    method: str
    seeds: tuple[dict[str, float], ...]
    budget: str = "no training"

    def values(self, name: str) -> list[float]:
        """Return a metric of all seeds that have it."""
        return [metrics[name] for metrics in self.seeds if name in metrics]

    def cell(self, name: str) -> str:
        """Return a metric as mean ± standard deviation over seeds; empty where there is none."""
        values = self.values(name)
        return mean_and_sd(values, partial(_shown, name=name)) if values else ""


def _shown(value: float, name: str) -> str:
    if name in PER_CENT:
        return f"{value:.1%}"
    return f"{value:.3f}" if "ssim" in name else f"{value:.2f}" if name == "sharpness" else f"{value:.1f}"


@dataclass(frozen=True)
class NextFrameResult:
    """All methods on the same clips: ours, the network by L1 alone, simple methods."""

    n: int
    ours: ClipRow
    control: ClipRow
    others: tuple[ClipRow, ...]

    @property
    def protocol(self) -> str:
        """The identity of the protocol: horizon, sums and clips."""
        return f"moving-mnist-10to{HORIZON}-framesum-ssim7-own{self.n}"

    @property
    def rows(self) -> tuple[ClipRow, ...]:
        """All rows, ours first."""
        return (self.ours, self.control, *self.others)

    def verdict(self) -> str:
        """Say in words whether the GAN helps: digits of the tenth frame that are read, compared with L1 alone."""
        ours, control = (row.values("read_10") for row in (self.ours, self.control))
        if len(ours) < FEWEST_SEEDS or len(control) < FEWEST_SEEDS:
            return f"cannot tell: {FEWEST_SEEDS} seeds or more are needed"
        read, by_l1 = statistics.fmean(ours), statistics.fmean(control)
        shares = f"{read:.1%} of the digits are read after ten frames, by L1 {by_l1:.1%}"
        errors = " and ".join(f"{statistics.fmean(row.values('frame_mse')):.1f}" for row in (self.ours, self.control))
        if welch(ours, control) > SIGNIFICANT:
            words = f"the GAN does nothing: {shares}, which is noise"
        elif read < by_l1:
            words = f"the GAN harms: {shares}"
        else:
            words = f"the GAN helps: {shares}"
        best = max(self.others, key=lambda row: row.values("read_10"))
        beside = f"; {best.method}, without training, {best.values('read_10')[0]:.1%}" if self.others else ""
        return f"{words}{beside}; MSE 10→10 {errors}"

    def lines(self) -> list[str]:
        """Return both tables with the verdict, and how to read them."""
        return [
            f"{TASK}: {count_of(len(self.ours.seeds), 'seed')}, n = {self.n:,} clips, protocol {self.protocol}",
            "| method | MSE 10→1 | SSIM | MSE 10→10 | of the mean | SSIM | sharpness | told apart | budget |",
            "|---|---|---|---|---|---|---|---|---|",
            *(f"| {' | '.join((row.method, *map(row.cell, SUMMARY), row.budget))} |" for row in self.rows),
            *(f"| {p.method} | | | {p.mse} | | {p.ssim} | | | {p.budget} |" for p in PUBLISHED),
            "",
            f"| after ... frames: | {' | '.join(f'MSE {k}' for k in AFTER)} | "
            f"{' | '.join(f'read {k}' for k in AFTER)} |",
            f"|---|{'---|' * (2 * len(AFTER))}",
            *(f"| {' | '.join((row.method, *map(row.cell, BY_FRAME)))} |" for row in self.rows),
            f"verdict: {self.verdict()}",
            "MSE: squared error summed over the 4,096 pixels of a frame in 0..1, mean of frames and clips",
            "(the mean over pixels, which other codes print, is 4,096 times smaller); SSIM: uniform window of 7 pixels",
            f"of the mean: that of {DRAWS} draws; sharpness: mean gradient magnitude of the tenth frame, relative to",
            "true ones; told apart: whole clips of ten frames; read: digits at their true places, of those that the",
            "judge reads right in the true frame",
            f"{SOURCE}; their clips are a file, ours follow the same rule",
            "",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "task": TASK,
            "protocol": self.protocol,
            "n": self.n,
            "rows": {row.method: {"budget": row.budget, "seeds": list(row.seeds)} for row in self.rows},
            "published": [published._asdict() for published in PUBLISHED],
            "verdict": self.verdict(),
        }


SUMMARY = ("frame_mse_1", "frame_ssim_1", "frame_mse", "frame_mse_of_mean", "frame_ssim", "sharpness", "told_apart")
BY_FRAME = (*(f"frame_mse_{count}" for count in AFTER), *(f"read_{count}" for count in AFTER))


def measure_next_frame(
    runs: Sequence[Run], controls: Sequence[Run], folder: Path, options: BenchmarkOptions
) -> NextFrameResult:
    """Measure runs of the recipe, the controls by L1 alone, and simple methods on the same test clips."""
    measurer = ClipMeasurer(*protocol_clips(QUICK_N if options.quick else N), say=options.watcher.say)
    n = len(measurer.pair.given)
    others = measure_once(folder / f"others-{n}.json", measurer.measure_others)
    return NextFrameResult(
        n,
        ClipRow(f"ours: {TASK}", tuple(map(measurer.measure_run, runs)), budget(runs)),
        ClipRow("same U-Net, L1 alone", tuple(map(measurer.measure_run, controls)), budget(controls)),
        tuple(ClipRow(method, (metrics,)) for method, metrics in others.items()),
    )


def budget(runs: Sequence[Run]) -> str:
    """Return what a run cost on average: weights, steps and minutes."""
    weights = sum(parameter.numel() for parameter in ganforge.load(runs[0].folder).module.parameters())
    minutes = statistics.fmean(run.seconds for run in runs) / 60
    return (
        f"{weights / 1e6:.2f} M weights, {round(statistics.fmean(run.step for run in runs)):,} steps, {minutes:.1f} min"
    )


def protocol_clips(n: int) -> tuple[ClipPair, DigitTruth]:
    """Return the first ``n`` test clips of Moving MNIST, split after ten frames, with the truth about their digits."""
    digits = load("mnist").test
    rule = load_recipe(TASK, ["pairs.given=10"]).pairs
    assert isinstance(rule, NextFrame)
    count, seed = MOVING_MNIST_TEST
    size = (digits.shape[1], digits.shape[2])
    paths = digit_paths(len(digits), size, count, seed)
    pair = split_clips(rule, moving_digits(digits.images, count, seed)[:n])
    places = [positions[:n, :, rule.given : rule.given + HORIZON] for positions in (paths.tops, paths.lefts)]
    return pair, DigitTruth(digits.labels[torch.from_numpy(paths.chosen[:n])], places[0], places[1], size)


class ClipMeasurer:
    """Measures continuations of the same test clips.

    Args:
        pair: ten given frames and the true future of each clip.
        truth: the digits of the future.
        say: called with a sentence before each slow step.
    """

    def __init__(self, pair: ClipPair, truth: DigitTruth, say: Callable[[str], None]) -> None:
        self.pair, self._truth, self._say, self._judge = pair, truth, say, load_judge()

    def measure_run(self, run: Run) -> dict[str, float]:
        """Return the metrics of a run, measured once."""
        file = run.folder / f"next-frame-{run.step}-{len(self.pair.given)}.json"
        return dict(measure_once(file, partial(self._measure_run, run)))

    def _measure_run(self, run: Run) -> dict[str, float]:
        self._say(f"measuring {run.folder} ...")
        generator = ganforge.load(run.folder)
        draws = 1 if generator.recipe.discriminator is None else DRAWS
        frames = self.pair.future.shape[1]
        continued = continue_clips(generator, self.pair.given, frames, draws=draws)
        metrics = self.measure(continued[0])
        if draws > 1:
            metrics["frame_mse_of_mean"] = float(frame_error(self.pair.future, continued.float().mean(0)).mean())
        return metrics

    def measure_others(self) -> dict[str, dict[str, float]]:
        """Return the metrics of constant motion, with and without bounces, of copies, and of black frames."""
        self._say("measuring constant motion and copies of the last frame ...")
        rule = load_recipe(TASK).pairs
        assert isinstance(rule, NextFrame)
        continued = simple_continuations(rule, self.pair.given, self.pair.future.shape[1])
        return {
            name: self.measure(frames)
            for name, frames in {**continued, "black frames": torch.zeros_like(self.pair.future)}.items()
        }

    def measure(self, continued: Tensor) -> dict[str, float]:
        """Return the metrics of continuations uint8 [N, K, C, H, W]."""
        real = self.pair.future
        return (
            clip_metrics(real, continued)
            | digits_read(self._truth, real, continued, lambda pictures: self._judge.look(pictures).classes)
            | {"told_apart": clips_told_apart(real, continued)}
        )
