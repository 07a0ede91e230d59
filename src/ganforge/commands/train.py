"""``ganforge train`` and ``ganforge resume``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganforge.commands.completion import complete_recipe, complete_run
from ganforge.commands.console import ColourFlag, JsonFlag, LevelsFlag, Resize, SkipBad, path, print_json
from ganforge.commands.numbers import whole

if TYPE_CHECKING:
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.experiment.run import Run

Steps = Annotated[int | None, typer.Option(callback=whole(1), help="Last step, counted from the run's start.")]
Epochs = Annotated[float | None, typer.Option(help="Last epoch, counted from the run's start.")]
Minutes = Annotated[float | None, typer.Option(help="Training time in minutes.")]
RecipeName = Annotated[
    str,
    typer.Argument(help="A name ('ganforge recipes' lists them) or a TOML file.", autocompletion=complete_recipe),
]
StartFrom = Annotated[
    Path | None,
    typer.Option(
        "--from",
        parser=path,
        help="Start with the weights of this run: same networks, same image shape.",
        autocompletion=complete_run,
    ),
]
EvaluateEvery = Annotated[
    int | None,
    typer.Option(callback=whole(1), help="Steps between metrics on validation images; the best generator is kept."),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        callback=whole(1), help="Number of seeds to train in one folder; with --out FOLDER again, it resumes."
    ),
]

Seed = Annotated[
    int,
    typer.Option(
        callback=whole(), help="Seed of all randomness: same seed, same weights. Any whole number, also below 0."
    ),
]
AtOnce = Annotated[
    int | None, typer.Option(callback=whole(1), help="With --seeds: number of runs in parallel. [the fastest]")
]


def train(
    recipe: RecipeName = "default",
    data: Annotated[str, typer.Option(help="mnist, digits, a file or a folder; auto: MNIST if possible.")] = "auto",
    resize: Resize = None,
    skip_bad: SkipBad = False,
    levels: LevelsFlag = None,
    colour: ColourFlag = False,
    out: Annotated[Path | None, typer.Option(parser=path, help="The run's folder. [runs/RECIPE-DATA-K]")] = None,
    steps: Steps = None,
    epochs: Epochs = None,
    minutes: Minutes = None,
    seed: Seed = 0,
    changes: Annotated[list[str] | None, typer.Option("--set", help="Change a field: --set generator_lr=1e-4")] = None,
    seeds: Seeds = None,
    at_once: AtOnce = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    evaluate_every: EvaluateEvery = None,
    start_from: StartFrom = None,
    as_json: JsonFlag = False,
) -> None:
    """Train a GAN and report whether it worked.

    Example: ganforge train vanilla --data mnist --minutes 2
    """
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.data.pixel_levels import parse_levels
    from ganforge.errors import UserError
    from ganforge.experiment.api import start_run
    from ganforge.experiment.multi_seed import start_seeds
    from ganforge.experiment.options import TrainOptions

    watcher = TerminalWatcher(as_json=as_json)
    options = TrainOptions.chosen(
        recipe=recipe,
        data=data,
        resize=resize,
        skip_bad=skip_bad,
        levels=parse_levels(levels),
        colour=colour,
        out=out,
        steps=steps,
        epochs=epochs,
        minutes=minutes,
        seed=seed,
        changes=changes or (),
        device=device,
        evaluate_every=evaluate_every,
        start_from=start_from,
        watcher=watcher,
    )
    if seeds is not None:
        _print_seeds(start_seeds(options, seeds, at_once), watcher, as_json)
        return
    if at_once is not None:
        raise UserError(f"--at-once {at_once}: belongs to --seeds; give both")
    _print(start_run(options), watcher, as_json)


def resume(
    run: Annotated[Path, typer.Argument(parser=path, help="The folder of the run.", autocompletion=complete_run)],
    steps: Steps = None,
    epochs: Epochs = None,
    minutes: Annotated[float | None, typer.Option(help="Further training time in minutes.")] = None,
    data: Annotated[
        str | None, typer.Option(help="The new place of the run's data, if they were moved; the content is checked.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Continue a run where it stopped, or beyond its end; the result equals that of an uninterrupted run.

    Example: ganforge resume runs/vanilla-mnist-1 --epochs 20
    """
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.experiment.api import resume as resume_gan

    watcher = TerminalWatcher(as_json=as_json)
    _print(resume_gan(run, steps=steps, epochs=epochs, minutes=minutes, data=data, watcher=watcher), watcher, as_json)


def _print(run: "Run", watcher: "TerminalWatcher", as_json: bool) -> None:
    if as_json:
        print_json(_to_dict(run))
    watcher.say(f"at step {run.step:,} (epoch {run.epoch:.1f}) after {run.seconds:,.1f} s of training -> {run.folder}")
    watcher.say(f"samples: {run.folder}/samples, {run.folder}/evolution.webp; {_next_command(run)}")
    if run.verdict:
        watcher.say(run.verdict.figures)
        watcher.say(f"verdict: {run.verdict.words}")
        if run.verdict.findings[0].severity:
            watcher.say(f"'ganforge diagnose {run.folder}' explains, and '--treat' tries remedies")


def _print_seeds(runs: list["Run"], watcher: "TerminalWatcher", as_json: bool) -> None:
    folder = runs[0].folder.parent
    if as_json:
        print_json({"folder": str(folder), "runs": [_to_dict(run) for run in runs]})
    for run in runs:
        watcher.say(f"{run.folder}: {run.verdict.figures if run.verdict else f'at step {run.step:,}'}")
        if run.verdict:
            watcher.say(f"verdict: {run.verdict.words}")
    watcher.say(
        f"'ganforge evaluate {folder}' measures each, 'ganforge compare {folder} OTHER' compares them with other runs"
    )


def _next_command(run: "Run") -> str:
    """Return what a user may do next: draw pictures, or make them from pictures."""
    from ganforge.experiment.saved_recipe import saved_recipe
    from ganforge.runs.folder import RunFolder

    if saved_recipe(RunFolder(run.folder)).pairs:
        return f"'ganforge apply {run.folder} PICTURES' makes pictures from yours"
    return f"'ganforge sample {run.folder}' draws more, 'ganforge report {run.folder}' writes a page on the run"


def _to_dict(run: "Run") -> dict[str, Any]:
    verdict = run.verdict.to_dict() if run.verdict else None
    return {"run": str(run.folder), "step": run.step, "epoch": run.epoch, "seconds": run.seconds, "verdict": verdict}
