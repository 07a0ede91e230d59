"""Standard output and standard error that never raise: a failed write does not stop the work."""

import errno
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

NOBODY_READS = (errno.EPIPE, errno.EIO, errno.EINVAL, errno.EBADF)
"""Error codes of a write to a pipe without a reader (EINVAL on Windows) or a closed terminal (EIO)."""


class Outlet:
    """A standard stream that replaces characters its encoding lacks, and drops all text after a failed write.

    ``failure`` is the error of that write, None while all succeed.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")

    @property
    def encoding(self) -> str:
        """The name of the encoding; UTF-8 for a stream that does not encode."""
        return self._stream.encoding or "utf-8"

    def write(self, text: str) -> int:
        """Write the text, or drop it."""
        self._attempt(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush the stream, or drop its text."""
        self._attempt(self._stream.flush)

    def isatty(self) -> bool:
        """Whether this is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._stream.fileno()

    def _attempt(self, operation: Callable[[], Any]) -> None:
        try:
            operation()
        except OSError as error:
            self.failure = self.failure or error
            self._discard()

    def _discard(self) -> None:
        """Redirect the file to the null device: buffered text would fail again when the interpreter exits."""
        with suppress(OSError, ValueError), open(os.devnull, "wb") as null_device:
            os.dup2(null_device.fileno(), self.fileno())


@contextmanager
def outlets() -> Iterator[tuple[Outlet, Outlet]]:
    """Replace standard output and standard error by an `Outlet` each while a command runs.

    A stream that the shell closed (``>&-``) is opened on the null device, so that no file of the command gets its
    descriptor.
    """
    _open_closed_files()
    _unset_invalid_sizes()
    before = sys.stdout, sys.stderr
    streams = [stream or open(os.devnull, "w", encoding="utf-8") for stream in before]  # noqa: SIM115  # open as long as the process
    out, err = map(Outlet, streams)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        yield out, err
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def loss(out: Outlet) -> str:
    """Return why text for standard output was lost; empty if none was, or if the reader has gone."""
    out.flush()
    if out.failure is None or out.failure.errno in NOBODY_READS:
        return ""
    return out.failure.strerror or str(out.failure)


def _unset_invalid_sizes() -> None:
    """Unset COLUMNS and LINES where they are not positive numbers: the size is then read from the terminal."""
    for name in ("COLUMNS", "LINES"):
        if not re.fullmatch("[1-9][0-9]*", os.environ.get(name, ""), re.ASCII):
            os.environ.pop(name, None)


def _open_closed_files() -> None:
    """Open closed standard files in the order in which the system assigns descriptors."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
