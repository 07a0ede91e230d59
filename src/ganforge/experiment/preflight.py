"""Checks before a training: recipe, data, device, length and folder; the result is a `TrainingPlan`."""

import os
import platform
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

import ganforge
from ganforge.data.images import Splits
from ganforge.data.kinds import Signals
from ganforge.data.load import load as load_data
from ganforge.data.parts import count_of
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.sources.expected_parts import check_source
from ganforge.data.sources.registry import ENTRIES
from ganforge.data.summary import lines_before_work
from ganforge.diagnosis.finding import Finding
from ganforge.errors import UserError
from ganforge.experiment.before import is_named, look_before_training
from ganforge.experiment.experiment import Experiment, ProgressListener, check_recipe_fits_data, smaller_batch
from ganforge.experiment.length import StopCondition
from ganforge.experiment.options import TrainOptions
from ganforge.experiment.run import Run, run_training, unfinished
from ganforge.experiment.saved_recipe import saved_recipe
from ganforge.experiment.trainer import save_state
from ganforge.experiment.validation_hook import judge_for_validation
from ganforge.experiment.verdict import kept_verdict
from ganforge.experiment.warm_start import load_initial_weights
from ganforge.files import user_path, write_atomically
from ganforge.recipes.reading import load_recipe
from ganforge.recipes.recipe import (
    DEFAULT_FOR_FEW,
    DEFAULT_FOR_SIGNALS,
    DEFAULT_FOR_UNLABELLED_SIGNALS,
    DEFAULT_RECIPE,
    DEFAULT_WITHOUT_LABELS,
    FEW,
    Recipe,
)
from ganforge.runs.folder import RunFolder, claimed_folder
from ganforge.training.state import State
from ganforge.training.tuning.precision import choose_precision

RUNS = Path("runs")
"""The default parent folder of runs."""


@dataclass(frozen=True)
class TrainingPlan:
    """A training that is checked and ready to start, once or with several seeds.

    Attributes:
        options: what the user chose.
        recipe: resolved for the data and this machine.
        splits: the loaded data.
        before: the findings on recipe and data.
    """

    options: TrainOptions
    recipe: Recipe
    splits: Splits
    before: tuple[Finding, ...] = ()

    @property
    def data(self) -> dict[str, Any]:
        """The source of the data and the rules by which they were read, as in ``run.json``."""
        train = self.splits.train
        kind = {"kind": train.kind.model_dump(mode="json")} if train.kind else {}
        source = source_of(self.options.data, train.name)
        return {"source": source, "name": train.name, **self.options.rules.for_run(), **kind}

    @property
    def end(self) -> StopCondition:
        """The end of each run."""
        return self.options.length.end(self.recipe, len(self.splits.train))

    def claim_folder(self) -> AbstractContextManager[RunFolder]:
        """Make the first free folder ``runs/<recipe>-<data>-<k>``; an error removes it again while it is empty."""
        return claimed_folder(RUNS, f"{self.recipe.name}-{self.splits.train.name}")

    def start(self, seed: int, folder: RunFolder | None) -> Run:
        """Train with this seed, in ``folder`` or else in the first free folder."""
        if folder is None:
            with self.claim_folder() as claimed:
                return self.start(seed, claimed)
        experiment, state = self._ready(seed, folder)
        watcher = self.options.watcher
        watcher.say(f"data: {self.splits.train.name}, {self.splits.origin}")
        with folder.locked():
            self._write(experiment, state, torch.get_num_threads())
            return run_training(experiment, state, self.end, 0.0, watcher)

    def write_initial_checkpoint(self, seed: int, folder: RunFolder, threads: int) -> None:
        """Write a run of this seed at step 0, which `resume` then trains with ``threads`` threads."""
        experiment, state = self._ready(seed, folder)
        with folder.locked():
            self._write(experiment, state, threads)

    def write_checkpoint(self, experiment: Experiment, state: State, threads: int, **note: Any) -> None:
        """Write a run that begins with ``state``, at any step, which `resume` then trains with ``threads`` threads.

        ``note`` are further entries of ``run.json``.
        """
        experiment.folder.create()
        with experiment.folder.locked():
            self._write(experiment, state, threads, **note)

    def is_complete(self, folder: RunFolder) -> bool:
        """Whether the folder holds a complete and judged run of this plan; False for an empty folder.

        A verdict that this version cannot read does not count.

        Raises:
            UserError: the folder holds a run of another recipe, or one beyond the end of this plan.
        """
        if not folder.exists:
            return False
        _refuse_another_recipe(folder, self.recipe)
        saved = folder.read_run()
        step, target = saved.get("step", 0), self.end.step
        if target is not None and step > target:
            raise UserError(
                f"{folder.path} is at step {step:,} already: give at least as many --steps, or choose another --out"
            )
        finished = saved.get("status") == "finished" and (target is None or step == target)
        return finished and bool(saved.get("no_judge") or (saved.get("judged") and kept_verdict(folder)))

    def _ready(self, seed: int, folder: RunFolder) -> tuple[Experiment, State]:
        """Make the networks, then the folder: everything is checked before anything is written."""
        _refuse_used(folder, self.recipe)
        experiment = Experiment(self.recipe, self.splits, folder, seed)
        state = experiment.new_state(self.options.watcher)
        if self.options.start_from is not None:
            load_initial_weights(state, self.recipe, self.splits.train, RunFolder(self.options.start_from))
        folder.create()
        return experiment, state

    def _write(self, experiment: Experiment, state: State, threads: int, **note: Any) -> None:
        """Write the files that make a folder a run; ``note`` are further entries of ``run.json``."""
        folder = experiment.folder
        _refuse_used(folder, self.recipe)
        folder.clear()
        write_atomically(folder.recipe, self.recipe.to_toml().encode())
        save_state(folder.checkpoints, state)  # before run.json: every run can be resumed
        folder.update_run(
            recipe=self.recipe.name,
            seed=experiment.seed,
            data=self.data,
            fingerprint=self.splits.fingerprint,
            train_fingerprint=self.splits.train.fingerprint,
            start_from=None if self.options.start_from is None else str(self.options.start_from),
            steps_per_epoch=experiment.steps_per_epoch,
            evaluate_every=self.options.evaluate_every,
            before=[asdict(finding) for finding in self.before],
            versions=versions(),
            threads=threads,
            **note,
            **unfinished("interrupted", self.end),
        )


def prepare(options: TrainOptions) -> TrainingPlan:
    """Check everything that a training needs before its folder is made.

    Raises:
        UserError: an option cannot be used.
    """
    watcher, changes = options.watcher, options.changes
    recipe = _provisional_recipe(options.recipe, changes)
    device = choose_device(options.device, recipe)
    if options.evaluate_every is not None and recipe.data.images == "all":
        raise UserError(
            f"--evaluate-every {options.evaluate_every}: {recipe.name} also trains on the validation images; "
            "--set data.images=train leaves them out"
        )
    _check_source(options.data, recipe)
    splits = load(options.data, recipe.data.images, options.rules, watcher)
    if isinstance(options.recipe, str) and options.recipe == "default":
        recipe = _for_few(_default_recipe(splits, changes, watcher), splits, watcher)
    elif recipe.pairs and not any(change.partition("=")[0].strip() == "batch_size" for change in changes):
        recipe = _for_few(recipe, splits, watcher)
    check_recipe_fits_data(recipe, splits)
    before = look_before_training(options.data, recipe, splits, watcher)
    if options.evaluate_every is not None:
        judge_for_validation(splits)
    recipe = _resolve_precision(recipe.with_run(device=device), splits, watcher)
    return TrainingPlan(options, recipe, splits, before)


def _provisional_recipe(recipe: str | os.PathLike[str] | Recipe, changes: Sequence[str]) -> Recipe:
    """Load a recipe; for "default", any default recipe that the changes fit, because the choice needs the data."""
    try:
        return load_recipe(recipe, changes)
    except UserError:
        for other in (DEFAULT_WITHOUT_LABELS, DEFAULT_FOR_FEW, DEFAULT_FOR_SIGNALS) if recipe == "default" else ():
            with suppress(UserError):
                return load_recipe(other, changes)
        raise


def _default_recipe(splits: Splits, changes: Sequence[str], watcher: ProgressListener) -> Recipe:
    """Choose the default recipe by the labels and the number of images."""
    classes = len(splits.train.labels.unique()) if splits.train.labelled else 0
    count = len(splits.train)
    if isinstance(splits.train.kind, Signals):
        name = DEFAULT_FOR_SIGNALS if classes > 1 else DEFAULT_FOR_UNLABELLED_SIGNALS
        reason = f"the data are signals, {f'{classes} classes' if classes > 1 else 'without classes'}"
    elif classes > 1:
        name, reason = DEFAULT_RECIPE, f"the images have labels, {classes} classes"
    elif count >= FEW:
        name, reason = DEFAULT_WITHOUT_LABELS, "the images have no labels, or a single class"
    else:
        name, reason = DEFAULT_FOR_FEW, f"the images have no labels, or a single class, and there are only {count}"
    watcher.say(f"recipe: {name}, because {reason}; 'ganforge recipes' lists others")
    return load_recipe(name, changes)


def _for_few(recipe: Recipe, splits: Splits, watcher: ProgressListener) -> Recipe:
    """Return the recipe with smaller batches if the training images do not fill one; own pairs and clips are few."""
    count = len(splits.train)
    if recipe.batch_size <= count:
        return recipe
    size = smaller_batch(recipe, count)
    few = count_of(count, splits.train.parts).replace(" ", " training ")
    watcher.say(f"batches of {size} instead of {recipe.batch_size}: there are only {few}")
    return recipe.model_copy(update={"batch_size": size})


def _check_source(data: Any, recipe: Recipe) -> None:
    """Refuse a folder without the pairs or clips that the recipe learns from."""
    if recipe.pairs and recipe.pairs.parts and isinstance(data, str | Path) and data not in ("auto", *ENTRIES):
        check_source(user_path(data), recipe.pairs.parts.kind)


def _resolve_precision(recipe: Recipe, splits: Splits, watcher: ProgressListener) -> Recipe:
    """Choose the faster precision on this machine where the recipe says ``auto``."""
    resolved = choose_precision(recipe, splits.train.shape, len(splits.train.class_names))
    if resolved != recipe:
        chosen = resolved.run.precision
        watcher.say(f"precision: {chosen}, the faster one on this machine (--set run.precision=... takes another)")
    return resolved


def load(data: Any, images: str, rules: ReadingRules, watcher: ProgressListener) -> Splits:
    """Load the data by the reading rules and show the progress; loaded `Splits` are returned as they are."""
    if isinstance(data, Splits):
        return data
    try:
        return load_data(data, images, watcher.downloading, rules, watcher.reading)
    finally:
        watcher.end()


def warn_of(data: Any, splits: Splits, watcher: ProgressListener) -> None:
    """Report how a user's own data were read, and warn about problems for training and measuring."""
    if not is_named(data):
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
    chosen = device if device != "auto" else recipe.run.device
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


def _refuse_used(folder: RunFolder, recipe: Recipe) -> None:
    if not folder.exists:
        return
    _refuse_another_recipe(folder, recipe)
    raise UserError(
        f"{folder.path} already holds this run: continue with 'ganforge resume {folder.path}', or choose another --out"
    )


def _refuse_another_recipe(folder: RunFolder, recipe: Recipe) -> None:
    if folder.recipe.exists() and not saved_recipe(folder).trains_like(recipe):
        raise UserError(f"{folder.path} holds a run of another recipe: choose another --out")
