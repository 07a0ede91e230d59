"""What a person reads, and what a program reads."""

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
        "--levels", metavar="LOW,HIGH", help="The levels that are black and white, as 0,4095; told unless given."
    ),
]
ColourFlag = Annotated[bool, typer.Option("--colour", help="Keep three channels where all pictures are grey.")]


LEAST_WRAPPED = 24
"""Columns of a terminal in which the last cell of a row can be wrapped and still be read."""
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters but for line break and tab, and what stands for the bytes of a file name that is not UTF-8."""


def say(text: str, *, as_json: bool = False) -> None:
    """Tell the person at the terminal, on stderr where stdout belongs to a JSON object."""
    print(printable(text), file=sys.stderr if as_json else sys.stdout, flush=True)


def printable(text: str) -> str:
    r"""Write out what would steer a terminal, such as an escape in the name of a file: ``\x1b``."""
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def path(text: str) -> Path:
    """Read a path on the command line; every option and argument that is one has this ``parser``."""
    return user_path(text)


def inherit_json_flag(context: typer.Context, as_json: bool) -> None:
    """Let ``--json`` before the second word mean what it means behind it: ``recipes --json show NAME``."""
    if as_json and context.invoked_subcommand:
        context.default_map = {context.invoked_subcommand: {"as_json": True}}


def print_json(values: Any) -> None:
    """Give a program its one JSON object: letters beyond ASCII as they are in UTF-8 alone, as numbers elsewhere."""
    text = to_json(values, ascii_only=False)
    if codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8" or UNPRINTABLE.search(text):
        text = to_json(values)
    print(text, flush=True)


def table(rows: Sequence[Sequence[str]], header: tuple[str, ...]) -> None:
    """Print rows below a header; no cell is ever cut off.

    A file or a pipe gets each row as one line. On a terminal the last column wraps, and where even that does not fit,
    each row is its first cell with the others below it.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, emoji=False)
    rows = [[printable(cell).replace("\n", "\\n") for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) + 2 for column in zip(header, *rows, strict=True)]
    if not console.is_terminal:
        console.width = sum(widths)
    elif sum(widths[:-1]) + min(widths[-1], LEAST_WRAPPED) > console.width:
        indented = textwrap.TextWrapper(
            console.width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
        )
        for first, *others in rows:
            below = " · ".join(f"{title}: {cell}" for title, cell in zip(header[1:], others, strict=True) if cell)
            say("\n".join([first, *indented.wrap(below)]))
        return
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for index, title in enumerate(header):
        drawn.add_column(title, no_wrap=index < len(header) - 1, overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    console.print(drawn)
