"""Files that are either there whole or not at all, and where those go that can be made anew."""

import os
from pathlib import Path

from ganforge.errors import RunFailed


def cache_folder() -> Path:
    """Where what can be made anew is kept: $GANFORGE_CACHE, or ``ganforge`` in the user's folder of caches."""
    if folder := os.environ.get("GANFORGE_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ganforge"


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside the file, flush to the disk, then rename: a reader never sees half a file, whatever happens.

    Raises:
        RunFailed: the file could not be written (disk full, no permission); what stood there before still does.
    """
    beside = path.with_name(f".{path.name}.writing")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise RunFailed(
            f"could not write {path}: {error.strerror or error}; what was saved before is untouched"
        ) from error
