"""Atomic writes of files, checks of paths that users give, and the cache folder."""

import errno
import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from ganforge.errors import RunFailed, UserError
from ganforge.json_text import parse_json, to_json

TEMPORARY = re.compile(r"\.(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{16}\.writing")
ABANDONED_SECONDS = 24 * 60 * 60
"""Age in seconds after which a temporary file counts as abandoned where its process cannot be checked."""
RENAME_PAUSES = (0.01, 0.05, 0.1, 0.5) if os.name == "nt" else ()
"""Seconds between attempts to rename a file."""
CACHE_TAG, CACHE_SIGNATURE = "CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55"
"""The file that marks a folder as a cache, and its first line: the Cache Directory Tagging Specification."""
LONGEST_QUOTED = 100
"""Characters of a path that an error message quotes."""

NOT_THERE_YET = (errno.ENOENT, errno.ENOTDIR)
"""Error codes of a path at which no file exists yet."""


def user_path(given: str | Path, variable: str = "") -> Path:
    """Return the path that a user names: ``~`` is the home folder, whether or not a shell has expanded it.

    Args:
        given: the path as the user wrote it.
        variable: the environment variable that holds it.

    Raises:
        UserError: no file can have that name (it is empty or too long, ``~`` has no home), or access is denied.
    """
    reason = "" if os.fspath(given) else "it is empty"
    path = Path(given)
    try:
        path = path.expanduser()
        path.stat()
    except OSError as error:
        reason = reason if error.errno in NOT_THERE_YET else error.strerror or str(error)
    except (ValueError, RuntimeError) as error:  # a NUL in it; no home folder
        reason = str(error)
    if reason:
        quoted = str(given) if len(str(given)) <= LONGEST_QUOTED else f"{str(given)[:LONGEST_QUOTED]}..."
        raise UserError(f"{variable and f'{variable}: '}'{quoted}' cannot be used as a path ({reason}); name another")
    return path


def refuse_pipe(path: Path) -> None:
    """Refuse what is neither a file nor a folder: a pipe that nobody fills would be waited for.

    Raises:
        UserError: the path is a pipe or a device.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UserError(f"{path}: is a pipe or a device; save its content as a file, and give that")


def refuse_replacing(outputs: Iterable[Path], given: Iterable[Any]) -> None:
    """Refuse to write over what the user gave.

    Args:
        outputs: the files that will be written.
        given: the user's files and folders; what is no path does not count.

    Raises:
        UserError: an existing output is one of the given files, or lies directly in a given folder.
    """
    sources = {user_path(source).resolve() for source in given if isinstance(source, str | Path)}
    for output in outputs:
        place = output.resolve()
        if place.exists() and not sources.isdisjoint((place, place.parent)):
            raise UserError(f"--out: {output} is one of the given files, and would be replaced; name another place")


def cache_folder() -> Path:
    """Return the cache folder: $GANFORGE_CACHE, or ``ganforge`` in the user's cache folder.

    Without a home folder, as in some containers, it lies in the system's temporary folder.
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
    """Make the folder of a file that will be written later and return the file: called before long work starts.

    Args:
        file: the path of the file.
        endings: the allowed endings of its name (".png"); any ending unless given.

    Raises:
        UserError: the name has another ending, or the file cannot be written.
    """
    file = user_path(file)
    if endings and file.suffix.lower() not in endings:
        raise UserError(f"{file}: the name must end in {' or '.join(endings)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=file.parent):  # permissions alone say little: root has them all
            reason = "it is a folder" if file.is_dir() else ""
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        cached = ", or set GANFORGE_CACHE" if cache_folder() in file.parents else ""
        raise UserError(f"{file}: cannot be written ({reason}); name another place{cached}")
    return file


def write_atomically(path: Path, content: bytes) -> None:
    """Write a temporary file in the same folder, flush it to the disk, rename it: no reader ever sees half a file.

    Several processes and threads may write the same file at once: the result is the whole content of one of them.

    Raises:
        RunFailed: the file could not be written (disk full, no permission); its old content is unchanged.
    """
    try:
        with temporary(path.parent) as temporary_path:
            with temporary_path.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            _rename(temporary_path, path)
    except OSError as error:
        raise RunFailed(
            f"could not write {path}: {error.strerror or error}; everything saved so far is safe"
        ) from error


def read_cached(file: Path) -> Any:
    """Return an answer that `write_cached` stored as JSON; None where the file is missing or damaged."""
    try:
        return parse_json(file.read_bytes())
    except (OSError, ValueError):
        return None


def write_cached(file: Path, answer: Any) -> None:
    """Store an answer as JSON; where the file cannot be written, the next call works it out again."""
    with suppress(OSError, RunFailed):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, to_json(answer).encode())


@contextmanager
def temporary(folder: Path) -> Iterator[Path]:
    """Yield a unique temporary path in a folder, for a file or folder that is renamed once it is complete.

    A file that still has this name at the end is removed, as are the temporary files of writers that were killed.
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
            (caches / CACHE_TAG).write_text(f"{CACHE_SIGNATURE}\n# A cache of ganforge. It may be deleted.\n")


def is_temporary(name: str) -> bool:
    """Whether a name is that of a temporary file, in use or left by a killed writer."""
    return name.startswith(".") and name.endswith(".writing")


def sweep(folder: Path) -> None:
    """Remove the temporary files of killed writers from a folder, and none that is still being written."""
    with suppress(OSError):
        for path in folder.glob(".*.writing"):
            if _is_abandoned(path):
                _remove(path)


_sweep_once = cache(sweep)


def _is_abandoned(path: Path) -> bool:
    """Whether the process of a temporary file is gone, or, where that cannot be checked, whether the file is old."""
    if not (match := TEMPORARY.fullmatch(path.name)):
        return False
    # On Windows signal 0 would interrupt the process; on another machine the number is another process.
    if os.name == "posix" and match["machine"] == _machine():
        try:
            os.kill(int(match["process"]), 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            pass
    try:
        return time.time() - path.lstat().st_mtime > ABANDONED_SECONDS
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


def _rename(temporary_path: Path, path: Path) -> None:
    """Rename a temporary file to its final path; Windows refuses while a process reads the old file."""
    for seconds in RENAME_PAUSES:
        with suppress(PermissionError):
            os.replace(temporary_path, path)
            return
        time.sleep(seconds)
    os.replace(temporary_path, path)
