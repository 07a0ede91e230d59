"""``ganforge evaluate`` and ``ganforge compare``: metrics, and whether differences are significant."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganforge.commands.console import ColourFlag, JsonFlag, LevelsFlag, path, print_json, say, table
from ganforge.commands.numbers import whole

if TYPE_CHECKING:
    from ganforge.evaluation.result import Evaluation
    from ganforge.runs.folder import RunFolder


def evaluate(
    source: Annotated[
        str,
        typer.Argument(help="A run, a generator.safetensors, mnist (the shipped one), or images: .npz, folder, zip."),
    ],
    data: Annotated[str | None, typer.Option(help="The real images. [the run's own, else MNIST]")] = None,
    judge: Annotated[
        Path | None, typer.Option(parser=path, help="A judge file instead of the one that fits the data.")
    ] = None,
    inception: Annotated[
        Path | None,
        typer.Option(parser=path, help="Weights of torch-fidelity's Inception network: metrics on its features (FID)."),
    ] = None,
    n: Annotated[
        int | None, typer.Option("--n", callback=whole(), help="Fakes and reals, each. [all, at most 10,000]")
    ] = None,
    split: Annotated[str, typer.Option(help="The real images: test, or validation for tuning.")] = "test",
    seed: Annotated[int, typer.Option(callback=whole(), help="Seed of the generator's noise.")] = 0,
    slow: Annotated[bool, typer.Option("--slow", help="Also train classifiers on fakes; minutes.")] = False,
    resize: Annotated[str | None, typer.Option(help="Scale real pictures, as 'train --resize' did.")] = None,
    levels: LevelsFlag = None,
    colour: ColourFlag = False,
    nearest: Annotated[
        Path | None,
        typer.Option(parser=path, help="FILE.png: fakes and their nearest training images."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure a generator, or any set of generated images, against real images.

    Example: ganforge evaluate runs/forge-2-mnist-1
    """
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.data.pixel_levels import parse_levels
    from ganforge.errors import UserError
    from ganforge.evaluation.inception import inception as inception_features
    from ganforge.experiment.evaluate import evaluate as evaluate_source
    from ganforge.experiment.evaluate import evaluate_runs, runs_in

    if inception and judge:
        raise UserError("--inception and --judge exclude each other; give one of them")
    options: dict[str, Any] = {
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
        "watcher": TerminalWatcher(as_json=as_json),
    }
    runs = runs_in(path(source))
    if nearest and len(runs) > 1:
        raise UserError(f"--nearest takes a single run and {source} holds {len(runs)}; name one of them")
    if len(runs) > 1:
        evaluations, faults = evaluate_runs(runs, options)
        _print_runs(source, evaluations, faults, as_json)
        return
    evaluation = evaluate_source(source, **options)
    if as_json:
        print_json(evaluation.to_dict())
    else:
        _print(evaluation)


def _print_runs(source: str, evaluations: "dict[RunFolder, Evaluation]", faults: dict[str, str], as_json: bool) -> None:
    """Print the evaluations of several runs, a summary if they are seeds of one method, and the runs without one.

    The command then exits with 2 if there are ``faults``, the reasons by the run's folder.
    """
    if as_json:
        runs = [evaluation.to_dict() for evaluation in evaluations.values()]
        print_json({"folder": source, "runs": runs, **({"faults": faults} if faults else {})})
    else:
        for evaluation in evaluations.values():
            _print(evaluation)
        if len({run.read_run()["recipe"] for run in evaluations}) == 1:
            _print_summary(source, list(evaluations.values()))
    if faults:
        reasons = "; ".join(why if why.startswith(run) else f"{run}: {why}" for run, why in faults.items())
        say(
            f"ganforge: {len(faults)} of {len(faults) + len(evaluations)} runs were not measured: {reasons}",
            as_json=True,
        )
        raise typer.Exit(2)


def _print_summary(source: str, evaluations: "list[Evaluation]") -> None:
    """Print mean, standard deviation and worst seed of one method, unless the protocols differ."""
    from ganforge.evaluation.compare import Group, summary_rows

    protocol = evaluations[0].protocol
    if not any(protocol.difference(other.protocol) for other in evaluations):
        say(f"{source}: mean ± standard deviation over {len(evaluations)} seeds (worst seed)")
        table(summary_rows(Group(source, tuple(evaluations))), ("metric", "over seeds"))


def _print(evaluation: "Evaluation") -> None:
    protocol, split = evaluation.protocol, evaluation.protocol.split
    header = ("metric", "value", "95 % interval", "other reals", "worst case")
    say(f"{evaluation.what} · {protocol.n:,} fakes against {protocol.n:,} real {split} images of {protocol.data}")
    table(evaluation.rows(), header)
    if evaluation.classes:
        table(evaluation.class_rows(), ("class", "share", "of reals", "as requested", "spread", "recall", "of reals"))
    for note in evaluation.notes:
        say(note)
    say(f"protocol {protocol.id}: {protocol.judge}, n = {protocol.n:,}, {split}; limits: docs/measuring.md")


def compare(
    runs: Annotated[list[str], typer.Argument(help="Runs, folders of runs (one a seed), or JSON files of 'evaluate'.")],
    as_json: JsonFlag = False,
) -> None:
    """Compare evaluated runs: mean, standard deviation, worst seed, and whether differences are significant.

    Example: ganforge compare runs/dcgan-mnist-1 runs/lsgan-mnist-1
    """
    from ganforge.evaluation.compare import compare as compare_groups
    from ganforge.evaluation.compare import comparison_rows
    from ganforge.experiment.evaluate import read_group

    groups = [read_group(path(run)) for run in runs]
    names = [group.name for group in groups]
    if len(set(names)) < len(names):  # such as seed-0 of two folders
        groups = [replace(group, name=run) for group, run in zip(groups, runs, strict=True)]
    comparisons = compare_groups(groups)
    protocol = groups[0].evaluations[0].protocol
    if as_json:
        print_json({"protocol": protocol.to_dict(), "figures": [comparison.to_dict() for comparison in comparisons]})
        return
    header = ("metric", *(f"{group.name} ({len(group.evaluations)})" for group in groups), "result")
    table(comparison_rows(comparisons), header)
    say(f"mean ± standard deviation over seeds (worst seed); protocol {protocol.id}, n = {protocol.n:,}")
