"""The entry point: verbs, exit codes, and errors in one line."""

import sys
from typing import Annotated

import typer

from ganforge import worker_pool
from ganforge.commands import benchmark, evaluate, judge, lists, sample, train
from ganforge.commands.console import print_json, say
from ganforge.commands.outlet import loss, outlets
from ganforge.errors import Interrupted, RunFailed, UserError, one_line
from ganforge.worker_pool import INTERRUPTED


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
    for answer in worker_pool.run_worker(main):
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
    with outlets() as (out, _):
        try:
            code = _run(arguments)
        except KeyboardInterrupt:  # a second signal, while the end that the first one made was being told
            code = INTERRUPTED
        worker_pool.ignore_stop_signals()  # nothing is left to be stopped
        if (why := loss(out)) and code == 0:
            say(f"ganforge: standard output: {why}: what was to be told there is lost; lead it elsewhere", as_json=True)
            code = 3
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    """Run the command line and return its exit code; tell in one line why it is not 0."""
    try:
        worker_pool.raise_on_stop_signals()
        # typer turns Ctrl-C into an exit code of its own
        code: int = app(arguments, standalone_mode=False, prog_name="ganforge") or 0
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        return code
    except UserError as error:
        return _complain(str(error), 2, arguments)
    except RunFailed as error:
        return _complain(str(error), 3, arguments)
    except Interrupted as error:
        return _complain(str(error), INTERRUPTED, arguments)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("stopped; whatever was saved before is safe", INTERRUPTED, arguments)
    except ClickException as error:
        return _complain_of_usage(error, arguments)
    except (OSError, MemoryError, RuntimeError) as error:
        if not (why := _fault_of_the_machine(error)):
            raise
        return _complain(why, 3, arguments)


def _fault_of_the_machine(error: Exception) -> str:
    """Say what the machine lacks or refuses; nothing where the error is a bug of ours.

    What torch and NumPy say where memory runs out has no class of its own on processors.
    """
    said = str(error).lower()
    if isinstance(error, MemoryError) or "can't allocate memory" in said or "out of memory" in said:
        return (
            "the memory does not suffice; smaller nets or a smaller batch_size need less (--set), and so do smaller "
            "pictures (--resize); what was saved before is safe"
        )
    if isinstance(error, OSError) and isinstance(error.filename, str):
        return f"{error.filename}: {error.strerror}; what was saved before is safe"
    return ""


def _complain_of_usage(error: Exception, arguments: list[str]) -> int:
    """Tell typer's own complaints: an unknown verb or flag, a missing argument, a number that is none."""
    if type(error).__name__ == "NoArgsIsHelpError":
        say(_message(error))
        return 2
    return _complain(f"{_message(error)} ('ganforge --help' shows how)", 2, arguments)


def _complain(message: str, code: int, arguments: list[str]) -> int:
    message = one_line(message)  # typer's complaints have several
    if "--json" in arguments:
        print_json({"error": message, "exit_code": code})
    say(f"ganforge: {message}", as_json=True)
    return code


def _message(error: Exception) -> str:
    return str(getattr(error, "format_message", error.__str__)())
