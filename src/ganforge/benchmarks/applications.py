"""``benchmark applications``: pictures from pictures, beside what a user would do without a GAN.

Each task trains its recipe, and the same U-Net by the L1 distance alone for the same processor time. Both, simple
methods and the nearest training picture are measured on test pictures, and the verdict says whether the GAN helps.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import ganforge
from ganforge.benchmarks import next_frame
from ganforge.benchmarks.common import BenchmarkOptions, BenchmarkReport, count_of, measure_once
from ganforge.data.images import ImageSet, Splits
from ganforge.data.load import load
from ganforge.data.pairs import Masking, PairRule
from ganforge.errors import UserError, suggest_names
from ganforge.evaluation.baselines import simple_results
from ganforge.evaluation.compare import FEWEST_SEEDS, welch
from ganforge.evaluation.evaluator import Evaluator
from ganforge.evaluation.features import FeatureExtractor
from ganforge.evaluation.result import shown
from ganforge.evaluation.translation import DRAWS, evaluation_pairs, told_apart, translation_metrics
from ganforge.experiment.multi_seed import train_seeds
from ganforge.experiment.run import Run
from ganforge.judge.choice import choose_judge
from ganforge.metrics.restoration import posterior_gain
from ganforge.recipes.reading import load_recipe, parse
from ganforge.recipes.recipe import Recipe

TASKS = {
    "enlarge-4x": ("mnist", 1.0),
    "enlarge-7x": ("mnist", 1.0),
    "complete": ("mnist", 1.0),
    "colour": ("cifar10", 1.5),
    "repair": ("mnist", 1.0),
}
"""The data set of each task, and how many dB of PSNR below the L1 network still count as no worse."""
N, QUICK_N, QUICK_STEPS = 10_000, 1000, 300
SEEDS = 3
BLOCK = 500
SIGNIFICANT = 0.05
CONTENT_LOSS = 0.005
"""How far the share that is read right may lie below that of the L1 network."""
COLUMNS = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "psnr_of_mean": "of the mean",
    "averaging_gain": "gain",
    "input_error": "input error",
    "label_agreement": "read right",
    "vote": "by vote",
    "frechet_distance": "Fréchet",
    "told_apart": "told apart",
    "colourfulness": "colourful",
}


HOW_TO_READ = (
    "distortion: PSNR, SSIM (higher is better); perception: Fréchet, told apart (50 %: not at all)",
    f"gain: dB by which the mean of {DRAWS} results is nearer to the truth than one",
    f"(draws that differ as much as the possible pictures do gain {posterior_gain(DRAWS):.2f})",
)


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
    """All methods of one task: ours, the L1 network, simple methods, the nearest training picture, real pictures."""

    task: str
    steps: int
    n: int
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
        allowed = TASKS[self.task][1]
        if None not in psnr and psnr[0] < psnr[1] - allowed:  # type: ignore[operator]
            return f"the GAN looks more real at the cost of the truth: PSNR {psnr[0]:.1f} dB, by L1 {psnr[1]:.1f}"
        return "the GAN helps: a lower Fréchet distance than the L1 network, at no loss of content"


def _mean(row: Row, name: str) -> float | None:
    values = row.values(name)
    return statistics.fmean(values) if values else None


@dataclass(frozen=True)
class ApplicationsReport(BenchmarkReport):
    """The tables of all tasks."""

    folder: Path
    quick: bool
    tasks: tuple[TaskResult, ...]
    clips: next_frame.NextFrameResult | None = None
    title = "applications: pictures from pictures, on test pictures, beside methods without a GAN"

    def notes(self) -> list[str]:
        """Return a table for each task with its verdict, and how to read them."""
        lines = self.clips.lines() if self.clips else []
        for task in self.tasks:
            names = [name for name in COLUMNS if any(row.values(name) for row in task.rows)]
            lines += [
                f"{task.task}: {count_of(len(task.ours.seeds), 'seed')}, {task.steps:,} steps, n = {task.n:,}",
                f"| method | {' | '.join(COLUMNS[name] for name in names)} |",
                f"|---|{'---|' * len(names)}",
                *(f"| {' | '.join(row.cells(names))} |" for row in task.rows),
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
                "n": task.n,
                "rows": {row.method: list(row.seeds) for row in task.rows},
                "verdict": task.verdict(),
            }
            for task in self.tasks
        ]
        tasks += [self.clips.to_dict()] if self.clips else []
        return {"benchmark": "applications", "folder": str(self.folder), "quick": self.quick, "tasks": tasks}


def run_applications(options: BenchmarkOptions) -> ApplicationsReport:
    """Train and measure all tasks, or one; complete runs are not trained again.

    Raises:
        UserError: an unknown task, or as in `ganforge.train_seeds`.
    """
    names = (*TASKS, next_frame.TASK)
    if options.task is not None and options.task not in names:
        raise UserError(f"no task is called {options.task!r}; {suggest_names(options.task, names)}")
    folder = options.folder()
    chosen = names if options.task is None else (options.task,)
    tasks = tuple(_run_task(options, task, folder / task) for task in chosen if task in TASKS)
    clips = _run_next_frame(options, folder / next_frame.TASK) if next_frame.TASK in chosen else None
    return ApplicationsReport(folder, options.quick, tasks, clips)


def _run_task(options: BenchmarkOptions, task: str, folder: Path) -> TaskResult:
    data = TASKS[task][0]
    splits, n = load(data), QUICK_N if options.quick else N
    runs, controls = _train(options, task, data, folder)
    measurer = _Measurer(splits, splits.test.select(slice(0, n)), options)
    ours, control = (
        Row(name, tuple(measurer.measure_run(run) for run in some))
        for name, some in ((f"ours: {task}", runs), ("same U-Net, L1 alone", controls))
    )
    rule = load_recipe(task).pairs
    assert rule is not None
    others = measure_once(folder / f"others-{n}.json", partial(measurer.measure_others, rule))
    rows = tuple(Row(method, (metrics,)) for method, metrics in others.items())
    return TaskResult(task, runs[0].step, len(measurer.images), ours, control, rows)


def _run_next_frame(options: BenchmarkOptions, folder: Path) -> next_frame.NextFrameResult:
    return next_frame.measure_next_frame(*_train(options, next_frame.TASK, next_frame.DATA, folder), folder, options)


def _train(options: BenchmarkOptions, task: str, data: str, folder: Path) -> tuple[list[Run], list[Run]]:
    """Train the task's recipe, and the same U-Net by the L1 distance alone for the same time."""
    recipe, seeds = load_recipe(task), options.seeds or (1 if options.quick else SEEDS)
    train = partial(train_seeds, data=data, at_once=1, watcher=options.watcher)
    runs = train(recipe, seeds, steps=options.steps_or(None, quick=QUICK_STEPS), out=folder / "gan")
    seconds = statistics.fmean(run.seconds for run in runs)
    return runs, train(regression(recipe), seeds, minutes=seconds / 60, out=folder / "l1")


def regression(recipe: Recipe) -> Recipe:
    """Return the recipe without its adversary: the same generator learns by the L1 distance alone."""
    adversarial = ("discriminator", "objective", "penalties")
    values = {name: value for name, value in recipe.to_dict().items() if name not in adversarial}
    values["name"] = f"{recipe.name}-l1"
    values["pairs"] = {**values["pairs"], "draws": 1}
    values["terms"] = {"fidelity": {"score": "l1", "weight": values["terms"]["fidelity"]["weight"]}}
    return parse(values, values["name"])


class _Measurer:
    """Measures runs and simple methods on the same test pictures."""

    def __init__(self, splits: Splits, images: ImageSet, options: BenchmarkOptions) -> None:
        self._splits, self.images, self._watcher = splits, images, options.watcher
        judge, reason = choose_judge(splits)
        if judge is None:
            raise UserError(f"{splits.train.name}: {reason}; 'ganforge judge train {splits.train.name}' trains one")
        self._judge = judge
        self._evaluator = Evaluator(
            FeatureExtractor(judge), splits, "test", len(images), reals=images, say=self._watcher.say
        )

    def measure_run(self, run: Run) -> dict[str, float]:
        """Return the metrics of a run, measured once."""
        file = run.folder / f"application-{run.step}-{len(self.images)}.json"
        return dict(measure_once(file, partial(self._measure_run, run)))

    def _measure_run(self, run: Run) -> dict[str, float]:
        self._watcher.say(f"measuring {run.folder} ...")
        generator = ganforge.load(run.folder)
        assert generator.recipe.pairs is not None
        condition = evaluation_pairs(generator.recipe.pairs, self.images).condition
        draws = 1 if generator.recipe.discriminator is None else DRAWS
        return self._measure(generator.recipe.pairs, generator.translate(condition, draws=draws))

    def measure_others(self, rule: PairRule) -> dict[str, dict[str, float]]:
        """Return the metrics of simple methods, of the nearest training picture, and of other real pictures."""
        self._watcher.say("measuring simple methods and the nearest training pictures ...")
        condition = evaluation_pairs(rule, self.images).condition
        results = simple_results(rule, condition)
        results["nearest training picture"] = nearest_training_pictures(rule, self._splits.train, condition)
        measured = {name: self._measure(rule, pictures[None]) for name, pictures in results.items()}
        reference = self._evaluator.real_reference
        measured["real pictures, unpaired"] = {
            name: reference[name] for name in ("frechet_distance", "label_agreement") if name in reference
        }
        return measured

    def _measure(self, rule: PairRule, draws: Tensor) -> dict[str, float]:
        fakes = ImageSet(draws[0], self.images.labels, self.images.class_names, "results")
        metrics = {
            name: value for name, (value, _) in translation_metrics(rule, self.images, draws, self._read).items()
        }
        values = self._evaluator.compute(fakes)
        metrics |= {name: values[name] for name in ("frechet_distance", "label_agreement") if name in values}
        return metrics | {"told_apart": told_apart(self.images.images, draws[0])}

    def _read(self, pictures: Tensor) -> Tensor:
        return self._judge.look(pictures).classes


def nearest_training_pictures(rule: PairRule, train: ImageSet, condition: Tensor) -> Tensor:
    """Return, for each condition, the training picture whose own condition is nearest (Euclidean, on pixels).

    Where pixels are missing, the distance is that of the known ones.
    """
    if isinstance(rule, Masking):
        known = (condition[:, -1:] <= 127).expand(-1, condition.shape[1] - 1, -1, -1).flatten(1).float()
        given = condition[:, :-1].flatten(1).float()
        own = train.images.flatten(1).float()
    else:
        own = evaluation_pairs(rule, train).condition.flatten(1).float()
        given, known = condition.flatten(1).float(), torch.ones(len(condition), own.shape[1])
    squares = own.square()
    blocks = zip(given.split(BLOCK), known.split(BLOCK), strict=True)
    # sum of m (x - c)², without the part that is the same for every training picture
    nearest = [(known @ squares.T - 2 * (known * given) @ own.T).argmin(1) for given, known in blocks]
    return train.gather(torch.cat(nearest))
