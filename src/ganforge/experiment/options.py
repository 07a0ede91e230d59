"""The options of a training: every argument of `ganforge.train`, checked where it enters."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.errors import UserError
from ganforge.experiment.experiment import ProgressListener
from ganforge.experiment.length import Length
from ganforge.python_arguments import as_path, as_whole
from ganforge.recipes.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Everything that a user chooses for a training, as numbers, paths and rules that can be used.

    Attributes:
        recipe: a built-in name, the path of a TOML file, or a Recipe.
        data: a name, a path, or a Python object with images.
        rules: the rules for reading the data: ``resize``, ``skip_bad``, ``levels``, ``colour``.
        out: the run's folder; None: the first free one.
        length: ``steps``, ``epochs`` or ``minutes``.
        seed: the seed of all randomness; the first one of several seeds.
        changes: ``field=value`` changes to the recipe.
        device: "auto", "cpu", "cuda" or "mps".
        evaluate_every: steps between measurements on the validation split; None: never.
        start_from: the folder of a run whose weights replace the random initial weights.
        watcher: receives progress and messages.
    """

    recipe: str | os.PathLike[str] | Recipe = "default"
    data: Any = "auto"
    rules: ReadingRules = USUAL
    out: Path | None = None
    length: Length = field(default_factory=Length)
    seed: int = 0
    changes: Sequence[str] = ()
    device: str = "auto"
    evaluate_every: int | None = None
    start_from: Path | None = None
    watcher: ProgressListener = field(default_factory=ProgressListener)

    @classmethod
    def chosen(cls, **given: Any) -> Self:
        """Return the options for arguments of `ganforge.train`, by name; all others have their defaults.

        The recipe, its changes, the data and the device are checked where they are loaded.

        Raises:
            UserError: an argument is not of its kind, or out of its range.
            TypeError: `ganforge.train` has no such argument.
        """
        options = {name: CHECKS[name](value) if name in CHECKS else value for name, value in given.items()}
        length = {name: options.pop(name) for name in ("steps", "epochs", "minutes") if name in options}
        rules = {name: options.pop(name) for name in ("resize", "skip_bad", "levels", "colour") if name in options}
        return cls(length=Length.chosen(**length), rules=ReadingRules.chosen(**rules), **options)


def _size(resize: Any) -> str | int | None:
    return resize if resize is None or isinstance(resize, int | str) else str(resize)


def _interval(steps: Any) -> int | None:
    if steps is None:
        return None
    if (interval := as_whole("--evaluate-every", steps)) < 1:
        raise UserError(f"--evaluate-every {interval}: must be 1 step or more")
    return interval


CHECKS: dict[str, Callable[[Any], Any]] = {
    "data": lambda data: Path(data) if isinstance(data, os.PathLike) else data,
    "resize": _size,
    "skip_bad": bool,
    "colour": bool,
    "out": lambda out: None if out is None else as_path("--out", out),
    "seed": lambda seed: as_whole("--seed", seed),
    "device": str,
    "evaluate_every": _interval,
    "start_from": lambda run: None if run is None else as_path("--from", run),
    "watcher": lambda watcher: watcher or ProgressListener(),
}
"""The check of an argument: a function that returns the value to use, or raises a `UserError`."""
