"""``benchmark applications``: pictures from pictures, beside what a user would do without a GAN.

Each task trains its recipe, and the same U-Net by the L1 distance alone for the same processor time. Both, simple
methods, training pictures and a classifier of the conditions are measured on test pictures, and the verdict says
whether the GAN helps.
"""

import statistics
from functools import partial
from pathlib import Path

from torch import Tensor

import ganforge
from ganforge.benchmarks import next_frame
from ganforge.benchmarks.application_report import ATTAINABLE, ApplicationsReport, Row, TaskResult
from ganforge.benchmarks.common import BenchmarkOptions, measure_once
from ganforge.benchmarks.judge_for_data import judge_for_data
from ganforge.data.images import ImageSet, Splits
from ganforge.data.load import load
from ganforge.data.pairs import PairRule
from ganforge.errors import UserError, suggest_names
from ganforge.evaluation.attainable import attainable_accuracy
from ganforge.evaluation.baselines import simple_results, training_results
from ganforge.evaluation.evaluator import Evaluator
from ganforge.evaluation.features import FeatureExtractor
from ganforge.evaluation.told_apart import pictures_to_learn, told_apart
from ganforge.evaluation.translation import evaluation_pairs, results_to_process, translation_metrics
from ganforge.experiment.experiment import count_work
from ganforge.experiment.multi_seed import train_seeds
from ganforge.experiment.run import Run
from ganforge.judge.judge import Judge
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
SHORTEST = 1.0
"""Seconds of the L1 network at least: a run of a few steps may last no measurable time."""
QUICK_EPOCHS = 1
"""Epochs of the classifier of conditions in a preview."""
JUDGED = ("frechet_distance", "label_agreement")
"""The metrics on the judge's features and classes that a row holds."""


def run_applications(options: BenchmarkOptions) -> ApplicationsReport:
    """Train and measure all tasks, or one; complete runs are not trained again.

    Where no judge fits the data of a task, one is trained before everything else.

    Raises:
        UserError: an unknown task, or as in `judge_for_data` and `ganforge.train_seeds`.
    """
    names = (*TASKS, next_frame.TASK)
    if options.task is not None and options.task not in names:
        raise UserError(f"no task is called {options.task!r}; {suggest_names(options.task, names)}")
    chosen = names if options.task is None else (options.task,)
    folder = options.folder()
    splits = {data: load(data) for data in dict.fromkeys(TASKS[task][0] for task in chosen if task in TASKS)}
    judges = {data: judge_for_data(images, options.watcher) for data, images in splits.items()}
    results = []
    for task in chosen:
        if task in TASKS:
            data = TASKS[task][0]
            results.append(_run_task(options, task, folder / task, splits[data], judges[data]))
    clips = _run_next_frame(options, folder / next_frame.TASK) if next_frame.TASK in chosen else None
    return ApplicationsReport(folder, options.quick, tuple(results), clips)


def _run_task(options: BenchmarkOptions, task: str, folder: Path, splits: Splits, judge: Judge) -> TaskResult:
    rule, (data, allowed_loss) = load_recipe(task).pairs, TASKS[task]
    assert rule is not None
    measurer = _Measurer(splits, judge, QUICK_N if options.quick else N, options)
    runs, controls = _train(options, task, data, folder)
    ours, control = (
        Row(name, tuple(measurer.measure_run(run) for run in some))
        for name, some in ((f"ours: {task}", runs), ("same U-Net, L1 alone", controls))
    )
    file = folder / f"others-{measurer.protocol.id}.json"
    others = measure_once(file, partial(measurer.measure_others, rule), dict[str, dict[str, float]])
    limit = Row(ATTAINABLE, measurer.attainable(rule, folder, len(runs), QUICK_EPOCHS if options.quick else None))
    rows = (*(Row(method, (metrics,)) for method, metrics in others.items()), limit)
    return TaskResult(task, allowed_loss, runs[0].step, measurer.protocol, ours, control, rows)


def _run_next_frame(options: BenchmarkOptions, folder: Path) -> next_frame.NextFrameResult:
    return next_frame.measure_next_frame(*_train(options, next_frame.TASK, next_frame.DATA, folder), folder, options)


def _train(options: BenchmarkOptions, task: str, data: str, folder: Path) -> tuple[list[Run], list[Run]]:
    """Train the task's recipe, and the same U-Net by the L1 distance alone for the same time."""
    recipe, seeds = load_recipe(task), options.seeds or (1 if options.quick else SEEDS)
    train = partial(train_seeds, data=data, at_once=1, watcher=options.watcher)
    runs = train(recipe, seeds, steps=options.steps_or(None, quick=QUICK_STEPS), out=folder / "gan")
    seconds = max(SHORTEST, statistics.fmean(run.seconds for run in runs))
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
    """Measures runs and methods without a GAN on the same n test pictures, each once."""

    def __init__(self, splits: Splits, judge: Judge, n: int, options: BenchmarkOptions) -> None:
        self._splits, self._watcher = splits, options.watcher
        self._images = splits.test.select(slice(0, n))
        self._evaluator = Evaluator(
            FeatureExtractor(judge), splits, "test", len(self._images), reals=self._images, say=self._watcher.say
        )
        self.protocol = self._evaluator.protocol

    def measure_run(self, run: Run) -> dict[str, float]:
        """Return the metrics of a run, as ``ganforge evaluate --slow`` computes them."""
        file = run.folder / f"application-{run.step}-{self.protocol.id}.json"
        return dict(measure_once(file, partial(self._measure_run, run), dict[str, float]))

    def _measure_run(self, run: Run) -> dict[str, float]:
        self._watcher.say(f"measuring {run.folder} ...")
        work = results_to_process(len(self._images)) + pictures_to_learn(len(self._images))
        on_progress = count_work(self._watcher, work, "measuring results", "pictures")
        draws, estimates = self._evaluator.translation(ganforge.load(run.folder), on_progress=on_progress)
        return {name: value for name, (value, _) in estimates.items()} | self._judged(draws[0])

    def measure_others(self, rule: PairRule) -> dict[str, dict[str, float]]:
        """Return the metrics of simple methods, of training pictures, and of other real pictures."""
        self._watcher.say("making the results of simple methods and of training pictures ...")
        condition = evaluation_pairs(rule, self._images).condition
        results = simple_results(rule, condition) | training_results(rule, self._splits.train, condition)
        measured = {}
        for name, pictures in results.items():
            self._watcher.say(f"measuring {name} ...")
            estimates = translation_metrics(rule, self._images, pictures[None])
            values = {metric: value for metric, (value, _) in estimates.items()}
            values["told_apart"] = told_apart(self._images.images, pictures)[0]
            measured[name] = values | self._judged(pictures)
        reference = self._evaluator.real_reference
        measured["real pictures, unpaired"] = {name: reference[name] for name in JUDGED if name in reference} | {
            "told_apart": told_apart(self._images.images, self._evaluator.others.images)[0]
        }
        return measured

    def attainable(self, rule: PairRule, folder: Path, seeds: int, epochs: int | None) -> tuple[dict[str, float], ...]:
        """Return, for each seed, the share that a classifier of the conditions alone reads right."""
        rows = []
        for seed in range(seeds):
            file = folder / f"attainable-{self.protocol.id}-{'quick-' * (epochs is not None)}{seed}.json"
            rows.append({"label_agreement": measure_once(file, partial(self._attain, rule, seed, epochs), float)})
        return tuple(rows)

    def _attain(self, rule: PairRule, seed: int, epochs: int | None) -> float:
        self._watcher.say(f"training a classifier of the conditions, seed {seed} ...")
        status = "classifier of the conditions"

        def on_epoch(done: int, total: int) -> None:
            self._watcher.benchmarking(done, total, status, "epochs")

        try:
            return attainable_accuracy(rule, self._splits, self._images, seed, epochs, on_epoch)
        finally:
            self._watcher.end()

    def _judged(self, pictures: Tensor) -> dict[str, float]:
        fakes = ImageSet(pictures, self._images.labels, self._images.class_names, "results")
        values = self._evaluator.compute(fakes)
        return {name: values[name] for name in JUDGED if name in values}
