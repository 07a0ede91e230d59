"""``ganforge report``: a page on one run or on several, as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from ganforge.commands.completion import complete_run
from ganforge.commands.console import JsonFlag, path, print_json, say


def report(
    runs: Annotated[
        list[str], typer.Argument(help="Runs, or folders of runs (one a seed).", autocompletion=complete_run)
    ],
    out: Annotated[
        Path | None, typer.Option(parser=path, help="FILE.html. [report.html in the run's folder, or here]")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a page on a run: verdict, findings, samples over time, losses, figures, copies, recipe, data.

    Several runs are shown side by side. The page is one HTML file that needs no network.

    Example: ganforge report runs/forge-2-mnist-1
    """
    from ganforge.applications.report.page import report as write_report
    from ganforge.commands.progress import TerminalWatcher

    written = write_report([path(run) for run in runs], out, TerminalWatcher(as_json=as_json))
    if as_json:
        print_json(written.to_dict())
        return
    say(f"{written.file}: {written.size / 1e6:.1f} MB; open it in a browser")
