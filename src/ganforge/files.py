"""Files that are either there whole or not at all, and where those go that can be made anew."""

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ganforge.errors import RunFailed, UserError

LONGEST_SHOWN = 100
"""Characters of a path that a complaint about it repeats."""

PASSABLE = (errno.ENOENT, errno.ENOTDIR)
"""What the system says of a path where nothing stands yet."""


def user_path(given: str | Path, variable: str = "") -> Path:
    """Return the path that a user names: ``~`` is the home folder, whether or not a shell has expanded it.

    Args:
        given: the name.
        variable: which variable of the environment has it.

    Raises:
        UserError: nothing can bear that name (it is empty or too long, ``~`` is nobody's), or nobody may look there.
    """
    why = "" if os.fspath(given) else "it is empty"
    path = Path(given)
    try:
        path = path.expanduser()
        path.stat()
    except OSError as error:
        why = why if error.errno in PASSABLE else error.strerror or str(error)
    except (ValueError, RuntimeError) as error:  # a NUL in it; no home folder
        why = str(error)
    if why:
        shown = str(given) if len(str(given)) <= LONGEST_SHOWN else f"{str(given)[:LONGEST_SHOWN]}..."
        raise UserError(f"{variable and f'{variable}: '}'{shown}' cannot be used as a path ({why}); name another")
    return path


def cache_folder() -> Path:
    """Where what can be made anew is kept: $GANFORGE_CACHE, or ``ganforge`` in the user's folder of caches.

    Who has no home, as in some containers, has one below the system's folder of temporary files.
    """
    if folder := os.environ.get("GANFORGE_CACHE"):
        return user_path(folder, "GANFORGE_CACHE")
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return user_path(caches, "XDG_CACHE_HOME") / "ganforge"
    try:
        return Path.home() / ".cache" / "ganforge"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / "ganforge"


def place_for(file: str | Path, endings: Sequence[str] = ()) -> Path:
    """Make the folder of a file that is to be written later, and return the file: asked before the work is done.

    Args:
        file: where it is to stand.
        endings: what its name may end in (".png"); anything unless given.

    Raises:
        UserError: it ends in something else, or nothing can be written there.
    """
    file = user_path(file)
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
