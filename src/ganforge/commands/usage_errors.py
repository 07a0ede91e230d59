"""Errors of the command line itself, in one line: an unknown command or option, a malformed number."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ganforge.errors import nearest_names

KINDS = {"valid integer": "a whole number", "valid number": "a number", "valid float": "a number"}
"""What a value must be, by the words in the messages of typer's versions."""
LIKE = 0.7
"""Smallest likeness of an option that is suggested."""


def usage_message(error: Any, arguments: Sequence[str]) -> str:
    """Return the message for an exception of typer's parser; ``arguments`` are those of the command line."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else " ".join(["ganforge", *arguments[:1]])  # the parser names none
    if type(error).__name__ == "NoSuchOption":
        return _no_such_option(error.option_name, context, command)
    message = error.format_message()
    kind = next((kind for words, kind in KINDS.items() if words in message), "")
    if kind and (value := _value(error.param.opts, arguments)):
        message = f"{value}: must be {kind}"
    return f"{message} ('{command} --help' shows how)"


def _no_such_option(option: str, context: Any, command: str) -> str:
    if option == "--json" and context.parent is None:
        return "--json belongs to a command: write --json after the command, as in 'ganforge runs --json'"
    names = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
    close = nearest_names(option, [*names, "--help"], LIKE)
    suggestion = f"did you mean {' or '.join(close)}? " if close else ""
    return f"{option}: no such option; {suggestion}'{command} --help' lists all"


def _value(names: Sequence[str], arguments: Sequence[str]) -> str | None:
    """Return an option and its value as the user wrote them, the last time that it is given; None for an argument."""
    given = [f"{word} {value}" for word, value in pairwise(arguments) if word in names]
    given += [word.replace("=", " ", 1) for word in arguments if word.partition("=")[0] in names and "=" in word]
    return given[-1] if given else None
