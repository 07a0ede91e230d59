"""A training that is checked and ready to begin, and what it is checked by."""

import math
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import ganforge
from ganforge.arguments import as_number, as_path, as_whole
from ganforge.data.images import Splits
from ganforge.data.load import load as load_data
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.registry import ENTRIES
from ganforge.data.summary import lines_before_work
from ganforge.errors import UserError
from ganforge.experiment.experiment import Experiment, ProgressListener, StopCondition, check_recipe_fits_data
from ganforge.experiment.hooks import save_state
from ganforge.experiment.run import Run, run_training, unfinished
from ganforge.experiment.validation_hook import judge_for_validation
from ganforge.experiment.verdict import kept_verdict
from ganforge.experiment.warm_start import load_initial_weights
from ganforge.files import write_atomically
from ganforge.recipes.reading import load_recipe, parse, parse_toml
from ganforge.recipes.recipe import DEFAULT_FOR_FEW, DEFAULT_RECIPE, DEFAULT_WITHOUT_LABELS, FEW, Recipe
from ganforge.runs.folder import RunFolder, claim_folder
from ganforge.training.precision import choose_precision
from ganforge.training.state import State

RUNS = Path("runs")
"""Where runs go when no folder is named."""


@dataclass(frozen=True)
class TrainingPlan:
    """A training that is checked and ready to begin: all of it but the seed and the folder.

    Attributes:
        recipe: fitted to the data, settled for this machine.
        data: where the data came from, as ``run.json`` keeps it.
        length: ``steps``, ``epochs`` or ``minutes``, by name, as they were asked for.
        evaluate_every: see `train`.
        start_from: see `train`.
    """

    recipe: Recipe
    splits: Splits
    data: dict[str, Any]
    length: dict[str, Any]
    evaluate_every: int | None
    start_from: RunFolder | None
    watcher: ProgressListener

    def start(self, seed: int, folder: RunFolder | None) -> Run:
        """Train with this seed; without a folder in the first free one."""
        experiment, state = self._ready(seed, folder)
        self.watcher.say(f"data: {self.splits.train.name}, {self.splits.origin}")
        with experiment.folder.locked():
            self._write(experiment, state, torch.get_num_threads())
            return run_training(experiment, state, self.length_of(experiment), 0.0, self.watcher)

    def check_start(self) -> None:
        """Refuse weights to start with that do not fit, before there is a folder.

        Raises:
            UserError: they do not.
        """
        if self.start_from is not None:
            self._first_state(Experiment(self.recipe, self.splits, RunFolder(RUNS), 0))

    def write_initial_checkpoint(self, seed: int, folder: RunFolder, threads: int) -> None:
        """Write down a run of this seed as far as its first step, for `resume` to play with so many threads."""
        experiment, state = self._ready(seed, folder)
        with folder.locked():
            self._write(experiment, state, threads)

    @property
    def steps(self) -> int | None:
        """How many steps each of its runs takes; None where the clock decides."""
        return self.length_of(Experiment(self.recipe, self.splits, RunFolder(RUNS), 0)).step

    def is_complete(self, folder: RunFolder) -> bool:
        """Whether a run of this order is there, at its end and judged; False also where nothing is there.

        A verdict that this version cannot read is none.

        Raises:
            UserError: a run of another recipe is there, or one that is beyond this order's end.
        """
        if not folder.exists:
            return False
        if folder.recipe.exists() and saved_recipe(folder) != self.recipe:
            raise UserError(f"{folder.path} holds a run of another recipe: choose another --out")
        saved = folder.read_run()
        done, wanted = saved.get("step", 0), self.steps
        if wanted is not None and done > wanted:
            raise UserError(
                f"{folder.path} is at step {done:,} already: ask for at least as many, or choose another --out"
            )
        at_its_end = saved.get("status") == "finished" and (wanted is None or done == wanted)
        return at_its_end and bool(saved.get("no_judge") or (saved.get("judged") and kept_verdict(folder)))

    def length_of(self, experiment: Experiment) -> StopCondition:
        """When its runs are at their end."""
        if not self.length:
            return StopCondition(experiment.usual_steps)
        return given_length(experiment, **self.length)

    def _ready(self, seed: int, folder: RunFolder | None) -> tuple[Experiment, State]:
        """Make players and folder: everything is checked before anything is written."""
        recipe, splits = self.recipe, self.splits
        if folder is not None:
            _refuse_used(folder, recipe)
        experiment = Experiment(recipe, splits, folder or RunFolder(RUNS), seed)  # without one it is claimed below
        state = self._first_state(experiment)
        folder = folder or claim_folder(RUNS, f"{recipe.name}-{splits.train.name}")
        folder.create()
        return experiment.with_folder(folder), state

    def _first_state(self, experiment: Experiment) -> State:
        state = experiment.new_state(self.watcher)
        if self.start_from is not None:
            load_initial_weights(state, self.recipe, self.splits.train, self.start_from)
        return state

    def _write(self, experiment: Experiment, state: State, threads: int) -> None:
        """Write down what makes a folder a run."""
        folder, splits = experiment.folder, self.splits
        _refuse_used(folder, self.recipe)
        folder.clear()
        write_atomically(folder.recipe, self.recipe.to_toml().encode())
        save_state(experiment, state)  # before run.json: whatever is a run can go on
        folder.update_run(
            recipe=self.recipe.name,
            seed=experiment.seed,
            data=self.data,
            fingerprint=splits.fingerprint,
            steps_per_epoch=experiment.steps_per_epoch,
            evaluate_every=self.evaluate_every,
            versions=versions(),
            threads=threads,
            **unfinished("interrupted", self.length_of(experiment)),
        )


def prepare(
    recipe: str | os.PathLike[str] | Recipe,
    *,
    data: Any = "auto",
    steps: int | None = None,
    epochs: float | None = None,
    minutes: float | None = None,
    changes: Sequence[str] = (),
    device: str = "auto",
    evaluate_every: int | None = None,
    start_from: str | os.PathLike[str] | None = None,
    resize: str | int | None = None,
    skip_bad: bool = False,
    levels: tuple[float, float] | None = None,
    colour: bool = False,
    watcher: ProgressListener | None = None,
) -> TrainingPlan:
    """Check everything that a training needs but its seed and its folder; the arguments are those of `train`.

    Raises:
        UserError: something cannot be used.
    """
    watcher = watcher or ProgressListener()
    checked = _before_the_data(recipe, changes)
    chosen_device = choose_device(str(device), checked)
    length = read_length(steps, epochs, minutes)
    if evaluate_every is not None:
        evaluate_every = as_whole("--evaluate-every", evaluate_every)
        if evaluate_every < 1:
            raise UserError(f"--evaluate-every {evaluate_every}: must be 1 step or more")
    if evaluate_every is not None and checked.data.images == "all":
        raise UserError(
            f"--evaluate-every {evaluate_every}: {checked.name} trains on the validation images too; "
            "--set data.images=train leaves them out"
        )
    before = RunFolder(as_path("--from", start_from)) if start_from is not None else None
    data = Path(data) if isinstance(data, os.PathLike) else data
    size = resize if resize is None or isinstance(resize, int | str) else str(resize)
    rules = ReadingRules.chosen(resize=size, skip_bad=bool(skip_bad), levels=levels, colour=bool(colour))
    splits = load(data, checked, rules, watcher)
    warn_of(data, splits, watcher)
    if isinstance(recipe, str) and recipe == "default":
        checked = _default_recipe(splits, changes, watcher)
    check_recipe_fits_data(checked, splits)
    if evaluate_every is not None:
        judge_for_validation(splits)
    checked = _settle(checked.model_copy(update={"device": chosen_device}), splits, watcher)
    name = splits.train.name
    return TrainingPlan(
        checked,
        splits,
        {"source": source_of(data, name), "name": name, **rules.for_run()},
        length,
        evaluate_every,
        before,
        watcher,
    )


def _before_the_data(recipe: str | os.PathLike[str] | Recipe, changes: Sequence[str]) -> Recipe:
    """Load a recipe; of the default ones any that the changes fit, as only the data will say which it is."""
    try:
        return load_recipe(recipe, changes)
    except UserError:
        for other in (DEFAULT_WITHOUT_LABELS, DEFAULT_FOR_FEW) if recipe == "default" else ():
            with suppress(UserError):
                return load_recipe(other, changes)
        raise


def _default_recipe(splits: Splits, changes: Sequence[str], watcher: ProgressListener) -> Recipe:
    """Choose by the data: with classes to ask for, or without."""
    classes = len(splits.train.labels.unique()) if splits.train.labelled else 0
    few = len(splits.train)
    if classes > 1:
        name, why = DEFAULT_RECIPE, f"the images have labels, {classes} classes"
    elif few >= FEW:
        name, why = DEFAULT_WITHOUT_LABELS, "the images have no labels to ask for"
    else:
        name, why = DEFAULT_FOR_FEW, f"the images have no labels to ask for, and are {few} only"
    watcher.say(f"recipe: {name}, because {why}; 'ganforge recipes' lists others")
    recipe = load_recipe(name, changes)
    if recipe.batch_size > few:
        size = max(2, few // 2)
        watcher.say(f"batches of {size} instead of {recipe.batch_size}: there are {few} training images only")
        recipe = recipe.model_copy(update={"batch_size": size})
    return recipe


def _settle(recipe: Recipe, splits: Splits, watcher: ProgressListener) -> Recipe:
    """Settle what depends on this machine: the resolved recipe has no ``auto`` left."""
    settled = choose_precision(recipe, splits.train.shape, len(splits.train.class_names))
    if settled != recipe:
        watcher.say(f"precision: {settled.precision}, the faster one here (--set precision=... takes another)")
    return settled


def load(data: Any, recipe: Recipe, rules: ReadingRules, watcher: ProgressListener) -> Splits:
    """Load the data, unless they are, by the rules that a run keeps."""
    if isinstance(data, Splits):
        return data
    try:
        return load_data(
            data,
            images=recipe.data.images,
            report=watcher.downloading,
            rules=rules,
            reading=watcher.reading,
        )
    finally:
        watcher.end()


def warn_of(data: Any, splits: Splits, watcher: ProgressListener) -> None:
    """Say how a user's own data were read, and what training or measuring on them would suffer from."""
    if not (isinstance(data, str) and data in ("auto", *ENTRIES)):
        for line in lines_before_work(splits):
            watcher.say(line)


def source_of(data: Any, name: str) -> str | None:
    """What to load again on resume: a catalogue name, an absolute path, or nothing for data from Python."""
    if not isinstance(data, str | Path):
        return None
    return name if data == "auto" else data if data in ENTRIES else str(Path(data).expanduser().resolve())


def versions() -> dict[str, str]:
    """What a run's exact result depends on besides recipe, data and seed."""
    return {"ganforge": ganforge.__version__, "torch": torch.__version__, "python": platform.python_version()}


def choose_device(device: str, recipe: Recipe) -> str:
    """Return where to train: as asked, else as the recipe says, else a GPU where there is one.

    Raises:
        UserError: this machine does not have it.
    """
    wanted = device if device != "auto" else recipe.device
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return "cuda" if there["cuda"] else "cpu"
    if wanted not in there:
        raise UserError(f"device {wanted!r} is not known: auto, cpu, cuda or mps")
    if not there[wanted]:
        raise UserError(
            f"this machine has no {wanted} device that torch {torch.__version__} can use; try --device auto"
        )
    return wanted


def read_length(steps: Any, epochs: Any, minutes: Any) -> dict[str, Any]:
    """Return the length that was given, by name: ``steps``, ``epochs`` or ``minutes``, or nothing.

    Raises:
        UserError: there are two, or it is none.
    """
    flags = {"steps": (as_whole, steps), "epochs": (as_number, epochs), "minutes": (as_number, minutes)}
    given = {name: read(f"--{name}", value) for name, (read, value) in flags.items() if value is not None}
    if len(given) > 1:
        raise UserError(f"give one of {' and '.join(f'--{name}' for name in given)}, not both")
    for name, value in given.items():
        if not value > 0 or math.isinf(value):
            raise UserError(f"--{name} {value:g}: must be more than 0")
    return given


def given_length(
    experiment: Experiment, steps: int | None = None, epochs: float | None = None, minutes: float | None = None
) -> StopCondition:
    """Return a length as the loop knows it."""
    if epochs is not None:
        steps = max(1, round(epochs * experiment.steps_per_epoch))
    return StopCondition(steps, minutes * 60 if minutes is not None else math.inf)


def _refuse_used(folder: RunFolder, recipe: Recipe) -> None:
    if not folder.exists:
        return
    if folder.recipe.exists() and saved_recipe(folder) != recipe:
        raise UserError(f"{folder.path} holds a run of another recipe: choose another --out")
    raise UserError(
        f"{folder.path} holds this run already: 'ganforge resume {folder.path}' goes on, or choose another --out"
    )


def saved_recipe(folder: RunFolder) -> Recipe:
    """Return the recipe that a run was begun with.

    Raises:
        UserError: its file is missing or damaged.
    """
    try:
        values = parse_toml(folder.recipe.read_text(encoding="utf-8"), str(folder.recipe))
    except (OSError, ValueError, UserError):
        raise UserError(
            f"{folder.recipe} is missing or damaged; restore it, or train anew into another folder"
        ) from None
    return parse(values, str(folder.recipe))
