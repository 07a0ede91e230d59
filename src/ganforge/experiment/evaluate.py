"""The public function `evaluate`, and the input of ``ganforge compare``: sources are located, loaded and checked."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganforge.data.images import ImageSet, Splits
from ganforge.data.kinds import Signals
from ganforge.data.load import load_whole
from ganforge.data.pairs import NextFrame
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.sources.registry import ENTRIES
from ganforge.data.summary import lines_on_images
from ganforge.errors import UserError
from ganforge.evaluation.clip_evaluation import evaluate_clips
from ganforge.evaluation.compare import Group
from ganforge.evaluation.evaluator import REFERENCE_SETS, Evaluator, generate_images, random_subset
from ganforge.evaluation.features import Extractor, FeatureExtractor
from ganforge.evaluation.result import Evaluation, parse_evaluation
from ganforge.evaluation.told_apart import pictures_to_learn
from ganforge.evaluation.translation import results_to_process
from ganforge.experiment.experiment import ProgressListener, count_images, count_work
from ganforge.experiment.preflight import load, warn_of
from ganforge.files import ensure_writable, user_path, write_atomically
from ganforge.generation.generator import SHIPPED, Generator, load_generator
from ganforge.judge.choice import choose_judge, why_foreign
from ganforge.judge.shipped import load_judge
from ganforge.metrics.thresholds import FEWEST_TO_EVALUATE
from ganforge.process_state import plain_state
from ganforge.python_arguments import as_path, as_whole
from ganforge.runs.folder import RunFolder
from ganforge.runs.log import append_line, read_json, read_lines
from ganforge.training.tuning.thread_spinning import considerate_spinning

MOST = 10_000


@considerate_spinning()
@plain_state()
def evaluate(
    source: Any,
    *,
    data: Any = None,
    judge: str | os.PathLike[str] | None = None,
    extractor: Extractor | None = None,
    n: int | None = None,
    split: str = "test",
    seed: int = 0,
    slow: bool = False,
    resize: str | int | None = None,
    levels: tuple[float, float] | None = None,
    colour: bool = False,
    nearest: str | os.PathLike[str] | None = None,
    watcher: ProgressListener | None = None,
) -> Evaluation:
    """Measure a generator or a set of generated images against real images; a run saves the result in metrics.jsonl.

    Args:
        source: a run's folder or its `Run`, a generator file, ``mnist`` (the shipped generator), a file, folder or zip
            of images, a `Generator`, or from Python whatever `load` takes (an array, a pair of images and labels, ...).
        data: the real images, as in `train`; unless given, those of the run, else MNIST.
        judge: a judge file instead of the one that fits the data.
        extractor: your own features instead of a judge, uint8 [N, C, H, W] -> [N, F]; no metrics of classes then.
        n: number of fakes and of reals; unless given, as many as there are of both, at most 10,000.
        split: the real images: ``test`` or ``validation``.
        seed: of the generator's noise.
        slow: also train classifiers: on fakes, tested on reals, and vice versa; of pictures from pictures, on both.
        resize: for a folder or zip of real pictures, as in `train`.
        levels, colour: how measured images are read, as in `train`.
        nearest: a ``.png`` file for a sheet of the fakes nearest to training images, above these.
        watcher: receives progress and messages.

    Raises:
        UserError: an input cannot be used; nothing was written.
    """
    watcher = watcher or ProgressListener()
    source, data = (Path(one) if isinstance(one, os.PathLike) else one for one in (source, data))
    n, seed = _checked_count(n), as_whole("--seed", seed)
    measured = _locate(source)
    _refuse_options(source, measured.generator, split, bool(levels or colour))
    judge = None if judge is None else as_path("--judge", judge)
    sheet = None if nearest is None else ensure_writable(as_path("--nearest", nearest), [".png"])
    try:
        splits = load_reference_data(data, measured.generator, measured.folder, resize, watcher)
        reals = splits.test if split == "test" else splits.validation
        if measured.continues_clips:
            _refuse_options_of_pictures(judge, extractor, sheet)
            return _evaluate_clips(measured, reals, split, n, seed, slow, watcher)
        fakes = _load_fakes(source, splits, levels, colour, watcher) if measured.generator is None else None
        count = _count(measured, n, reals, split, fakes)
        features = _feature_extractor(judge, extractor, splits, watcher.say)
        evaluator = _evaluator(features, splits, split, count, slow, watcher)
        chosen = _choose_fakes(measured.generator, fakes, evaluator.reals, count, seed)
        evaluation = evaluator.evaluate(chosen, measured.name, measured.generator, slow, seed)
        if sheet:
            write_atomically(sheet, evaluator.nearest(chosen))
        return _kept(evaluation, measured)
    finally:
        watcher.end()


def _kept(evaluation: Evaluation, measured: "_Measured") -> Evaluation:
    """Write an evaluation into the folder of its run, if there is one, and return it."""
    if measured.folder is not None:
        append_line(measured.folder.metrics, {"step": evaluation.step, "evaluation": evaluation.to_dict()})
    return evaluation


def _evaluate_clips(
    measured: "_Measured", reals: ImageSet, split: str, n: int | None, seed: int, slow: bool, watcher: ProgressListener
) -> Evaluation:
    assert measured.generator is not None
    return _kept(
        evaluate_clips(measured.generator, reals, measured.name, split, n=n, seed=seed, slow=slow, say=watcher.say),
        measured,
    )


def _refuse_options_of_pictures(judge: object, extractor: object, nearest: object) -> None:
    """Refuse the options that a measurement of clips has no use for."""
    for flag, value in (("--judge", judge), ("extractor", extractor), ("--nearest", nearest)):
        if value is not None:
            raise UserError(f"{flag}: is for single pictures, and this run continues clips; leave it out")


def evaluate_runs(
    runs: Sequence[RunFolder], options: Mapping[str, Any]
) -> tuple[dict[RunFolder, Evaluation], dict[str, str]]:
    """Measure each run with these ``options`` of `evaluate`; a run that cannot be measured does not stop the others.

    Returns:
        The evaluations by run, and the reason by the folder of a run that cannot be measured.

    Raises:
        UserError: no run can be measured.
    """
    evaluations: dict[RunFolder, Evaluation] = {}
    faults: dict[str, str] = {}
    for run in runs:
        try:
            evaluations[run] = evaluate(str(run.path), **options)
        except UserError as error:
            faults[str(run.path)] = str(error)
    if not evaluations:
        raise UserError("; ".join(dict.fromkeys(faults.values())))
    return evaluations, faults


@dataclass(frozen=True)
class _Measured:
    """What is measured: a generator, with the folder of its run if it has one, or images."""

    name: str
    generator: Generator | None
    folder: RunFolder | None

    @property
    def continues_clips(self) -> bool:
        """Whether the generator foretells the next frame of clips."""
        return self.generator is not None and isinstance(self.generator.recipe.pairs, NextFrame)


def _locate(source: Any) -> _Measured:
    """Return a `Generator`, or what a path holds: a run, a generator file, a shipped generator, or images."""
    if not isinstance(source, str | Path):
        return _Measured("images from Python", source if isinstance(source, Generator) else None, None)
    path = user_path(source)
    if (path / "run.json").exists():
        return _Measured(str(path), load_generator(path), RunFolder(path))
    if RunFolder(path).lacks_run_file:
        raise UserError(
            f"{path} looks like a run without run.json; restore run.json, or name its generator.safetensors"
        )
    shipped = not path.exists() and (SHIPPED / f"{path}.safetensors").exists()
    if not shipped and not path.exists():
        raise UserError(
            f"{source} does not exist: give a run's folder ('ganforge runs' lists them), a generator file, images "
            "(.npz, a folder, a zip), or mnist for the shipped generator"
        )
    is_generator = shipped or path.suffix == ".safetensors"
    return _Measured(str(source), load_generator(path) if is_generator else None, None)


def _checked_count(n: int | None) -> int | None:
    if n is None:
        return None
    count = as_whole("--n", n)
    if count < FEWEST_TO_EVALUATE:
        raise UserError(
            f"--n {count}: give at least {FEWEST_TO_EVALUATE}; with fewer images the intervals are too wide"
        )
    return count


def _refuse_options(source: Any, generator: Generator | None, split: str, reading_rules: bool) -> None:
    """Refuse a split that does not exist or was trained on, and rules of reading images for a generator."""
    if split not in ("test", "validation"):
        raise UserError(f"--split {split}: give test or validation; a generator may copy its training images")
    if split == "validation" and generator and generator.recipe.data.images == "all":
        raise UserError(f"--split validation: {source} was trained on the validation images too; take the test images")
    if generator and reading_rules:
        raise UserError(f"--levels and --colour are for measured images, and {source} is a generator; leave them out")


def _evaluator(
    extractor: FeatureExtractor, splits: Splits, split: str, count: int, slow: bool, watcher: ProgressListener
) -> Evaluator:
    watcher.say(f"judging {count:,} pictures ...")
    on_progress, on_reference = (count_images(watcher, sets * count) for sets in (3, REFERENCE_SETS))
    work = results_to_process(count) + slow * pictures_to_learn(count)
    return Evaluator(
        extractor,
        splits,
        split,
        count,
        on_progress=on_progress,
        on_reference=on_reference,
        on_translation=count_work(watcher, work, "measuring results", "pictures"),
        say=watcher.say,
    )


def _choose_fakes(
    generator: Generator | None, fakes: ImageSet | None, reals: ImageSet, count: int, seed: int
) -> ImageSet:
    """Return ``count`` images of the generator, or of the given images."""
    if generator is not None:
        return generate_images(generator, reals, count, seed)
    assert fakes is not None
    return random_subset(fakes, count, "fakes")


def _load_fakes(
    source: Any, splits: Splits, levels: tuple[float, float] | None, colour: bool, watcher: ProgressListener
) -> ImageSet:
    """Load the measured images; grey ones keep three channels if the real ones have three."""
    rules = ReadingRules.chosen(levels=levels, colour=colour or splits.test.shape[0] == 3)
    fakes, notes = load_whole(source, rules, watcher.reading)
    for line in lines_on_images(fakes, notes):
        watcher.say(line)
    return fakes


def runs_in(path: Path) -> list[RunFolder]:
    """Return a run folder as a list of one, or the runs in a folder of seeds; an empty list for anything else.

    Raises:
        UserError: the folder holds several folders of runs.
    """
    single = RunFolder(path)
    if single.exists:
        return [single]
    files = sorted(path.glob("*/run.json"), key=lambda file: (len(file.parent.name), file.parent.name))
    if not files and (subfolders := sorted({file.parent.parent for file in path.glob("*/*/run.json")})):
        raise UserError(f"{path} holds several folders of runs: name one of them, such as {subfolders[0]}")
    return [RunFolder(file.parent) for file in files]


def read_group(path: Path) -> Group:
    """Return the last evaluation of a run, of every run in a folder of seeds, or of a file by ``evaluate --json``.

    Raises:
        UserError: there is no evaluation.
    """
    if path.is_file():
        return Group(path.stem, (parse_evaluation(read_json(path), str(path)),))
    runs = runs_in(path)
    if not runs:
        raise UserError(f"{path}: is not a run, a folder of runs or a file of 'ganforge evaluate --json'; name one")
    evaluations = []
    for run in runs:
        lines = [line["evaluation"] for line in read_lines(run.metrics) if "evaluation" in line]
        if not lines:
            raise UserError(f"{run.path}: has no evaluation yet; run 'ganforge evaluate {run.path}' first")
        remedy = f"'ganforge evaluate {run.path}' does it again"
        evaluations.append(parse_evaluation(lines[-1], str(run.metrics), remedy))
    return Group(path.name, tuple(evaluations))


def load_reference_data(
    data: Any,
    generator: Generator | None,
    folder: RunFolder | None,
    resize: str | int | None,
    watcher: ProgressListener,
) -> Splits:
    """Load the real images: the given data, else those of the run, else the generator's data set, else MNIST.

    A run's data are read by the rules of its training, even if they were moved.
    """
    rules, source = _rules_and_source(data, folder, resize)
    if source is None:
        source = generator.note["data"] if generator else "mnist"
    splits = load(source, "train", rules, watcher)
    watcher.say(f"real images: {splits.train.name}, {splits.origin}")
    warn_of(source, splits, watcher)
    if data is None and folder is not None and generator is not None:
        _refuse_changed_data(source, splits, generator, folder)
    return splits


def _rules_and_source(data: Any, folder: RunFolder | None, resize: str | int | None) -> tuple[ReadingRules, Any]:
    """Return the rules of reading the real images, and their source; None where neither data nor a run name one."""
    if folder is None or (isinstance(data, str) and data in ENTRIES):
        return ReadingRules.chosen(resize=resize), data
    origin = folder.read_run()["data"]
    rules = ReadingRules.of_run(origin)
    if data is not None:
        return rules if resize is None else rules.model_copy(update={"resize": resize}), data
    if origin["source"] is None:
        raise UserError(f"{folder.path} was trained on data from Python: give --data")
    if resize is not None:
        raise UserError(f"--resize {resize}: the pictures of {folder.path} are read as in its training; give --data")
    return rules, origin["source"]


def _refuse_changed_data(source: Any, splits: Splits, generator: Generator, folder: RunFolder) -> None:
    """Refuse data whose fingerprint differs from that of the generator's training."""
    trained_on = splits
    if generator.recipe.data.images == "all":
        trained_on = replace(splits, train=splits.train.concat(splits.validation))
    if generator.note["fingerprint"] != trained_on.fingerprint:
        raise UserError(f"{source} is not the data of {folder.path}: its images or labels have changed; give these")


def _refuse_other_shape(measured: _Measured, fakes: ImageSet | None, reals: ImageSet) -> None:
    generator = measured.generator
    shape = tuple(generator.note["shape"]) if generator else fakes.shape if fakes else ()
    if shape != reals.shape:
        shapes = ["×".join(map(str, size)) for size in (shape, reals.shape)]
        raise UserError(
            f"{measured.name}: its images are {shapes[0]} (channels × height × width) and the real ones of "
            f"{reals.name} are {shapes[1]}; give --data with images of that shape"
        )


def _count(measured: _Measured, n: int | None, reals: ImageSet, split: str, fakes: ImageSet | None) -> int:
    """Return the number of fakes and of reals to measure; refuse images of another shape, and too few of them."""
    _refuse_other_shape(measured, fakes, reals)
    most = min(len(reals), len(fakes) if fakes else len(reals) if n is None else n)
    if n is not None and n > most:
        generated = f" and {len(fakes):,} generated ones" if fakes else ""
        raise UserError(f"--n {n:,}: there are only {len(reals):,} real {split} images{generated}; give a smaller --n")
    count = n or min(MOST, most)
    if count < FEWEST_TO_EVALUATE:
        raise UserError(
            f"{count} fakes and {count} real images are too few to measure: give {FEWEST_TO_EVALUATE} or more"
        )
    return count


def _feature_extractor(
    judge: Path | None, extractor: Extractor | None, splits: Splits, say: Callable[[str], None]
) -> FeatureExtractor:
    if extractor is not None:
        return FeatureExtractor(extractor=extractor)
    if judge is not None:
        chosen = load_judge(user_path(judge))
        if chosen.card.shape != splits.test.shape:
            expected, actual = ("×".join(map(str, shape)) for shape in (chosen.card.shape, splits.test.shape))
            raise UserError(
                f"{judge}: {chosen.version} needs images of {expected} (channels × height × width) and these are "
                f"{actual}; name a judge of these data"
            )
        if reason := why_foreign(chosen, splits):
            say(f"note: {reason}; metrics by {chosen.version} may mean little here")
        return FeatureExtractor(chosen)
    fitting_judge, reason = choose_judge(splits)
    if isinstance(splits.test.kind, Signals):
        raise UserError(f"{splits.test.name}: no judge reads signals; 'ganforge benchmark other-data' measures them")
    if fitting_judge is None:
        raise UserError(f"{reason}; train one on labelled data with 'ganforge judge train', or give --judge FILE")
    return FeatureExtractor(fitting_judge)
