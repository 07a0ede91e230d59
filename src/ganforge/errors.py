"""The errors for users: wrong input, a failed run whose data are safe, an interrupted run."""

import difflib
from collections.abc import Iterable

LONG = 1500
"""Longest message in characters; a longer one, which may quote a damaged file, loses its middle."""


class OneLineError(Exception):
    """An error for the user: its message is always one printable line, whichever file or library it quotes."""

    def __init__(self, message: object) -> None:
        super().__init__(one_line(str(message)))


class UserError(OneLineError):
    """The input cannot be used. The message is one line: what, where, what to do. The command line exits with 2."""


class RunFailed(OneLineError):
    """The run failed (diverged, disk full); everything it saved is safe. The command line exits with 3."""


class Interrupted(OneLineError):
    """The user stopped the run; the message says what was saved and how to resume. The command line exits with 130."""


def one_line(text: str) -> str:
    """Return a text on one line: unprintable characters are escaped, and a long text loses its middle."""
    joined = " ".join(text.split()) or "no reason was given"
    if len(joined) > LONG:
        joined = f"{joined[: LONG * 2 // 3]} ... {joined[-LONG // 3 :]}"
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in joined)


def suggest_names(name: str, names: Iterable[str]) -> str:
    """Return the end of an error message: the valid names that resemble ``name``, or all of them."""
    names = sorted(names)
    if close := nearest_names(name, names):
        return f"did you mean {' or '.join(close)}?"
    return f"known names: {', '.join(names)}"


def nearest_names(name: str, names: Iterable[str], cutoff: float = 0.5) -> list[str]:
    """Return at most three names that resemble ``name`` about as much as the most similar one, which comes first.

    Args:
        name: the unknown name.
        names: the valid names.
        cutoff: smallest likeness, in 0..1.
    """
    close = difflib.get_close_matches(name.lower(), list(names), n=3, cutoff=cutoff)
    likeness = [difflib.SequenceMatcher(None, other, name.lower()).ratio() for other in close]
    return [other for other, value in zip(close, likeness, strict=True) if value > likeness[0] - 0.1]


def shown(name: str) -> str:
    """Return a name without unprintable characters, 200 characters at most."""
    return "".join(character if character.isprintable() else "?" for character in name[:200])


def reason(error: BaseException) -> str:
    """Return the message of any exception on one line, or its type where it has no message."""
    return shown(" ".join(str(error).split())) or type(error).__name__
