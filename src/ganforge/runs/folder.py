"""A run's folder: where its files are, and that only one trainer writes to it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ganforge.errors import UserError
from ganforge.files import user_path, write_atomically

NEEDED = ("recipe", "seed", "data", "fingerprint", "steps_per_epoch")
"""What ``run.json`` has said since the run was made; its other entries come as it goes on."""


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
            ours = {value.name for value in vars(self).values() if value != self.path}
            strangers = [file.name for file in self.path.iterdir() if file.name not in ours | {".lock"}]
            if strangers and not self.exists:
                raise UserError(f"{self.path} holds other files ({sorted(strangers)[0]}, ...): choose another --out")
            self.samples.mkdir(exist_ok=True)
            self.checkpoints.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot write to {self.path}: {error.strerror}; choose another --out") from None

    def read_run(self) -> dict[str, Any]:
        """Return ``run.json``.

        Raises:
            UserError: this is not a run, or the file is damaged or another program's.
        """
        try:
            saved = dict(json.loads(self.run.read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(f"{self.path} is not a run: it has no run.json; 'ganforge runs' lists runs") from None
        except (OSError, ValueError, TypeError):
            raise UserError(f"{self.run} is damaged; restore it, or train anew into another folder") from None
        absent = [name for name in NEEDED if name not in saved]
        if absent or not isinstance(saved["data"], dict) or not {"name", "source"} <= saved["data"].keys():
            said = f"it says nothing of {absent[0]}" if absent else "its data has no name and source"
            raise UserError(
                f"{self.run} was not written by ganforge ({said}); name a folder that 'ganforge train' made"
            )
        return saved

    def update_run(self, **values: Any) -> None:
        """Change or add entries of ``run.json``."""
        known = self.read_run() if self.exists else {}
        text = json.dumps(known | values, indent=2, sort_keys=True) + "\n"
        write_atomically(self.run, text.encode())

    def has_trainer(self) -> bool:
        """Whether a living process trains here."""
        try:
            with self.locked():
                return False
        except UserError:
            return True

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other trainer out; the lock dies with its process, however that ends.

        Raises:
            UserError: another trainer is at work here.
        """
        try:
            lock = FileLock(self.path / ".lock")
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(f"{self.path} is being trained by another process; wait for it or stop it first") from None
        except OSError as error:
            raise UserError(f"cannot write to {self.path}: {error.strerror}; choose another --out") from None
        try:
            yield
        finally:
            lock.release()


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
