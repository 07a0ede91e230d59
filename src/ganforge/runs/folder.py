"""A run's folder: where its files are, and that only one trainer writes to it."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ganforge.errors import UserError
from ganforge.files import is_temporary, user_path, write_atomically
from ganforge.json_text import NoJson, parse_json, to_json

REMEDY = "restore it, or train anew into another folder"
Count = Annotated[int, Field(ge=0, lt=2**63)]


class DataOrigin(BaseModel):
    """Where a run's data came from; a newer version may say more."""

    model_config = ConfigDict(extra="allow", strict=True)

    name: str
    source: str | None
    resize: int | str | None = None
    skip_bad: bool = False
    rules: Annotated[int, Field(ge=1)] = 1
    levels: list[float] | None = None
    colour: bool = False


class RunFile(BaseModel):
    """What ``run.json`` says: its first five entries since the run was made, the others as it goes on.

    A newer version may say more, which is kept as it is.
    """

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)

    recipe: str
    seed: int
    data: DataOrigin
    fingerprint: str
    steps_per_epoch: Annotated[int, Field(ge=1)]
    status: str = "running"
    step: Count = 0
    seconds: Annotated[float, Field(ge=0)] = 0.0
    target_step: Count | None = None
    target_seconds: float | None = None
    evaluate_every: Annotated[int, Field(ge=1)] | None = None
    judged: bool = False
    no_judge: bool = False
    threads: int | None = None
    versions: dict[str, str] = {}


class RunFolder:
    """The files of one run. Their names are a contract (docs/run-folder.md)."""

    def __init__(self, path: Path | str) -> None:
        self.path = user_path(path)
        self.recipe = self.path / "recipe.toml"
        self.run = self.path / "run.json"
        self.log = self.path / "log.jsonl"
        self.metrics = self.path / "metrics.jsonl"
        self.samples = self.path / "samples"
        self.evolution = self.path / "evolution.webp"
        self.checkpoints = self.path / "checkpoints"
        self.generator = self.path / "generator.safetensors"
        self.encoder = self.path / "encoder.safetensors"
        self.best = self.path / "best.safetensors"
        self.quality = self.path / "quality.png"

    @property
    def exists(self) -> bool:
        """Whether a run has been started here."""
        return self.run.exists()

    def create(self) -> None:
        """Make the folder.

        Raises:
            UserError: it cannot be made or written to, or it holds files that are not a run's.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not self.exists:
                ours = {value.name for value in vars(self).values() if value != self.path}
                refuse_strangers(self.path, ours.__contains__)
            self.samples.mkdir(exist_ok=True)
            self.checkpoints.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot write to {self.path}: {error.strerror}; choose another --out") from None

    def clear(self) -> None:
        """Remove what a run left that was killed before its first step, and what would count as the new run's.

        Raises:
            UserError: there are weights, which are not thrown away; only ``run.json`` is gone.
        """
        beyond_step_0 = "step-*[1-9]*.safetensors"
        trained = [*self.path.glob("*.safetensors"), *self.checkpoints.glob(beyond_step_0)]
        if trained:
            raise UserError(
                f"{self.path} holds weights ({trained[0].name}) but no run.json; restore it, or choose another --out"
            )
        for file in (self.log, self.metrics, *self.samples.glob("evolution-*.png")):
            file.unlink(missing_ok=True)

    def read_run(self) -> dict[str, Any]:
        """Return ``run.json``.

        Raises:
            UserError: this is not a run, or the file is damaged or another program's.
        """
        try:
            saved = parse_json(self.run.read_bytes())
            RunFile.model_validate(saved)
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(f"{self.path} is not a run: it has no run.json; 'ganforge runs' lists runs") from None
        except OSError as error:
            raise UserError(f"{self.run} cannot be read: {error.strerror}") from None
        except NoJson as error:
            raise UserError(f"{self.run} is damaged: {error}; {REMEDY}") from None
        except ValidationError as error:
            raise UserError(f"{self.run} {_what_is_wrong(error)}") from None
        return dict(saved)

    def update_run(self, **values: Any) -> None:
        """Change or add entries of ``run.json``."""
        known = self.read_run() if self.exists else {}
        text = to_json(known | values, indent=2, sort_keys=True) + "\n"
        write_atomically(self.run, text.encode())

    def has_trainer(self) -> bool:
        """Whether a living process trains here."""
        try:
            with self.locked(patience=0.0):
                return False
        except UserError:
            return True

    @contextmanager
    def locked(self, patience: float = 0.3) -> Iterator[None]:
        """Keep every other trainer out; the lock dies with its process, however that ends.

        It waits so many seconds, longer than `has_trainer` takes in another process.

        Raises:
            UserError: another trainer is at work here.
        """
        try:
            lock = FileLock(self.path / ".lock")
            lock.acquire(timeout=patience)
        except Timeout:
            raise UserError(f"{self.path} is being trained by another process; wait for it or stop it first") from None
        except OSError as error:
            raise UserError(f"cannot write to {self.path}: {error.strerror}; choose another --out") from None
        try:
            yield
        finally:
            lock.release()


def _what_is_wrong(invalid: ValidationError) -> str:
    """Say which entry of ``run.json`` is none, and what to do; where one is missing, another program wrote it."""
    error = min(invalid.errors(), key=lambda error: error["type"] != "missing")
    entry = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f"was not written by ganforge (it says nothing of {entry}); name a folder that 'ganforge train' made"
    words = error["msg"].replace("Input should be", "must be").replace("valid integer", "whole number")
    words = re.sub("a valid dictionary or instance.*", "an object of entries", words)
    return f"is damaged: {entry or 'its content'} {words}; {REMEDY}"


def refuse_strangers(folder: Path, ours: Callable[[str], bool]) -> None:
    """Refuse a folder with files of other names than ``ours``; what killed processes of ours left counts as none.

    Raises:
        UserError: there is one, or the folder cannot be read.
    """
    try:
        names = {file.name for file in folder.iterdir()} if folder.exists() else set()
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}; choose another --out") from None
    strangers = sorted(name for name in names - {".lock"} if not (ours(name) or is_temporary(name)))
    if strangers:
        raise UserError(f"{folder} holds other files ({strangers[0]}, ...): choose another --out")


def claim_folder(root: Path, stem: str) -> RunFolder:
    """Make the first of ``root/stem-1``, ``root/stem-2``, ... that does not exist yet; two trainers never get the same.

    Raises:
        UserError: nothing can be written there.
    """
    number = 1
    while True:
        path = root / f"{stem}-{number}"
        try:
            path.mkdir(parents=True)
            return RunFolder(path)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise UserError(f"cannot write to {path}: {error.strerror}; choose another --out") from None


def find_runs(root: Path) -> list[RunFolder]:
    """Every run below ``root``, also those of several seeds in one folder; the one trained last first."""
    kept = [*root.glob("*/run.json"), *root.glob("*/seed-*/run.json")]
    found = sorted(kept, key=lambda path: path.stat().st_mtime, reverse=True)
    return [RunFolder(path.parent) for path in found]
