"""``ganforge evaluate`` and ``ganforge compare``: figures, and whether a difference is one."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganforge.commands.console import ColourFlag, JsonFlag, LevelsFlag, path, print_json, say, table

if TYPE_CHECKING:
    from ganforge.evaluation.report import Evaluation


def evaluate(
    source: Annotated[
        str,
        typer.Argument(help="A run, a generator.safetensors, mnist (the shipped one), or images: .npz, folder, zip."),
    ],
    data: Annotated[str | None, typer.Option(help="The real images; the run's own, else MNIST, unless given.")] = None,
    judge: Annotated[
        Path | None, typer.Option(parser=path, help="A judge's file instead of the one that fits the data.")
    ] = None,
    inception: Annotated[
        Path | None,
        typer.Option(parser=path, help="Weights of torch-fidelity's Inception network: figures on its features (FID)."),
    ] = None,
    n: Annotated[int | None, typer.Option("--n", help="Fakes against as many reals; 10,000 if there are.")] = None,
    split: Annotated[str, typer.Option(help="Which reals: test, or validation to tune on.")] = "test",
    seed: Annotated[int, typer.Option(help="Of the noise a generator draws from.")] = 0,
    slow: Annotated[bool, typer.Option("--slow", help="Also train on fakes, test on reals; minutes.")] = False,
    resize: Annotated[str | None, typer.Option(help="Scale real pictures, as 'train --resize' did.")] = None,
    levels: LevelsFlag = None,
    colour: ColourFlag = False,
    nearest: Annotated[
        Path | None, typer.Option(parser=path, help="FILE.png: fakes nearest to training images, beside them.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure a generator, or any set of generated images, beside real ones.

    Example: ganforge evaluate runs/forge-2-mnist-1
    """
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.data.pixel_levels import parse_levels
    from ganforge.errors import UserError
    from ganforge.evaluation.compare import Group, summary_rows
    from ganforge.evaluation.inception import inception as inception_features
    from ganforge.experiment.evaluate import evaluate as evaluate_source
    from ganforge.experiment.evaluate import runs_in

    watcher = TerminalWatcher(as_json=as_json)
    if inception and judge:
        raise UserError("--inception and --judge: one of them looks")
    wishes: dict[str, Any] = {
        "data": data,
        "judge": judge,
        "extractor": inception_features(inception) if inception else None,
        "n": n,
        "split": split,
        "seed": seed,
        "slow": slow,
        "resize": resize,
        "levels": parse_levels(levels),
        "colour": colour,
        "nearest": nearest,
        "watcher": watcher,
    }
    runs = runs_in(path(source))
    if len(runs) < 2:
        found = evaluate_source(source, **wishes)
        if as_json:
            print_json(found.to_dict())
        else:
            _show(found)
        return
    if nearest:
        raise UserError(f"--nearest draws one sheet, and {source} holds {len(runs)} runs: name one of them")
    each = [evaluate_source(str(run.path), **wishes) for run in runs]
    if as_json:
        print_json({"folder": source, "runs": [found.to_dict() for found in each]})
        return
    for found in each:
        _show(found)
    methods = {run.read_run()["recipe"] for run in runs}
    if len(methods) == 1 and not any(each[0].protocol.difference(found.protocol) for found in each):
        say(f"{source}: mean ± standard deviation over {len(runs)} seeds (the worst seed)")
        table(summary_rows(Group(source, tuple(each))), ("figure", "over seeds"))


def _show(found: "Evaluation") -> None:
    protocol, split = found.protocol, found.protocol.split
    header = ("figure", "value", "95 % interval", "other reals", "hopeless fakes")
    say(f"{found.what} · {protocol.n:,} fakes against {protocol.n:,} real {split} images of {protocol.data}")
    table(found.rows(), header)
    if found.classes:
        table(found.class_rows(), ("class", "share", "of reals", "as asked", "spread", "recall", "of reals"))
    for note in found.notes:
        say(note)
    say(f"protocol {protocol.id}: {protocol.judge}, n = {protocol.n:,}, {split}; what to believe: docs/measuring.md")


def compare(
    runs: Annotated[list[str], typer.Argument(help="Runs, folders of runs (one for each seed), or JSON of evaluate.")],
    as_json: JsonFlag = False,
) -> None:
    """Compare evaluated runs: mean, deviation and worst seed, and whether a difference is more than noise.

    Example: ganforge compare runs/dcgan-mnist-1 runs/lsgan-mnist-1
    """
    from ganforge.evaluation.compare import compare as compare_groups
    from ganforge.evaluation.compare import comparison_rows
    from ganforge.experiment.evaluate import read_group

    groups = [read_group(path(run)) for run in runs]
    names = [group.name for group in groups]
    if len(set(names)) < len(names):  # the seed-0 of two folders
        groups = [replace(group, name=run) for group, run in zip(groups, runs, strict=True)]
    found = compare_groups(groups)
    protocol = groups[0].evaluations[0].protocol
    if as_json:
        print_json({"protocol": protocol.to_dict(), "figures": [comparison.to_dict() for comparison in found]})
        return
    table(comparison_rows(found), ("figure", *(f"{group.name} ({len(group.evaluations)})" for group in groups), "so"))
    say(f"mean ± standard deviation over seeds (the worst seed); protocol {protocol.id}, n = {protocol.n:,}")
