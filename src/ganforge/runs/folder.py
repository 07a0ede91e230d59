"""A run's folder: the paths of its files, and the lock that admits a single trainer."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ganforge.errors import UserError
from ganforge.files import is_temporary, user_path, write_atomically
from ganforge.json_text import NoJson, parse_json, to_json

REMEDY = "restore it, or train again into another folder"
LOCK = ".lock"
Count = Annotated[int, Field(ge=0, lt=2**63)]


class DataOrigin(BaseModel):
    """The source of a run's data; newer versions may add fields."""

    model_config = ConfigDict(extra="allow", strict=True)

    name: str
    source: str | None
    resize: int | str | None = None
    skip_bad: bool = False
    rules: Annotated[int, Field(ge=1)] = 1
    levels: list[float] | None = None
    colour: bool = False


class TrainingSet(BaseModel):
    """What a diagnosis needs to know of the training images."""

    model_config = ConfigDict(extra="allow", strict=True)

    n: Count
    shape: Annotated[list[int], Field(min_length=3, max_length=3)]
    class_names: list[str]


class RunFile(BaseModel):
    """The content of ``run.json``: the first five entries are written at creation, the others during training.

    Unknown fields of newer versions are kept.
    """

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)

    recipe: str
    seed: int
    data: DataOrigin
    fingerprint: str
    training_set: TrainingSet | None = None
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
    """The files of one run. Their names are stable (docs/run-folder.md)."""

    def __init__(self, path: Path | str) -> None:
        self.path = user_path(path)
        self.recipe = self.path / "recipe.toml"
        self.run = self.path / "run.json"
        self.log = self.path / "log.jsonl"
        self.signals = self.path / "signals.jsonl"
        self.metrics = self.path / "metrics.jsonl"
        self.samples = self.path / "samples"
        self.evolution = self.path / "evolution.webp"
        self.checkpoints = self.path / "checkpoints"
        self.generator = self.path / "generator.safetensors"
        self.encoder = self.path / "encoder.safetensors"
        self.best = self.path / "best.safetensors"
        self.quality = self.path / "quality.png"
        self.report = self.path / "report.html"

    @property
    def exists(self) -> bool:
        """Whether a run has been started here."""
        return self.run.exists()

    @property
    def lacks_run_file(self) -> bool:
        """Whether the folder holds other files of a run, and no ``run.json``."""
        return not self.exists and (self.recipe.exists() or self.evolution.exists())

    def create(self) -> None:
        """Make the folder.

        Raises:
            UserError: the folder cannot be made or written to, or it holds other files than those of a run.
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
        """Remove the files of a run that was killed before its first step, and logs that would mix with the new run's.

        Raises:
            UserError: the folder holds weights but no ``run.json``; weights are never deleted.
        """
        beyond_step_0 = "step-*[1-9]*.safetensors"
        trained = [*self.path.glob("*.safetensors"), *self.checkpoints.glob(beyond_step_0)]
        if trained:
            raise UserError(
                f"{self.path} holds weights ({trained[0].name}) but no run.json; restore it, or choose another --out"
            )
        for file in (self.log, self.signals, self.metrics, *self.samples.glob("evolution-*.png")):
            file.unlink(missing_ok=True)

    def read_run(self) -> dict[str, Any]:
        """Return ``run.json``.

        Raises:
            UserError: the folder is not a run, or the file is damaged or of another program.
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
            raise UserError(f"{self.run} {_describe_error(error)}") from None
        return dict(saved)

    def update_run(self, **values: Any) -> None:
        """Change or add entries of ``run.json``."""
        saved = self.read_run() if self.exists else {}
        text = to_json(saved | values, indent=2, sort_keys=True) + "\n"
        write_atomically(self.run, text.encode())

    def has_trainer(self) -> bool:
        """Whether a process is training this run."""
        try:
            with self.locked(patience=0.0):
                return False
        except UserError:
            return True

    @contextmanager
    def locked(self, patience: float = 0.3) -> Iterator[None]:
        """Lock the folder against other trainers; the lock ends with its process.

        ``patience`` is the time to wait in seconds, longer than `has_trainer` in another process takes.

        Raises:
            UserError: another process is training this run.
        """
        with lock_folder(self.path, patience) as acquired:
            if not acquired:
                raise UserError(f"{self.path} is being trained by another process; wait for it or stop it first")
            yield


@contextmanager
def lock_folder(folder: Path, patience: float = 0.0) -> Iterator[bool]:
    """Make a folder and lock it; yield whether the lock was free within ``patience`` seconds (-1: wait for it).

    Raises:
        UserError: the folder cannot be written.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        yield False
        return
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}; choose another --out") from None
    try:
        yield True
    finally:
        lock.release()


def _describe_error(invalid: ValidationError) -> str:
    """Return which entry of ``run.json`` is invalid and what to do; a missing entry means another program's file."""
    error = min(invalid.errors(), key=lambda error: error["type"] != "missing")
    entry = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f"was not written by ganforge (it has no entry {entry}); name a folder that 'ganforge train' made"
    message = error["msg"].replace("Input should be", "must be").replace("valid integer", "whole number")
    message = re.sub("a valid dictionary or instance.*", "an object of entries", message)
    return f"is damaged: {entry or 'its content'} {message}; {REMEDY}"


def refuse_strangers(folder: Path, ours: Callable[[str], bool]) -> None:
    """Refuse a folder with files other than ``ours``; temporary files of killed processes are ignored.

    Raises:
        UserError: the folder holds another file, or cannot be read.
    """
    try:
        names = {file.name for file in folder.iterdir()} if folder.exists() else set()
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}; choose another --out") from None
    foreign = sorted(name for name in names - {LOCK} if not (ours(name) or is_temporary(name)))
    if foreign:
        raise UserError(f"{folder} holds other files ({foreign[0]}, ...): choose another --out")


def claim_folder(root: Path, stem: str) -> RunFolder:
    """Make the first free folder of ``root/stem-1``, ``root/stem-2``, ...; two trainers never get the same one.

    Raises:
        UserError: the folder cannot be written.
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


@contextmanager
def claimed_folder(root: Path, stem: str) -> Iterator[RunFolder]:
    """Claim a folder as `claim_folder` does; an error inside removes it again, and ``root``, where they are empty."""
    folder = claim_folder(root, stem)
    try:
        yield folder
    except BaseException:
        with suppress(OSError):  # a folder that holds a run, or a root that holds others, stays
            if [file.name for file in folder.path.iterdir()] == [LOCK]:
                (folder.path / LOCK).unlink()
            folder.path.rmdir()
            root.rmdir()
        raise


def find_runs(root: Path) -> list[RunFolder]:
    """Return every run in ``root``, including those in folders of several seeds, by time of training, newest first."""
    files = [*root.glob("*/run.json"), *root.glob("*/seed-*/run.json")]
    newest_first = sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)
    return [RunFolder(path.parent) for path in newest_first]
