"""The two ways in which ganforge says no: the user's input was wrong, or a run failed with its data safe."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """The input cannot be used: one line that says what, where and what to do. The command line exits with 2."""


class RunFailed(Exception):
    """The run could not go on (diverged, disk full) and what it saved is safe. The command line exits with 3."""


class Interrupted(Exception):
    """The user stopped the run; the message says what was saved and how to go on. The command line exits with 130."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known names are near ``name``: a half-sentence to end an error message with."""
    known = sorted(known)
    close = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known names: {', '.join(known)}"


def shown(name: str) -> str:
    """Make a name fit for a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in name[:200])


def reason(error: BaseException) -> str:
    """Return another's error message in one line, or the error's kind where it has none."""
    return shown(" ".join(str(error).split())) or type(error).__name__
