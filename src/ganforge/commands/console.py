"""Output for people (text, tables) and for programs (JSON), and options that several commands share."""

import codecs
import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ganforge.files import user_path
from ganforge.json_text import to_json

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON object on stdout; everything else on stderr.")]

Resize = Annotated[str | None, typer.Option(help="Scale pictures to 8..64 px: 32 crops, 32-pad pads.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out pictures that cannot be read.")]
LevelsFlag = Annotated[
    str | None,
    typer.Option(
        "--levels", metavar="LOW,HIGH", help="Pixel levels of black and white, as 0,4095; detected unless given."
    ),
]
ColourFlag = Annotated[bool, typer.Option("--colour", help="Keep three channels even if all pictures are grey.")]


NARROWEST_WRAPPED = 24
"""Narrowest width in columns at which the last cell of a row is wrapped."""
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters except line break and tab, and the surrogates of file names that are not UTF-8."""


def say(text: str, *, as_json: bool = False) -> None:
    """Print a line for people: on stdout, or on stderr where stdout is for a JSON object."""
    print(printable(text), file=sys.stderr if as_json else sys.stdout, flush=True)


def printable(text: str) -> str:
    r"""Escape control characters, such as an escape in the name of a file: ``\x1b``."""
    return UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def path(text: str) -> Path:
    """Parse a path of the command line: the ``parser`` of every option and argument that is a path."""
    return user_path(text)


def inherit_json_flag(context: typer.Context, as_json: bool) -> None:
    """Pass ``--json`` on to the subcommand: ``recipes --json show NAME`` is ``recipes show NAME --json``."""
    if as_json and context.invoked_subcommand:
        context.default_map = {context.invoked_subcommand: {"as_json": True}}


def print_json(values: Any) -> None:
    """Print one JSON object on stdout; characters beyond ASCII are escaped unless stdout is UTF-8."""
    text = to_json(values, ascii_only=False)
    if codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8" or UNPRINTABLE.search(text):
        text = to_json(values)
    print(text, flush=True)


def table(rows: Sequence[Sequence[str]], header: tuple[str, ...]) -> None:
    """Print rows below a header; no cell is ever cut off.

    In a file or a pipe, each row is one line. On a terminal, the last column wraps; a table that is still too wide
    shows each row as its first cell with the other cells below it.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, emoji=False)
    rows = [[printable(cell).replace("\n", "\\n") for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) + 2 for column in zip(header, *rows, strict=True)]
    if not console.is_terminal:
        console.width = sum(widths)
    elif sum(widths[:-1]) + min(widths[-1], NARROWEST_WRAPPED) > console.width:
        indented = textwrap.TextWrapper(
            console.width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
        )
        for first, *others in rows:
            below = " · ".join(f"{title}: {cell}" for title, cell in zip(header[1:], others, strict=True) if cell)
            say("\n".join([first, *indented.wrap(below)]))
        return
    printed_table = Table(box=None, pad_edge=False, header_style="bold")
    for index, title in enumerate(header):
        printed_table.add_column(title, no_wrap=index < len(header) - 1, overflow="fold")
    for row in rows:
        printed_table.add_row(*row)
    console.print(printed_table)
