"""Files that are either there whole or not at all, and where those go that can be made anew."""

import errno
import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from ganforge.errors import RunFailed, UserError

TEMPORARY = re.compile(r"\.(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{16}\.writing")
OLD = 24 * 60 * 60
"""Seconds after which a temporary file is abandoned whose process cannot be asked for."""
PATIENCE = (0.01, 0.05, 0.1, 0.5) if os.name == "nt" else ()
"""Seconds between tries to rename a file."""
CACHE_TAG, CACHE_SIGNATURE = "CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55"
"""The file that says of a folder that it is a cache, by a convention of many programs (bford.info/cachedir)."""
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


def ensure_writable(file: str | Path, endings: Sequence[str] = ()) -> Path:
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

    Several processes and threads may write the same file at the same time: it is whole, and one of theirs.

    Raises:
        RunFailed: the file could not be written (disk full, no permission); what stood there before still does.
    """
    try:
        with temporary(path.parent) as beside:
            with beside.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            _rename(beside, path)
    except OSError as error:
        raise RunFailed(
            f"could not write {path}: {error.strerror or error}; what was saved before is untouched"
        ) from error


@contextmanager
def temporary(folder: Path) -> Iterator[Path]:
    """Give a name in a folder that nobody else has, for a file or folder that is renamed once it is whole.

    What still bears the name at the end is removed, and so is what writers left there that were killed.
    """
    _sweep_once(folder.absolute())
    _tag_cache(folder.absolute())
    path = folder / f".{_machine()}-{os.getpid()}-{os.urandom(8).hex()}.writing"
    try:
        yield path
    finally:
        _remove(path)


def _tag_cache(folder: Path) -> None:
    """Mark the cache as one where something is written into it: backups pass it over, and so does a reader of data."""
    with suppress(OSError, UserError):
        caches = cache_folder().absolute()
        if folder.is_relative_to(caches) and not (caches / CACHE_TAG).exists():
            (caches / CACHE_TAG).write_text(f"{CACHE_SIGNATURE}\n# A cache of ganforge; it may be deleted.\n")


def is_temporary(name: str) -> bool:
    """Whether a file is one that is being written, or was when its writer was killed."""
    return name.startswith(".") and name.endswith(".writing")


def sweep(folder: Path) -> None:
    """Remove from a folder what writers left that were killed, and nothing that another one is at."""
    with suppress(OSError):
        for path in folder.glob(".*.writing"):
            if _is_abandoned(path):
                _remove(path)


_sweep_once = cache(sweep)


def _is_abandoned(path: Path) -> bool:
    """Whether a temporary name is of a process that is gone; of one that cannot be asked for, whether it is old."""
    if not (made := TEMPORARY.fullmatch(path.name)):
        return False
    # On Windows signal 0 would interrupt the process, and on another machine the number means another one.
    if os.name == "posix" and made["machine"] == _machine():
        try:
            os.kill(int(made["process"]), 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            pass
    try:
        return time.time() - path.lstat().st_mtime > OLD
    except OSError:
        return False


@cache
def _machine() -> str:
    return hashlib.sha256(platform.node().encode(errors="replace")).hexdigest()[:8]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _rename(beside: Path, path: Path) -> None:
    """Give a file its name; Windows refuses that while somebody reads the file that bears it."""
    for seconds in PATIENCE:
        with suppress(PermissionError):
            os.replace(beside, path)
            return
        time.sleep(seconds)
    os.replace(beside, path)
