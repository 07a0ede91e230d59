"""What all benchmarks share: options, the folder and its identity, measurements that are kept, the report."""

import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from ganforge.errors import RunFailed, UserError
from ganforge.experiment.experiment import ProgressListener
from ganforge.experiment.multi_seed import MOST_SEEDS, train_seeds
from ganforge.experiment.preflight import RUNS, choose_device
from ganforge.experiment.run import Run
from ganforge.files import user_path, write_atomically
from ganforge.json_text import parse_json, to_json
from ganforge.recipes.reading import load_recipe, parse
from ganforge.recipes.recipe import Recipe
from ganforge.runs.folder import refuse_strangers

Length = TypeVar("Length", int, None)
RECIPE, IDENTITY = "recipe.toml", "benchmark.json"
QUICK_STEPS = 300
"""Steps of ``quick`` where a benchmark has full runs."""


@dataclass(frozen=True)
class BenchmarkOptions:
    """The options of one call of a benchmark, named as the flags of the command; None or empty where not given.

    ``recipe`` may also be a Recipe; ``data``, ``only`` and ``beside`` are lists; ``watcher`` receives the progress.

    Raises:
        UserError: ``seeds`` or ``steps`` is less than 1, or ``seeds`` more than `MOST_SEEDS`.
    """

    name: str
    recipe: str | Recipe | None = None
    seeds: int | None = None
    steps: int | None = None
    quick: bool = False
    out: str | Path | None = None
    data: Sequence[str] = ()
    only: Sequence[str] = ()
    labels: int | None = None
    draw: int | None = None
    beside: Sequence[str] = ()
    task: str | None = None
    watcher: ProgressListener = field(default_factory=ProgressListener)

    def __post_init__(self) -> None:
        """Refuse lengths and numbers of seeds below 1, and too many seeds."""
        for flag, value in (("seeds", self.seeds), ("steps", self.steps)):
            if value is not None and value < 1:
                raise UserError(f"--{flag} {value}: must be more than 0")
        if self.seeds is not None and self.seeds > MOST_SEEDS:
            raise UserError(f"--seeds {self.seeds}: must be at most {MOST_SEEDS:,}")

    def recipe_or(self, default: str, changes: Sequence[str] = ()) -> Recipe:
        """Return the given recipe, or the benchmark's own, with ``field=value`` changes."""
        return load_recipe(self.recipe or default, changes)

    def steps_or(self, usual: Length, quick: int) -> int | Length:
        """Return the given number of steps, or the ``usual`` one, or that of ``quick``."""
        default = quick if self.quick else usual
        return default if self.steps is None else self.steps

    def folder(self, *parts: str) -> Path:
        """Return the given folder, or ``runs/benchmark-NAME-PARTS``."""
        name = "-".join(("benchmark", self.name, *parts, *(["quick"] if self.quick else [])))
        return user_path(self.out) if self.out else RUNS / name

    def train_on_mnist(self, recipe: str | Recipe, folder: Path, steps: int | None) -> list[Run]:
        """Train a full run for every seed into ``folder``; complete runs are not trained again."""
        return train_seeds(recipe, self.seeds or 1, data="mnist", steps=steps, out=folder, watcher=self.watcher)


class BenchmarkReport(ABC):
    """The result of a benchmark, on all finished seeds of its folder, whichever call trained them."""

    @property
    @abstractmethod
    def title(self) -> str:
        """The task on one line."""

    @property
    def header(self) -> tuple[str, ...]:
        """The titles of the columns of ``table``; empty if there is none, because the notes hold the tables."""
        return ()

    def table(self) -> list[tuple[str, ...]]:
        """Return the rows: published results, real data, and ours."""
        return []

    @abstractmethod
    def notes(self) -> list[str]:
        """Return the lines below the table: how to read it, and where the files are."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""


def count_of(number: int, noun: str) -> str:
    """Return "1 seed", or "3 seeds"."""
    return f"{number} {noun}{'s' * (number != 1)}"


def mean_and_sd(values: Sequence[float], show: Callable[[float], str]) -> str:
    """Return mean ± standard deviation over seeds, each as ``show`` writes it; a single value has no deviation."""
    sd = [statistics.stdev(values)] if len(values) > 1 else []
    return " ± ".join(map(show, [statistics.fmean(values), *sd]))


def measure_once(
    file: Path, measure: Callable[[], Any], kind: Any = dict[str, Any], *, indent: int | None = None
) -> Any:
    """Return the content of ``file`` as an instance of ``kind``; if there is no file, measure and write it first.

    Raises:
        UserError: the file is damaged.
        RunFailed: the disk is full.
    """
    if not file.exists():
        values = to_json(measure(), indent=indent)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, values.encode())
    return read_kept(file, kind)


def read_kept(file: Path, kind: Any = dict[str, Any]) -> Any:
    """Return the content of a benchmark's file as an instance of ``kind``: a dataclass, a number, by default a dict.

    Raises:
        UserError: the file is damaged.
    """
    try:
        return TypeAdapter(kind).validate_python(parse_json(file.read_bytes()))
    except (OSError, ValueError):  # pydantic's is a ValueError too
        raise UserError(f"{file} is damaged; delete it, and the same command makes it again") from None


def list_seed_files(folder: Path, name: str) -> list[Path]:
    """Return the files ``seed-*/name`` in the order of the seeds."""
    return sorted(folder.glob(f"seed-*/{name}"), key=lambda file: int(file.parent.name[5:]))


def refuse_another(folder: Path, identity: dict[str, Any]) -> None:
    """Refuse a folder that holds anything but the benchmark with this identity.

    Raises:
        UserError: it holds another benchmark, or other files.
    """
    file = folder / IDENTITY
    if not file.exists():
        refuse_strangers(folder, RECIPE.__eq__)
        return
    saved, current = read_kept(file), parse_json(to_json(identity))
    different = [key for key in current if key != "recipe" and saved.get(key) != current[key]]
    if "recipe" in current and not _is_recipe(saved.get("recipe"), parse(current["recipe"], str(file)), str(file)):
        different.append("recipe")
    if different:
        raise UserError(f"{folder} holds a benchmark of another {different[0]}: choose another --out")


def _is_recipe(saved: object, recipe: Recipe, where: str) -> bool:
    """Whether plain values, perhaps with old names of fields, train as ``recipe`` does."""
    try:
        return isinstance(saved, dict) and parse(saved, where).trains_like(recipe)
    except UserError:
        return False


def claim(folder: Path, identity: dict[str, Any], recipe: Recipe) -> None:
    """Make the folder of a benchmark, or check that it belongs to it; the caller holds the folder's lock.

    Raises:
        UserError: the folder cannot be written, or holds something else.
    """
    refuse_another(folder, identity)
    file = folder / IDENTITY
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():  # written last: a folder with this file can be resumed
            write_atomically(folder / RECIPE, recipe.to_toml().encode())
            write_atomically(file, to_json(identity, indent=2).encode())
    except (OSError, RunFailed) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"cannot write to {folder}: {reason}; choose another --out") from None


def on_a_device(recipe: Recipe) -> Recipe:
    """Return the recipe with a device: the recipe's own, or for "auto" a GPU if there is one.

    Raises:
        UserError: this machine does not have the recipe's device.
    """
    try:
        return recipe.with_run(device=choose_device("auto", recipe))
    except UserError:
        raise UserError(
            f"{recipe.name}: this machine has no {recipe.run.device} device that torch can use; set run.device = 'auto'"
        ) from None
