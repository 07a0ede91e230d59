"""``ganforge augment``: which further pictures help a classifier of few labels, decided by measurement."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganforge.commands.completion import complete_run
from ganforge.commands.console import ColourFlag, JsonFlag, LevelsFlag, Resize, SkipBad, path, print_json, say, table
from ganforge.commands.numbers import whole
from ganforge.errors import UserError

if TYPE_CHECKING:
    from ganforge.applications.augment_parts import Parts
    from ganforge.applications.augment_report import Choice
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.generation.generator import Generator

GENERATOR_SHARE = 0.4
"""Share of --minutes for the generator; the rest is for the classifiers."""
LONGEST = 100_000
"""Largest number of minutes."""


def augment(
    data: Annotated[str, typer.Argument(help="Labelled pictures: a name, a file or a folder, as for train --data.")],
    labels: Annotated[
        int | None, typer.Option(callback=whole(1), help="Use so many training labels; the rest is unlabelled. [all]")
    ] = None,
    validation_labels: Annotated[
        int | None, typer.Option(callback=whole(2), help="Labelled images that choose. [1,000, or all of fewer]")
    ] = None,
    draw: Annotated[int, typer.Option(callback=whole(0), help="Number of the label subset.")] = 0,
    model: Annotated[
        Path | None,
        typer.Option(
            parser=path, autocompletion=complete_run, help="A run that has seen no other pictures. [trains one]"
        ),
    ] = None,
    learner: Annotated[
        str | None, typer.Option(help="Your own learner, module:function: your code runs. [a small CNN]")
    ] = None,
    seeds: Annotated[int, typer.Option(callback=whole(3, 1000), help="Classifiers of each option.")] = 3,
    minutes: Annotated[float, typer.Option(help="Time for generator and classifiers together.")] = 10.0,
    steps: Annotated[
        int | None, typer.Option(callback=whole(1), help="Steps of each classifier. [as many as --minutes allows]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(parser=path, help="FILE.npz for the set that helped. [augmented.npz]")
    ] = None,
    resize: Resize = None,
    skip_bad: SkipBad = False,
    levels: LevelsFlag = None,
    colour: ColourFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Measure which further pictures help a classifier: moved, mixed, generated, guessed labels, or none.

    Validation images choose; the test images report the error of the choice, once.

    Example: ganforge augment mnist --labels 100 --minutes 10
    """
    from ganforge.applications.augment import augment as measure
    from ganforge.applications.augment_parts import divide
    from ganforge.applications.learner import check_learner, load_learner
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.commands.read_data import read_data
    from ganforge.files import ensure_writable, write_atomically

    if not 0 < minutes <= LONGEST:
        raise UserError(f"--minutes {minutes:g}: must be above 0 and at most {LONGEST:,}")
    function = load_learner(learner) if learner else None
    watcher = TerminalWatcher(as_json=as_json)
    try:
        splits = read_data(data, watcher, resize=resize, skip_bad=skip_bad, levels=levels, colour=colour)
        parts = divide(splits, labels, validation_labels=validation_labels, draw=draw)
        if function:
            check_learner(function, parts.labelled.images, parts.labelled.labels, parts.classes)
        target = ensure_writable(out or Path("augmented.npz"), [".npz"])
        generator, run, left = _generator(parts, model, minutes, watcher)
        choice, _, _ = measure(
            parts, generator, learner=function, steps=steps, seconds=60 * left, seeds=seeds, watcher=watcher
        )
    finally:
        watcher.end()
    write_atomically(target, choice.made.file(parts.labelled.class_names, choice.chosen))
    if as_json:
        print_json({"file": str(target), "n": len(choice.made), "model": str(run), **choice.to_dict()})
        return
    _print(choice)
    say(f"{len(choice.made):,} pictures -> {target}; the generator: {run}")


def _generator(
    parts: "Parts", model: Path | None, minutes: float, watcher: "TerminalWatcher"
) -> "tuple[Generator, Path, float]":
    """Return the generator, its run, and the minutes left for classifiers."""
    from ganforge.applications.augment_generator import train_generator
    from ganforge.applications.augment_parts import check_generator

    if parts.repeated:
        watcher.say(f"{parts.repeated:,} pictures left out: they are validation or test images, too")
    if model is not None:
        return check_generator(model, parts), model, minutes
    run = train_generator(parts, minutes=GENERATOR_SHARE * minutes, watcher=watcher)
    return run.generator(), run.folder, (1 - GENERATOR_SHARE) * minutes


def _print(choice: "Choice") -> None:
    from ganforge.applications.augment_report import points

    rows = [(row.name, f"{row.error:.2%}", points(row.difference) if at else "") for at, row in enumerate(choice.rows)]
    table(rows, ("option", "validation error", "beside nothing (95 % interval)"))
    if choice.filters:
        say("")
        filters = [(row.name, f"{row.removed:.0%}", points(row.difference)) for row in choice.filters]
        table(filters, ("filter of GAN pictures: keeps", "removes", "beside no filter"))
    say("")
    for line in choice.words():
        say(line)
