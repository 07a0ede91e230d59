"""``ganforge strengthen``: train a classifier on what a probe found, beside controls at equal steps."""

from pathlib import Path
from typing import Annotated

import typer

from ganforge.commands.completion import complete_run
from ganforge.commands.console import JsonFlag, path, print_json, say, table
from ganforge.commands.numbers import whole

MOST_STEPS, MOST_SEEDS = 1_000_000, 100


def strengthen(
    classifier: Annotated[str, typer.Argument(help="As in 'ganforge probe'; a module is your code, which is run.")],
    found: Annotated[Path, typer.Option("--with", parser=path, help="The folder or found.npz of 'ganforge probe'.")],
    learner: Annotated[
        str | None,
        typer.Option(help="module:function(images, labels, *, steps, seed, start). [torch modules: built in]"),
    ] = None,
    model: Annotated[
        str, typer.Option(help="The generator of the probe, for random fakes.", autocompletion=complete_run)
    ] = "mnist",
    data: Annotated[
        str | None, typer.Option(help="The data that the generator was trained on. [as the generator says]")
    ] = None,
    trained_on: Annotated[
        Path | None,
        typer.Option(parser=path, help="Pictures that the classifier has learned from. [the training part of --data]"),
    ] = None,
    steps: Annotated[int, typer.Option(callback=whole(1, MOST_STEPS), help="Steps of each training.")] = 1500,
    seeds: Annotated[int, typer.Option(callback=whole(1, MOST_SEEDS), help="Trainings of each kind.")] = 3,
    input_range: Annotated[str, typer.Option(help="Pixels that the classifier takes: 0..1 or -1..1.")] = "0..1",
    out: Annotated[Path, typer.Option(parser=path, help="A folder for the results.")] = Path("strengthened"),
    as_json: JsonFlag = False,
) -> None:
    """Train a classifier further on found pictures, and say whether that helps more than other pictures do.

    Beside it, with equal steps: more of the same, random fakes, moved originals, and real pictures picked alike.

    Example: ganforge strengthen my_model:net --with probed
    """
    from ganforge.applications.found_files import read_found
    from ganforge.applications.strengthen_files import check_folder, write_closed, write_strengthened
    from ganforge.applications.strengthen_task import prepare
    from ganforge.commands.count_progress import CountProgress
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.evaluation.user_classifier import load_classifier

    pictures = read_found(found)
    weak = load_classifier(classifier, input_range)
    check_folder(out)
    if learner is None and weak.module is None:
        file = write_closed(pictures, out)
        if as_json:
            print_json({"trained": False, "files": [str(file)]})
        say(f"{classifier} cannot be trained here: give --learner, or train it on {file}", as_json=as_json)
        return
    watcher, progress = TerminalWatcher(as_json=as_json), CountProgress("trainings")
    try:
        task = prepare(weak, pictures, learner, model=model, data=data, trained_on=trained_on, watcher=watcher)
        result = task.run(steps, seeds, progress.counting("training", task.trainings(seeds)))
    finally:
        progress.stop()
    report, files = write_strengthened(result, out, steps=steps)
    if as_json:
        print_json({**report, "files": [str(file) for file in files]})
        return
    table(report["rows"], report["header"])
    for line in [*report["words"], f"chosen on validation pictures: {report['best']}", f"files -> {out}"]:
        say(line)
