"""Checks before a training: recipe, data, device, length and folder; the result is a `TrainingPlan`."""

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
from ganforge.data.sources.registry import ENTRIES
from ganforge.data.summary import lines_before_work
from ganforge.errors import UserError
from ganforge.experiment.experiment import Experiment, ProgressListener, StopCondition, check_recipe_fits_data
from ganforge.experiment.run import Run, run_training, unfinished
from ganforge.experiment.trainer import save_state
from ganforge.experiment.validation_hook import judge_for_validation
from ganforge.experiment.verdict import kept_verdict
from ganforge.experiment.warm_start import load_initial_weights
from ganforge.files import write_atomically
from ganforge.recipes.reading import load_recipe, parse, parse_toml
from ganforge.recipes.recipe import DEFAULT_FOR_FEW, DEFAULT_RECIPE, DEFAULT_WITHOUT_LABELS, FEW, Recipe
from ganforge.runs.folder import RunFolder, claim_folder
from ganforge.training.state import State
from ganforge.training.tuning.precision import choose_precision

RUNS = Path("runs")
"""The default parent folder of runs."""


@dataclass(frozen=True)
class TrainingPlan:
    """A training that is checked and ready to start, without seed and folder.

    Attributes:
        recipe: resolved for the data and this machine.
        data: the source of the data, as in ``run.json``.
        length: the requested ``steps``, ``epochs`` or ``minutes``, by name.
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
        """Train with this seed, in ``folder`` or else in the first free folder."""
        experiment, state = self._ready(seed, folder)
        self.watcher.say(f"data: {self.splits.train.name}, {self.splits.origin}")
        with experiment.folder.locked():
            self._write(experiment, state, torch.get_num_threads())
            return run_training(experiment, state, self.length_of(experiment), 0.0, self.watcher)

    def check_start(self) -> None:
        """Check the initial weights of ``start_from`` before a folder is made.

        Raises:
            UserError: the weights do not fit.
        """
        if self.start_from is not None:
            self._first_state(Experiment(self.recipe, self.splits, RunFolder(RUNS), 0))

    def write_initial_checkpoint(self, seed: int, folder: RunFolder, threads: int) -> None:
        """Write a run of this seed at step 0, which `resume` then trains with ``threads`` threads."""
        experiment, state = self._ready(seed, folder)
        with folder.locked():
            self._write(experiment, state, threads)

    @property
    def steps(self) -> int | None:
        """The number of steps of each run; None if the length is a time."""
        return self.length_of(Experiment(self.recipe, self.splits, RunFolder(RUNS), 0)).step

    def is_complete(self, folder: RunFolder) -> bool:
        """Whether the folder holds a complete and judged run of this plan; False for an empty folder.

        A verdict that this version cannot read does not count.

        Raises:
            UserError: the folder holds a run of another recipe, or one beyond the end of this plan.
        """
        if not folder.exists:
            return False
        if folder.recipe.exists() and saved_recipe(folder) != self.recipe:
            raise UserError(f"{folder.path} holds a run of another recipe: choose another --out")
        saved = folder.read_run()
        step, target = saved.get("step", 0), self.steps
        if target is not None and step > target:
            raise UserError(
                f"{folder.path} is at step {step:,} already: give at least as many --steps, or choose another --out"
            )
        finished = saved.get("status") == "finished" and (target is None or step == target)
        return finished and bool(saved.get("no_judge") or (saved.get("judged") and kept_verdict(folder)))

    def length_of(self, experiment: Experiment) -> StopCondition:
        """Return the stop condition of the runs."""
        if not self.length:
            return StopCondition(experiment.usual_steps)
        return given_length(experiment, **self.length)

    def _ready(self, seed: int, folder: RunFolder | None) -> tuple[Experiment, State]:
        """Make the networks, then the folder: everything is checked before anything is written."""
        recipe, splits = self.recipe, self.splits
        if folder is not None:
            _refuse_used(folder, recipe)
        experiment = Experiment(
            recipe, splits, folder or RunFolder(RUNS), seed
        )  # without a folder, one is claimed below
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
        """Write the files that make a folder a run."""
        folder, splits = experiment.folder, self.splits
        _refuse_used(folder, self.recipe)
        folder.clear()
        write_atomically(folder.recipe, self.recipe.to_toml().encode())
        save_state(folder.checkpoints, state)  # before run.json: every run can be resumed
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
    """Check everything that a training needs except seed and folder; the arguments are those of `train`.

    Raises:
        UserError: an argument cannot be used.
    """
    watcher = watcher or ProgressListener()
    checked = _provisional_recipe(recipe, changes)
    chosen_device = choose_device(str(device), checked)
    length = read_length(steps, epochs, minutes)
    if evaluate_every is not None:
        evaluate_every = as_whole("--evaluate-every", evaluate_every)
        if evaluate_every < 1:
            raise UserError(f"--evaluate-every {evaluate_every}: must be 1 step or more")
    if evaluate_every is not None and checked.data.images == "all":
        raise UserError(
            f"--evaluate-every {evaluate_every}: {checked.name} also trains on the validation images; "
            "--set data.images=train leaves them out"
        )
    start_folder = RunFolder(as_path("--from", start_from)) if start_from is not None else None
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
    checked = _resolve_precision(checked.model_copy(update={"device": chosen_device}), splits, watcher)
    name = splits.train.name
    return TrainingPlan(
        checked,
        splits,
        {"source": source_of(data, name), "name": name, **rules.for_run()},
        length,
        evaluate_every,
        start_folder,
        watcher,
    )


def _provisional_recipe(recipe: str | os.PathLike[str] | Recipe, changes: Sequence[str]) -> Recipe:
    """Load a recipe; for "default", any default recipe that the changes fit, because the choice needs the data."""
    try:
        return load_recipe(recipe, changes)
    except UserError:
        for other in (DEFAULT_WITHOUT_LABELS, DEFAULT_FOR_FEW) if recipe == "default" else ():
            with suppress(UserError):
                return load_recipe(other, changes)
        raise


def _default_recipe(splits: Splits, changes: Sequence[str], watcher: ProgressListener) -> Recipe:
    """Choose the default recipe by the labels and the number of images."""
    classes = len(splits.train.labels.unique()) if splits.train.labelled else 0
    count = len(splits.train)
    if classes > 1:
        name, reason = DEFAULT_RECIPE, f"the images have labels, {classes} classes"
    elif count >= FEW:
        name, reason = DEFAULT_WITHOUT_LABELS, "the images have no labels, or a single class"
    else:
        name, reason = DEFAULT_FOR_FEW, f"the images have no labels, or a single class, and there are only {count}"
    watcher.say(f"recipe: {name}, because {reason}; 'ganforge recipes' lists others")
    recipe = load_recipe(name, changes)
    if recipe.batch_size > count:
        size = max(2, count // 2)
        watcher.say(f"batches of {size} instead of {recipe.batch_size}: there are only {count} training images")
        recipe = recipe.model_copy(update={"batch_size": size})
    return recipe


def _resolve_precision(recipe: Recipe, splits: Splits, watcher: ProgressListener) -> Recipe:
    """Choose the faster precision on this machine where the recipe says ``auto``."""
    resolved = choose_precision(recipe, splits.train.shape, len(splits.train.class_names))
    if resolved != recipe:
        watcher.say(
            f"precision: {resolved.precision}, the faster one on this machine (--set precision=... takes another)"
        )
    return resolved


def load(data: Any, recipe: Recipe, rules: ReadingRules, watcher: ProgressListener) -> Splits:
    """Load the data by the reading rules; loaded `Splits` are returned as they are."""
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
    """Report how a user's own data were read, and warn about problems for training and measuring."""
    if not (isinstance(data, str) and data in ("auto", *ENTRIES)):
        for line in lines_before_work(splits):
            watcher.say(line)


def source_of(data: Any, name: str) -> str | None:
    """Return the source to load again on resume: a registry name, an absolute path, or None for data from Python."""
    if not isinstance(data, str | Path):
        return None
    return name if data == "auto" else data if data in ENTRIES else str(Path(data).expanduser().resolve())


def versions() -> dict[str, str]:
    """Return the versions on which a run's exact result depends, besides recipe, data and seed."""
    return {"ganforge": ganforge.__version__, "torch": torch.__version__, "python": platform.python_version()}


def choose_device(device: str, recipe: Recipe) -> str:
    """Return the device for training: the requested one, else the recipe's, else a GPU if there is one.

    Raises:
        UserError: this machine does not have the device.
    """
    chosen = device if device != "auto" else recipe.device
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if chosen == "auto":
        return "cuda" if available["cuda"] else "cpu"
    if chosen not in available:
        raise UserError(f"device {chosen!r} is not known: give auto, cpu, cuda or mps")
    if not available[chosen]:
        raise UserError(
            f"this machine has no {chosen} device that torch {torch.__version__} can use; try --device auto"
        )
    return chosen


def read_length(steps: Any, epochs: Any, minutes: Any) -> dict[str, Any]:
    """Return the given length by name: ``steps``, ``epochs`` or ``minutes``; an empty dict without one.

    Raises:
        UserError: two lengths are given, or one is not a positive number.
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
    """Return a length as a stop condition."""
    if epochs is not None:
        steps = max(1, round(epochs * experiment.steps_per_epoch))
    return StopCondition(steps, minutes * 60 if minutes is not None else math.inf)


def _refuse_used(folder: RunFolder, recipe: Recipe) -> None:
    if not folder.exists:
        return
    if folder.recipe.exists() and saved_recipe(folder) != recipe:
        raise UserError(f"{folder.path} holds a run of another recipe: choose another --out")
    raise UserError(
        f"{folder.path} already holds this run: continue with 'ganforge resume {folder.path}', or choose another --out"
    )


def saved_recipe(folder: RunFolder) -> Recipe:
    """Return the recipe of a run.

    Raises:
        UserError: the recipe file is missing or damaged.
    """
    try:
        values = parse_toml(folder.recipe.read_text(encoding="utf-8"), str(folder.recipe))
    except (OSError, ValueError, UserError):
        raise UserError(
            f"{folder.recipe} is missing or damaged; restore it, or train again into another folder"
        ) from None
    return parse(values, str(folder.recipe))
