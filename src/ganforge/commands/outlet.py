"""Standard output and standard error that never stop the work they tell of."""

import errno
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

NOBODY_READS = (errno.EPIPE, errno.EIO, errno.EINVAL, errno.EBADF)
"""What a write says where a pipe has lost its reader (EINVAL on Windows) or a session its terminal (EIO)."""


class Outlet:
    """A standard stream: letters that its encoding lacks are replaced, and once a write has failed all text is dropped.

    ``failure`` is the error of that write, None while all succeed.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")

    @property
    def encoding(self) -> str:
        """The name of the encoding; a stream of text that is never encoded takes all of Unicode."""
        return self._stream.encoding or "utf-8"

    def write(self, text: str) -> int:
        """Write the text, or drop it."""
        self._attempt(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Pass on what was written, or drop it."""
        self._attempt(self._stream.flush)

    def isatty(self) -> bool:
        """Whether this is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the number of the file below."""
        return self._stream.fileno()

    def _attempt(self, do: Callable[[], Any]) -> None:
        try:
            do()
        except OSError as error:
            self.failure = self.failure or error
            self._discard()

    def _discard(self) -> None:
        """Lead the file nowhere: what still waits in a buffer would otherwise fail again as the interpreter ends."""
        with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), self.fileno())


@contextmanager
def outlets() -> Iterator[tuple[Outlet, Outlet]]:
    """Put an `Outlet` in the place of standard output and standard error, for as long as a command runs.

    Where the shell closed one of them (``>&-``) its text goes nowhere, and so no file that the command opens can take
    its number.
    """
    _fill_closed_files()
    _forget_impossible_sizes()
    before = sys.stdout, sys.stderr
    streams = [stream or open(os.devnull, "w", encoding="utf-8") for stream in before]  # noqa: SIM115  # lives as they do
    out, err = map(Outlet, streams)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        yield out, err
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def loss(out: Outlet) -> str:
    """Say why text for standard output was lost; nothing where it was not, or where nobody reads any more."""
    out.flush()
    if out.failure is None or out.failure.errno in NOBODY_READS:
        return ""
    return out.failure.strerror or str(out.failure)


def _forget_impossible_sizes() -> None:
    """Unset the size of the terminal where it is none, such as 0: whoever lays out text asks the terminal then."""
    for name in ("COLUMNS", "LINES"):
        if not re.fullmatch("[1-9][0-9]*", os.environ.get(name, ""), re.ASCII):
            os.environ.pop(name, None)


def _fill_closed_files() -> None:
    """Open standard files that are closed, in the order in which the system gives their numbers away."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
