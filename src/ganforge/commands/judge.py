"""``ganforge judge``: show the shipped judge, or train a judge on your own data."""

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganforge.commands.console import (
    ColourFlag,
    JsonFlag,
    LevelsFlag,
    Resize,
    SkipBad,
    inherit_json_flag,
    path,
    print_json,
    say,
)
from ganforge.commands.numbers import whole
from ganforge.commands.read_data import read_data
from ganforge.errors import UserError

if TYPE_CHECKING:
    from ganforge.judge.files import Card

MOST_EPOCHS, MOST_MINUTES = 1_000_000, 1_000_000
Epochs = Annotated[
    int | None,
    typer.Option(callback=whole(1, MOST_EPOCHS), help="Epochs instead of minutes: same epochs, same judge."),
]
Flip = Annotated[
    bool | None,
    typer.Option("--flip/--no-flip", help="Whether a mirrored image keeps its class. [colour: yes, grey: no]"),
]

judge_app = typer.Typer(invoke_without_command=True)


@judge_app.callback()
def judge(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Show the judge of handwritten digits, or train a judge on your own data.

    Example: ganforge judge train cifar10 --minutes 15
    """
    inherit_json_flag(context, as_json)
    if not context.invoked_subcommand:
        judge_show(as_json)


@judge_app.command("show")
def judge_show(as_json: JsonFlag = False) -> None:
    """Show which judge measures digits, and its accuracy.

    Example: ganforge judge show
    """
    from ganforge.judge.shipped import load_judge

    judge = load_judge()
    card = dataclasses.asdict(judge.card)
    if as_json:
        print_json({**card, "hash": judge.hash})
        return
    for name, value in {**card, "hash": judge.hash}.items():
        say(f"{name}: {', '.join(map(str, value)) if isinstance(value, tuple) else value}")


@judge_app.command("train")
def judge_train(
    source: Annotated[str, typer.Argument(metavar="DATA", help="A name, a file or a folder; with labels.")],
    minutes: Annotated[float, typer.Option(help="Training time, about; more helps up to a point.")] = 10.0,
    epochs: Epochs = None,
    seed: Annotated[int, typer.Option(callback=whole(), help="Seed of all randomness.")] = 1,
    flip: Flip = None,
    resize: Resize = None,
    skip_bad: SkipBad = False,
    levels: LevelsFlag = None,
    colour: ColourFlag = False,
    out: Annotated[
        Path | None, typer.Option(parser=path, help="Write FILE.safetensors instead of the place where runs find it.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Train a judge on your own labelled data: later runs on these data end with a verdict.

    Example: ganforge judge train cifar10 --minutes 15
    """
    from ganforge.commands.count_progress import CountProgress
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.experiment.preflight import warn_of
    from ganforge.files import ensure_writable
    from ganforge.judge.training import epochs_in, refuse_what_cannot_be_judged, train_and_save
    from ganforge.judge.user_judges import kept_file, version_of

    if not 0 < minutes <= MOST_MINUTES:
        raise UserError(f"--minutes {minutes:g}: must be more than 0, and at most {MOST_MINUTES:,}")
    if out:
        ensure_writable(out, [".safetensors"])  # before the data are read, which may take minutes
    watcher = TerminalWatcher(as_json=as_json)
    splits = read_data(source, watcher, resize=resize, skip_bad=skip_bad, levels=levels, colour=colour)
    warn_of(source, splits, watcher)
    refuse_what_cannot_be_judged(splits)
    mirrored = splits.train.shape[0] == 3 if flip is None else flip
    file = ensure_writable(out or kept_file(splits))
    more = "--minutes" if epochs is None else "--epochs"
    epochs = epochs or epochs_in(splits, minutes, mirrored)
    say(
        f"training a judge on {len(splits.train):,} images of {splits.train.name} in "
        f"{len(splits.train.class_names)} classes, {epochs} epochs, {'mirrored too' if mirrored else 'never mirrored'}",
        as_json=as_json,
    )
    progress = CountProgress()

    def on_progress(done: int, total: int, loss: float) -> None:
        progress(done, total, f"loss {loss:.3f}")

    try:
        card = train_and_save(splits, file, version_of(splits), epochs, seed, mirrored, on_progress)
    finally:
        progress.stop()
    if as_json:
        print_json({**dataclasses.asdict(card), "file": str(file)})
    place = f"written to {file}; without --out, runs find it by themselves"
    if out is None:
        data = f"--data {shlex.quote(source)}{_flags(resize, skip_bad, levels, colour)}"
        place = f"saved: from now on, every run with {data} ends with a verdict"
    for line in _result_lines(card, len(splits.test), file, place, more):
        say(line, as_json=as_json)


def _flags(resize: str | None, skip_bad: bool, levels: str | None, colour: bool) -> str:
    """Return the flags of reading as the user gave them: other ones give other images, for which the judge is none."""
    values = [f" --{name} {value}" for name, value in (("resize", resize), ("levels", levels)) if value is not None]
    return "".join([*values, " --skip-bad" * skip_bad, " --colour" * colour])


def _result_lines(card: "Card", tested: int, file: Path, place: str, more: str) -> list[str]:
    """Return the last lines of a training: the judge's accuracy, and the ``place`` where runs use it.

    ``more`` is the flag of a longer training, for a judge that is too weak.
    """
    from ganforge.judge.choice import USABLE

    accuracy_line = (
        f"{card.version} classifies {card.test_accuracy:.1%} of the {tested:,} test images correctly "
        f"({card.validation_accuracy:.1%} of the validation images; chance: {1 / len(card.classes):.1%})"
    )
    if card.test_accuracy < USABLE:
        weak = f"written to {file}, but too weak for a verdict: no run uses it; give more {more}, or more images"
        return [accuracy_line, weak]
    return [accuracy_line, place]
