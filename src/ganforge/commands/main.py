"""The entry point: verbs, exit codes, and errors in one line."""

import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from ganforge import processes
from ganforge.commands import benchmark, evaluate, judge, lists, sample, train
from ganforge.commands.console import give
from ganforge.errors import Interrupted, RunFailed, UserError, one_line
from ganforge.processes import INTERRUPTED


def _show_version(wanted: bool) -> None:
    if wanted:
        from ganforge import __version__

        print(f"ganforge {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="ganforge",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def ganforge(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train GANs on handwritten digits and other small images, see whether it worked, use the result.

    Example: ganforge train --minutes 2
    """


app.command()(train.train)
app.command()(train.resume)
app.command()(sample.sample)
app.command()(sample.write)
app.command()(evaluate.evaluate)
app.command()(evaluate.compare)
app.command()(benchmark.benchmark)
app.command(hidden=True)(benchmark.play_seed)


@app.command(hidden=True)
def work() -> None:
    """Do the commands that standard input names, one after the other: how several seeds share the cores."""
    for answer in processes.work(main):
        print(answer, flush=True)


app.add_typer(lists.recipes_app, name="recipes")
app.add_typer(lists.data_app, name="data")
app.add_typer(judge.judge_app, name="judge")
app.command()(lists.runs)

# typer brings its own copy of click or uses an installed one; this is the right class in both cases.
ClickException: type[Exception] = next(b for b in typer.BadParameter.__mro__ if b.__name__ == "ClickException")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 our bug, 2 the input, 3 the run failed, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        signal.signal(signal.SIGTERM, _terminate)  # outside of training it is as good as Ctrl-C
        # typer turns Ctrl-C into an exit code of its own
        code = app(arguments, standalone_mode=False, prog_name="ganforge") or 0
        if code == INTERRUPTED:
            raise KeyboardInterrupt
    except UserError as error:
        code = _complain(str(error), 2, arguments)
    except RunFailed as error:
        code = _complain(str(error), 3, arguments)
    except Interrupted as error:
        code = _complain(str(error), INTERRUPTED, arguments)
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        code = _complain(
            "the memory does not suffice; smaller nets or a smaller batch_size need less (--set), and so do smaller "
            "pictures (--resize); what was saved before is safe",
            3,
            arguments,
        )
    except (KeyboardInterrupt, typer.Abort):
        code = _complain("stopped; whatever was saved before is safe", INTERRUPTED, arguments)
    except ClickException as error:
        # typer's own complaints: an unknown verb or flag, a missing argument, a number that is none.
        if type(error).__name__ == "NoArgsIsHelpError":
            print(_message(error))
            code = 2
        else:
            code = _complain(f"{_message(error)} ('ganforge --help' shows how)", 2, arguments)
    sys.exit(code)


def _out_of_memory(error: Exception) -> bool:
    """Tell what torch and NumPy say where memory runs out from all else; on processors torch has no class for it."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or "can't allocate memory" in said or "out of memory" in said


def _terminate(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _complain(message: str, code: int, arguments: list[str]) -> int:
    message = one_line(message)  # typer's complaints have several
    if "--json" in arguments:
        give({"error": message, "exit_code": code})
    print(f"ganforge: {message}", file=sys.stderr)
    return code


def _message(error: Exception) -> str:
    return str(getattr(error, "format_message", error.__str__)())
