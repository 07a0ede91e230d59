"""``ganforge runs``: list the runs in a folder."""

from pathlib import Path
from typing import Annotated

import typer

from ganforge.commands.console import JsonFlag, path, print_json, say, table
from ganforge.errors import UserError


def runs(
    folder: Annotated[Path, typer.Argument(parser=path, help="The folder of the runs.")] = Path("runs"),
    as_json: JsonFlag = False,
) -> None:
    """List the runs in a folder, newest first.

    Example: ganforge runs
    """
    from ganforge.runs.listing import list_runs

    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; name the folder of your runs")
    if not folder.exists() and folder != Path("runs"):
        raise UserError(f"{folder}: there is no such folder; name the folder of your runs")
    rows = list_runs(folder)
    if as_json:
        print_json({"runs": [row.to_dict() for row in rows]})
    elif not rows:
        say(f"no runs in {folder} yet; 'ganforge train' starts one")
    else:
        cells = [(str(row.path), row.recipe, row.data, row.status, f"{row.step:,}", row.verdict) for row in rows]
        table(cells, ("run", "recipe", "data", "status", "step", "verdict"))
        if interrupted := [row.path for row in rows if row.status == "interrupted"]:
            say(f"'ganforge resume {interrupted[0]}' continues an interrupted run")
