"""``ganforge diagnose``: what is wrong with a run, why, what may cure it, and, on request, the treatment."""

from pathlib import Path
from typing import Annotated

import typer

from ganforge.commands.completion import complete_run
from ganforge.commands.console import JsonFlag, path, print_json, say
from ganforge.commands.numbers import whole


def diagnose(
    run: Annotated[Path, typer.Argument(parser=path, help="The folder of the run.", autocompletion=complete_run)],
    treat: Annotated[
        bool, typer.Option("--treat", help="Try the best three remedies in run folders of their own.")
    ] = False,
    minutes: Annotated[float | None, typer.Option(help="With --treat: training time of all runs together. [2]")] = None,
    steps: Annotated[
        int | None, typer.Option(callback=whole(1), help="With --treat: the same number of steps for each run.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what is wrong with a run, why, and what cures it; with --treat, try the cures beside an untreated control.

    Example: ganforge diagnose runs/cgan-tutorial-mnist-1 --treat --minutes 2
    """
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.errors import UserError
    from ganforge.experiment.diagnosis import diagnose as examine
    from ganforge.experiment.length import Length
    from ganforge.experiment.treatment import treat as try_remedies

    if not treat and (minutes is not None or steps is not None):
        raise UserError(f"{'--minutes' if minutes is not None else '--steps'}: belongs to --treat; give both")
    Length.chosen(steps=steps, minutes=minutes)  # refused before the diagnosis is printed
    watcher = TerminalWatcher(as_json=as_json)
    diagnosis = examine(run)
    say(diagnosis.words, as_json=as_json)
    treatment = None
    if treat:
        treatment = try_remedies(run, minutes=minutes, steps=steps, diagnosis=diagnosis, watcher=watcher)
    if treatment:
        say(treatment.words, as_json=as_json)
    if as_json:
        print_json(diagnosis.to_dict() | {"treatment": treatment.to_dict() if treatment else None})
