"""``ganforge benchmark``: published protocols with known ground truth."""

import time
from pathlib import Path
from typing import Annotated

import typer

from ganforge.commands.console import JsonFlag, path, print_json, say, table
from ganforge.commands.numbers import whole
from ganforge.json_text import to_json

EVERY_SECONDS = 0.5
"""Seconds between two lines of progress of a worker process."""

Seeds = Annotated[
    int | None,
    typer.Option(
        callback=whole(1),
        help="Train seeds 0 to K-1; finished ones are kept. augment: draws of labels. "
        "[1; techniques, applications: 3; augment: 5; diagnosis: 6, of healthy runs 34]",
    ),
]
Labels = Annotated[
    int | None,
    typer.Option(callback=whole(), help="few-labels: the number of labelled images; 20, 50, 100 or 200. [100]"),
]
Only = Annotated[
    str | None,
    typer.Option(
        help="Names with commas: of techniques, settings (augment), illnesses (diagnosis) [all]; weaknesses: style, "
        "thickness, slant."
    ),
]
Draw = Annotated[
    int | None,
    typer.Option(
        callback=whole(0), help="few-labels: number of the label subset; one a call, the report is on all. [0]"
    ),
]

Data = Annotated[
    str | None,
    typer.Option(
        help="techniques: ring, mnist, mnist-500; diagnosis: mnist, glyphs, cifar10; other-data: paths; several with "
        "commas. [all]"
    ),
]
Task = Annotated[
    str | None, typer.Option(help="applications: enlarge-4x, complete, ...; other-data: sound, signals. [all]")
]


def benchmark(
    name: Annotated[str, typer.Argument(help="One of the benchmarks above.")],
    recipe: Annotated[str | None, typer.Option(help="Another method: a name or a TOML file.")] = None,
    seeds: Seeds = None,
    steps: Annotated[
        int | None, typer.Option(callback=whole(1), help="Steps instead of the protocol's; the report says so.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A preview within minutes; not the protocol.")] = False,
    data: Data = None,
    only: Only = None,
    out: Annotated[
        Path | None, typer.Option(parser=path, help="The result folder. [runs/benchmark-NAME-RECIPE]")
    ] = None,
    labels: Labels = None,
    draw: Draw = None,
    beside: Annotated[
        str | None,
        typer.Option(help="ring to stacked-mnist-tiny: other folders of this benchmark, with commas, for curve.png."),
    ] = None,
    task: Task = None,
    as_json: JsonFlag = False,
) -> None:
    """Run a benchmark and compare with published results and real data.

    ring, grid, stacked-mnist, stacked-mnist-tiny: how many modes are found. one-nn, train-on-generated: accuracy of
    classifiers trained on generated digits. few-labels: classification with few labels. clusters: with none.
    techniques: the effect of each technique alone, at equal compute.
    autoencoders: an autoencoder and a VAE against a GAN with the same generator.
    applications: pictures from pictures, beside simple methods and the same network without an adversary.
    weaknesses: parts of classes hidden from a classifier, named by probe and cured by strengthen.
    augment: is the choice of 'ganforge augment' right, with few labels?
    diagnosis: planted illnesses that must be named, and healthy runs that must not be blamed.
    other-data: sounds and signals beside simple models that need no training.

    Example: ganforge benchmark ring --seeds 2 --steps 40000
    """
    from ganforge.benchmarks.common import BenchmarkOptions
    from ganforge.benchmarks.registry import run_benchmark
    from ganforge.commands.progress import TerminalWatcher

    watcher = TerminalWatcher(as_json=as_json)
    lists = (_split(data), _split(only), labels, draw, _split(beside), task)
    try:
        report = run_benchmark(BenchmarkOptions(name, recipe, seeds, steps, quick, out, *lists, watcher))
    finally:
        watcher.end()
    if as_json:
        print_json(report.to_dict())
        return
    say(report.title)
    if report.header:
        table(report.table(), report.header)
    for note in report.notes():
        say(note)


def train_seed(folder: Path, seed: int, steps: int, as_json: JsonFlag = False) -> None:
    """Train one seed of an existing benchmark folder; ``ganforge benchmark --seeds`` calls this in worker processes.

    ``--json`` decides how errors are printed (`commands.main`).
    """
    from ganforge.benchmarks import mode_coverage

    printed_at = 0.0

    def on_step(step: int, status: str) -> None:
        nonlocal printed_at
        if time.perf_counter() - printed_at >= EVERY_SECONDS or step == steps:
            printed_at = time.perf_counter()
            say(to_json([step, status]), as_json=True)

    print_json({"result": str(mode_coverage.train_seed(folder, seed, steps, on_step))})


def _split(names: str | None) -> tuple[str, ...]:
    """Return the names of a list with commas."""
    return tuple(name.strip() for name in names.split(",")) if names else ()
