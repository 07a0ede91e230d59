"""``benchmark other-data``: sounds as spectra, and signals, beside simple models that need no training.

The GAN and each simple model learn from the same training data. Their samples, as many as there are training data, are
measured beside real test data (`ganforge.evaluation.use_of_samples`), and the verdict recommends a simple model by name
where it does as well.
"""

import importlib.util
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import ganforge
from ganforge.benchmarks.common import BenchmarkOptions, measure_once
from ganforge.benchmarks.judge_for_data import judge_for_data
from ganforge.benchmarks.other_data_report import Method, OtherDataReport, SetResult
from ganforge.data.images import ImageSet, Splits
from ganforge.data.kinds import Signals, Sound
from ganforge.data.load import load
from ganforge.errors import UserError, suggest_names
from ganforge.evaluation.evaluator import generate_images
from ganforge.evaluation.simple_models import MODELS, draw_simple
from ganforge.evaluation.use_of_samples import SampleUse, measure_use
from ganforge.experiment.multi_seed import train_seeds
from ganforge.experiment.run import Run
from ganforge.judge.judge import Judge

TASKS = ("sound", "signals")
SPOKEN = Path("spoken-digits") / "recordings.zip"
ARCHIVES = ("ItalyPowerDemand", "GunPoint")
STEPS = {"sound": 7000, "signals": 6000}
"""Steps of a training: of ``forge-1`` on spectra about five minutes on two idle cores."""
QUICK_STEPS, JUDGE_EPOCHS = 200, 20
RECIPES = {"sound": "forge-1", "signals": "forge-signal"}
FEWEST = 3
"""Training data of each class that the simple models need."""


def run_other_data(options: BenchmarkOptions) -> OtherDataReport:
    """Train and measure all sets, or those of ``data``; complete runs and measurements are kept.

    Raises:
        UserError: an unknown task, a set that is neither sounds nor signals or has too few of a class, no set at all,
            or as in `judge_for_data` and `train_seeds`.
    """
    if options.task is not None and options.task not in TASKS:
        raise UserError(f"no task is called {options.task!r}; {suggest_names(options.task, TASKS)}")
    folder = options.folder()
    results = []
    for source in options.data or _default_sources(options.task):
        splits = load(source)
        options.watcher.say(f"{splits.train.name}: {splits.origin}")
        results.append(_run_set(options, folder / splits.train.name, source, splits))
    return OtherDataReport(folder, options.quick, tuple(results))


def _default_sources(task: str | None) -> list[str]:
    """Return the spoken digits in $GANFORGE_DATA, and the sets of the UCR archive there or in an installed aeon.

    Raises:
        UserError: none of them is on this machine.
    """
    data = Path(os.environ.get("GANFORGE_DATA", "."))
    sources = [data / SPOKEN] if task in (None, "sound") else []
    if task in (None, "signals"):
        aeon = importlib.util.find_spec("aeon")
        places = [data / "ucr", *([Path(aeon.origin).parent / "datasets" / "data"] if aeon and aeon.origin else [])]
        sources += [next((place / name for place in places if (place / name).is_dir()), data) for name in ARCHIVES]
    found = [str(source) for source in dict.fromkeys(sources) if source != data and source.exists()]
    if not found:
        raise UserError(
            f"no sounds and no signals are on this machine: put {SPOKEN} or ucr/{ARCHIVES[0]} into $GANFORGE_DATA, or "
            "name folders of your own with --data"
        )
    return found


def _run_set(options: BenchmarkOptions, folder: Path, source: str, splits: Splits) -> SetResult:
    train, kind = splits.train, splits.train.kind
    if not isinstance(kind, Sound | Signals):
        raise UserError(f"{source}: holds neither sounds nor signals; docs/data.md says how they are recognised")
    if not train.labelled or min(train.labels.bincount(minlength=len(train.class_names)).tolist()) < FEWEST:
        raise UserError(f"{source}: every class needs {FEWEST} training {kind.kind} or more, all with labels")
    task = "sound" if isinstance(kind, Sound) else "signals"
    judge = None
    if task == "sound":
        judge = judge_for_data(splits, options.watcher, 1 if options.quick else JUDGE_EPOCHS)
    runs = _train(options, folder, splits, task)
    measured = partial(_measured, folder, splits, judge)
    say = options.watcher.say
    say(f"measuring {len(MODELS)} simple models on {train.name} ...")
    methods = [Method("real training data", (measured("real", lambda: train),))]
    methods += [Method(name, (measured(name, partial(draw_simple, name, train, len(train))),)) for name in MODELS]
    seeds = tuple(_measured_run(run, splits, judge) for run in runs)
    recipe = ganforge.load(runs[0].folder).recipe.name
    return SetResult(train.name, task, len(train), len(splits.test), runs[0].step, recipe, seeds, tuple(methods))


def _train(options: BenchmarkOptions, folder: Path, splits: Splits, task: str) -> list[Run]:
    recipe = options.recipe or RECIPES[task]
    batch = options.recipe_or(RECIPES[task]).batch_size
    changes = [f"batch_size={max(2, len(splits.train) // 2)}"] if batch > len(splits.train) else []
    steps = options.steps_or(STEPS[task], quick=QUICK_STEPS)
    return train_seeds(
        recipe,
        options.seeds or 1,
        data=splits,
        steps=steps,
        out=folder / "runs",
        changes=changes,
        watcher=options.watcher,
    )


def _measured(folder: Path, splits: Splits, judge: Judge | None, name: str, draw: Callable[[], ImageSet]) -> SampleUse:
    """Return the measurements of images that ``draw`` returns, kept in a folder."""

    def measure() -> dict[str, float | None]:
        return measure_use(draw(), splits.train, splits.test, judge).to_dict()

    file = folder / f"{name.replace(' ', '-')}{f'-{judge.hash[:8]}' if judge else ''}.json"
    return SampleUse(**measure_once(file, measure))


def _measured_run(run: Run, splits: Splits, judge: Judge | None) -> SampleUse:
    generator = ganforge.load(run.folder)
    draw = partial(generate_images, generator, splits.test, len(splits.train), seed=0)
    return _measured(run.folder, splits, judge, f"other-data-{run.step}", draw)
