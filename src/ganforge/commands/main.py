"""The entry point: commands, exit codes, and errors on one line."""

import sys
from typing import Annotated

import typer

from ganforge import worker_pool
from ganforge.commands import (
    apply,
    augment,
    benchmark,
    data,
    diagnose,
    edit,
    evaluate,
    judge,
    probe,
    recipes,
    report,
    runs,
    sample,
    strengthen,
    train,
)
from ganforge.commands.console import print_json, say
from ganforge.commands.safe_streams import loss, outlets
from ganforge.commands.usage_errors import usage_message
from ganforge.errors import Interrupted, OneLineError, RunFailed, UserError, one_line
from ganforge.worker_pool import INTERRUPTED

EXIT_CODES: dict[type[OneLineError], int] = {UserError: 2, RunFailed: 3, Interrupted: INTERRUPTED}


def _show_version(wanted: bool) -> None:
    if wanted:
        from ganforge import __version__

        print(f"ganforge {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="ganforge",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def ganforge(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train GANs on handwritten digits and other small images, measure them, use the result.

    Example: ganforge train --minutes 2
    """


app.command()(train.train)
app.command()(train.resume)
app.command()(sample.sample)
app.command()(sample.write)
app.command()(apply.apply)
app.command(cls=edit.EditCommand)(edit.edit)
app.command()(probe.probe)
app.command()(strengthen.strengthen)
app.command()(augment.augment)
app.command()(evaluate.evaluate)
app.command()(evaluate.compare)
app.command()(diagnose.diagnose)
app.command()(benchmark.benchmark)
app.command("play-seed", hidden=True)(benchmark.train_seed)


@app.command(hidden=True)
def work() -> None:
    """Run the commands of standard input one after another, as a worker process of several seeds."""
    for answer in worker_pool.run_worker(main):
        print(answer, flush=True)


app.add_typer(recipes.recipes_app, name="recipes")
app.add_typer(data.data_app, name="data")
app.add_typer(judge.judge_app, name="judge")
app.command()(runs.runs)
app.command()(report.report)

# typer uses its own copy of click or an installed one; this finds the class in both cases.
ClickException: type[Exception] = next(b for b in typer.BadParameter.__mro__ if b.__name__ == "ClickException")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 success, 1 bug in ganforge, 2 bad input, 3 failed run, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with outlets() as (out, _):
        try:
            code = _run(arguments)
        except KeyboardInterrupt:  # a second signal, while the message of the first one was printed
            code = INTERRUPTED
        worker_pool.ignore_stop_signals()  # the command has ended
        if (reason := loss(out)) and code == 0:
            say(f"ganforge: standard output: {reason}: output was lost; redirect it to another place", as_json=True)
            code = 3
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    """Run the command line and return its exit code; an error is printed on one line."""
    try:
        worker_pool.raise_on_stop_signals()
        # typer turns Ctrl-C into its own exit code
        code: int = app(arguments, standalone_mode=False, prog_name="ganforge") or 0
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        return code
    except ClickException as error:
        return _print_usage_error(error, arguments)
    except (OneLineError, KeyboardInterrupt, typer.Abort, OSError, MemoryError, RuntimeError) as error:
        message, code = _explain(error)
        if not message:
            raise
        return _print_error(message, code, arguments)


def _explain(error: BaseException) -> tuple[str, int]:
    """Return the message of an error and its exit code; no message for a bug in ganforge."""
    if isinstance(error, OneLineError):
        return str(error), next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "stopped; everything saved so far is safe", INTERRUPTED
    return _machine_fault(error), 3


def _machine_fault(error: BaseException) -> str:
    """Return what the machine lacks or refuses; nothing if the error is a bug in ganforge.

    On CPUs, torch and NumPy have no exception class for memory that runs out.
    """
    message = str(error).lower()
    if isinstance(error, MemoryError) or "can't allocate memory" in message or "out of memory" in message:
        return (
            "out of memory; take smaller networks or a smaller batch_size (--set), or smaller pictures (--resize); "
            "everything saved so far is safe"
        )
    if isinstance(error, OSError) and isinstance(error.filename, str):
        return f"{error.filename}: {error.strerror}; everything saved so far is safe"
    return ""


def _print_usage_error(error: Exception, arguments: list[str]) -> int:
    """Print typer's own errors: an unknown command or flag, a missing argument, a malformed number."""
    if type(error).__name__ == "NoArgsIsHelpError":
        say(str(error))
        return 2
    return _print_error(usage_message(error, arguments), 2, arguments)


def _print_error(message: str, code: int, arguments: list[str]) -> int:
    message = one_line(message)  # typer's errors have several lines
    if "--json" in arguments:
        print_json({"error": message, "exit_code": code})
    say(f"ganforge: {message}", as_json=True)
    return code
