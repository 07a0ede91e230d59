"""Files that are either there whole or not at all, and where those go that can be made anew."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ganforge.errors import RunFailed, UserError


def cache_folder() -> Path:
    """Where what can be made anew is kept: $GANFORGE_CACHE, or ``ganforge`` in the user's folder of caches."""
    if folder := os.environ.get("GANFORGE_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ganforge"


def place_for(file: Path, endings: Sequence[str] = ()) -> Path:
    """Make the folder of a file that is to be written later, and return the file: asked before the work is done.

    Args:
        file: where it is to stand.
        endings: what its name may end in (".png"); anything unless given.

    Raises:
        UserError: it ends in something else, or nothing can be written there.
    """
    if endings and file.suffix.lower() not in endings:
        raise UserError(f"{file}: the name must end in {' or '.join(endings)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=file.parent):  # permissions alone say little: root has them all
            why = "it is a folder" if file.is_dir() else ""
    except OSError as error:
        why = error.strerror or str(error)
    if why:
        cached = ", or set GANFORGE_CACHE" if cache_folder() in file.parents else ""
        raise UserError(f"{file}: cannot be written ({why}); name another place{cached}")
    return file


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
