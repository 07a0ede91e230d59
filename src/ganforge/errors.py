"""The two ways in which ganforge says no: the user's input was wrong, or a run failed with its data safe."""

import difflib
from collections.abc import Iterable

LONG = 1500
"""Characters of a message, in which a damaged file may be quoted, whose middle is still shown."""


class Told(Exception):
    """What a user is told: always one line that can be printed, whatever file or library its words came from."""

    def __init__(self, message: object) -> None:
        super().__init__(one_line(str(message)))


class UserError(Told):
    """The input cannot be used: one line that says what, where and what to do. The command line exits with 2."""


class RunFailed(Told):
    """The run could not go on (diverged, disk full) and what it saved is safe. The command line exits with 3."""


class Interrupted(Told):
    """The user stopped the run; the message says what was saved and how to go on. The command line exits with 130."""


def one_line(text: str) -> str:
    """Return a text without line breaks, its middle left out where it is long, what cannot be shown as an escape."""
    joined = " ".join(text.split()) or "no reason was given"
    if len(joined) > LONG:
        joined = f"{joined[: LONG * 2 // 3]} ... {joined[-LONG // 3 :]}"
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in joined)


def suggest_names(name: str, known: Iterable[str]) -> str:
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
