"""``evaluate`` and ``compare``: what is to be measured is found, loaded and checked."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganforge.ambient import plain_state
from ganforge.arguments import as_path, as_whole
from ganforge.data.images import ImageSet, Splits
from ganforge.data.load import load, load_whole
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.registry import ENTRIES
from ganforge.data.summary import lines_on_images
from ganforge.errors import UserError
from ganforge.evaluation.compare import Group
from ganforge.evaluation.evaluator import Evaluator, generate_images, random_subset
from ganforge.evaluation.features import Extractor, FeatureExtractor
from ganforge.evaluation.metric_table import FEWEST
from ganforge.evaluation.report import Evaluation, parse_evaluation
from ganforge.experiment.experiment import ProgressListener
from ganforge.experiment.preflight import warn_of
from ganforge.experiment.verdict import choose_judge, why_foreign
from ganforge.files import ensure_writable, user_path, write_atomically
from ganforge.judge.shipped import load_judge
from ganforge.runs.folder import RunFolder
from ganforge.runs.log import append_line, read_json, read_lines
from ganforge.sampling import SHIPPED, Generator, load_generator
from ganforge.training.thread_spinning import considerate_spinning

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
    """Measure a generator or a set of generated images beside real ones; a run keeps the result in metrics.jsonl.

    Args:
        source: a run's folder or its `Run`, a generator file, ``mnist`` (the shipped generator), a file, folder or zip
            of images, a `Generator`, or from Python whatever `load` takes (an array, a pair of images and labels, ...).
        data: the real images, as `train` takes them; those of the run unless given, else MNIST.
        judge: a judge's file instead of the one that fits the data.
        extractor: instead of a judge, your own features: uint8 images [N, C, H, W] -> [N, F]. What needs classes is
            left out then.
        n: so many fakes against so many reals; as many as there are of both, 10,000 at most, unless given.
        split: which reals: ``test`` or ``validation``.
        seed: of the noise that a generator draws from.
        slow: also train a small classifier on the fakes and test it on reals, and the other way round.
        resize: for a folder or zip of real pictures, as `train` takes it.
        levels: of images that are measured, as `train` takes them.
        colour: keep three channels of images that are measured, though all are grey.
        nearest: where to write a sheet of the fakes nearest to training images, above these (``.png``).
        watcher: is told what happens.

    Raises:
        UserError: something cannot be used; nothing was written.
    """
    watcher = watcher or ProgressListener()
    if split not in ("test", "validation"):
        raise UserError(f"--split {split}: test or validation; training images are what a generator may copy")
    source, data = (Path(one) if isinstance(one, os.PathLike) else one for one in (source, data))
    n, seed = None if n is None else as_whole("--n", n), as_whole("--seed", seed)
    judge = None if judge is None else as_path("--judge", judge)
    nearest = None if nearest is None else as_path("--nearest", nearest)
    if n is not None and n < FEWEST:
        raise UserError(f"--n {n}: at least {FEWEST}, or every interval is wider than what it bounds")
    generator, folder = _generator_of(source)
    if split == "validation" and generator and generator.recipe.data.images == "all":
        raise UserError(f"--split validation: {source} was trained on the validation images too; take the test images")
    if generator and (levels or colour):
        raise UserError(f"--levels and --colour are for images that are measured, and {source} is a generator")
    if nearest:
        nearest = ensure_writable(nearest, [".png"])
    what = str(folder.path) if folder else str(source) if isinstance(source, str | Path) else "images from Python"
    try:
        splits = load_reference_data(data, generator, folder, resize, watcher)
        fakes = _fakes(source, splits, levels, colour, watcher) if generator is None else None
        reals = splits.test if split == "test" else splits.validation
        _refuse_other_shape(what, generator, fakes, reals)
        count = _count(n, reals, split, fakes)
        eye = _eye(judge, extractor, splits, watcher.say)
        watcher.say(f"judging {count:,} pictures ...")
        yardstick = Evaluator(eye, splits, split, count, _counter(watcher, 3 * count), watcher.say)
        if fakes is not None:
            chosen = random_subset(fakes, count, "fakes")
        else:
            assert generator is not None
            chosen = generate_images(generator, count, seed)
        found = yardstick.measure(chosen, what, generator, slow)
        sheet = yardstick.nearest(chosen) if nearest else b""
    finally:
        watcher.end()
    if nearest:
        write_atomically(nearest, sheet)
    if folder is not None:
        append_line(folder.metrics, {"step": found.step, "evaluation": found.to_dict()})
    return found


def _fakes(
    source: Any, splits: Splits, levels: tuple[float, float] | None, colour: bool, watcher: ProgressListener
) -> ImageSet:
    """Load the images that are measured; grey ones keep three channels where the real ones have three."""
    rules = ReadingRules.chosen(levels=levels, colour=colour or splits.test.shape[0] == 3)
    fakes, notes = load_whole(source, rules, watcher.reading)
    for line in lines_on_images(fakes, notes):
        watcher.say(line)
    return fakes


def runs_in(path: Path) -> list[RunFolder]:
    """Return the run that a folder is, or the runs in it, one for each seed; none where it is something else.

    Raises:
        UserError: the runs lie deeper.
    """
    alone = RunFolder(path)
    if alone.exists:
        return [alone]
    kept = sorted(path.glob("*/run.json"), key=lambda file: (len(file.parent.name), file.parent.name))
    if not kept and (below := sorted({file.parent.parent for file in path.glob("*/*/run.json")})):
        raise UserError(f"{path} holds several folders of runs: name one of them, {below[0]} for one")
    return [RunFolder(file.parent) for file in kept]


def read_group(path: Path) -> Group:
    """Read the last evaluation of a run, of every run in a folder of seeds, or of a file that evaluate --json wrote.

    Raises:
        UserError: there is none.
    """
    if path.is_file():
        return Group(path.stem, (parse_evaluation(read_json(path), str(path)),))
    runs = runs_in(path)
    if not runs:
        raise UserError(f"{path}: is no run, no folder of runs and no file of 'ganforge evaluate --json'")
    found = []
    for run in runs:
        lines = [line["evaluation"] for line in read_lines(run.metrics) if "evaluation" in line]
        if not lines:
            raise UserError(f"{run.path}: was not evaluated yet; 'ganforge evaluate {run.path}' does it")
        found.append(parse_evaluation(lines[-1], str(run.metrics), f"'ganforge evaluate {run.path}' does it anew"))
    return Group(path.name, tuple(found))


def _generator_of(source: Any) -> tuple[Generator | None, RunFolder | None]:
    """Tell a generator from images: a `Generator`, a run, a generator file, or the name of one that is shipped."""
    if isinstance(source, Generator):
        return source, None
    if not isinstance(source, str | Path):
        return None, None
    path = user_path(source)
    if (path / "run.json").exists():
        return load_generator(path), RunFolder(path)
    shipped = not path.exists() and (SHIPPED / f"{path}.safetensors").exists()
    if not shipped and not path.exists():
        raise UserError(
            f"{source} does not exist: give a run's folder ('ganforge runs' lists them), a generator file, images "
            "(.npz, a folder, a zip), or mnist for the generator that ships"
        )
    if shipped or path.suffix == ".safetensors":
        return load_generator(path), None
    return None, None


def load_reference_data(
    data: Any,
    generator: Generator | None,
    folder: RunFolder | None,
    resize: str | int | None,
    watcher: ProgressListener,
) -> Splits:
    """Load the reals: those that are named, else those of the run, else those of the generator's name, else MNIST.

    A run's data are read by the rules it was begun with, also where they were moved to another place.
    """
    rules, source = ReadingRules.chosen(resize=resize), data
    if folder is not None and not (isinstance(data, str) and data in ENTRIES):
        kept = folder.read_run()["data"]
        rules = ReadingRules.of_run(kept)
        if source is None:
            source = kept["source"]
            if source is None:
                raise UserError(f"{folder.path} was trained on data from Python: give --data")
            if resize is not None:
                raise UserError(
                    f"--resize {resize}: {folder.path}'s own pictures are read as it was trained; give --data"
                )
        elif resize is not None:
            rules = rules.model_copy(update={"resize": resize})
    if source is None:
        source = generator.note["data"] if generator else "mnist"
    splits = load(source, report=watcher.downloading, rules=rules, reading=watcher.reading)
    watcher.say(f"real images: {splits.train.name}, {splits.origin}")
    warn_of(source, splits, watcher)
    if data is not None or folder is None or generator is None:
        return splits
    seen = generator.recipe.data.images
    known = splits if seen == "train" else load(source, images=seen, rules=rules)
    if generator.note["fingerprint"] != known.fingerprint:
        raise UserError(f"{source} is not what {folder.path} was trained on: its images or labels have changed")
    return splits


def _refuse_other_shape(what: str, generator: Generator | None, fakes: ImageSet | None, reals: ImageSet) -> None:
    made = tuple(generator.note["shape"]) if generator else fakes.shape if fakes else ()
    if made != reals.shape:
        shapes = ["×".join(map(str, shape)) for shape in (made, reals.shape)]
        raise UserError(
            f"{what}: its images are {shapes[0]} (channels × height × width) and the real ones of {reals.name} are "
            f"{shapes[1]}; give the --data that they imitate"
        )


def _count(n: int | None, reals: ImageSet, split: str, fakes: ImageSet | None) -> int:
    """Settle how many of each are measured: equally many."""
    most = min(len(reals), len(fakes) if fakes else len(reals) if n is None else n)
    if n is not None and n > most:
        made = f" and {len(fakes):,} generated ones" if fakes else ""
        raise UserError(f"--n {n:,}: there are {len(reals):,} real {split} images{made} only")
    count = n or min(MOST, most)
    if count < FEWEST:
        raise UserError(f"{count} images on a side are too few to measure anything: give {FEWEST} or more")
    return count


def _eye(
    judge: Path | None, extractor: Extractor | None, splits: Splits, say: Callable[[str], None]
) -> FeatureExtractor:
    if extractor is not None:
        return FeatureExtractor(extractor=extractor)
    if judge is not None:
        chosen = load_judge(user_path(judge))
        if chosen.card.shape != splits.test.shape:
            wanted, given = ("×".join(map(str, shape)) for shape in (chosen.card.shape, splits.test.shape))
            raise UserError(
                f"{judge}: {chosen.version} judges images of {wanted} (channels × height × width), these are {given}"
            )
        if why := why_foreign(chosen, splits):
            say(f"note: {why}; figures by {chosen.version} may mean little here")
        return FeatureExtractor(chosen)
    fitting, why = choose_judge(splits)
    if fitting is None:
        raise UserError(f"{why}; 'ganforge judge train' makes one from labelled data, or give --judge FILE")
    return FeatureExtractor(fitting)


def _counter(watcher: ProgressListener, total: int) -> Callable[[int], None]:
    """Add up the images that were looked at, for the watcher."""
    looked = 0

    def report(count: int) -> None:
        nonlocal looked
        looked += count
        watcher.judging(looked, max(total, looked))

    return report
