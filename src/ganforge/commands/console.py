"""What a person reads, and what a program reads."""

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON object on stdout; everything else on stderr.")]


def say(text: str, *, as_json: bool = False) -> None:
    """Tell the person at the terminal, on stderr where stdout belongs to a JSON object."""
    print(text, file=sys.stderr if as_json else sys.stdout, flush=True)


def give(values: Any) -> None:
    """Give a program its one JSON object."""
    print(json.dumps(values, ensure_ascii=False), flush=True)


def table(rows: Sequence[Sequence[str]], header: tuple[str, ...]) -> None:
    """Print rows below a header, as wide as the terminal allows."""
    from rich.console import Console
    from rich.table import Table

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for index, title in enumerate(header):
        drawn.add_column(title, no_wrap=index == 0)
    for row in rows:
        drawn.add_row(*row)
    Console(highlight=False).print(drawn)
