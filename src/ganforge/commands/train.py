"""``ganforge train`` and ``ganforge resume``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganforge.commands.console import ColourFlag, JsonFlag, LevelsFlag, Resize, SkipBad, path, print_json

if TYPE_CHECKING:
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.experiment.run import Run

Steps = Annotated[int | None, typer.Option(help="Train up to this step, counted from the run's start.")]
Epochs = Annotated[float | None, typer.Option(help="Train up to this epoch, counted from the run's start.")]
Minutes = Annotated[float | None, typer.Option(help="Train so many minutes.")]


def train(
    recipe: Annotated[str, typer.Argument(help="A name ('ganforge recipes' lists them) or a TOML file.")] = "default",
    data: Annotated[str, typer.Option(help="mnist, digits, a file or a folder; auto takes MNIST if it can.")] = "auto",
    resize: Resize = None,
    skip_bad: SkipBad = False,
    levels: LevelsFlag = None,
    colour: ColourFlag = False,
    out: Annotated[
        Path | None, typer.Option(parser=path, help="The run's folder; runs/RECIPE-DATA-K unless given.")
    ] = None,
    steps: Steps = None,
    epochs: Epochs = None,
    minutes: Minutes = None,
    seed: Annotated[int, typer.Option(help="All chance follows from it: same seed, same weights.")] = 0,
    changes: Annotated[list[str] | None, typer.Option("--set", help="Change a field: --set generator_lr=1e-4")] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Train so many seeds into one folder; again with --out FOLDER: goes on.")
    ] = None,
    at_once: Annotated[
        int | None, typer.Option(help="With --seeds: so many side by side; 1: in turn. What is faster unless given.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    evaluate_every: Annotated[
        int | None, typer.Option(help="Every so many steps: figures on validation images, the best generator kept.")
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            "--from", parser=path, help="Start with the weights of this run: same networks, same image shape."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Train a GAN and say whether it worked.

    Example: ganforge train vanilla --data mnist --minutes 2
    """
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.data.pixel_levels import parse_levels
    from ganforge.errors import UserError
    from ganforge.experiment.api import train as train_gan
    from ganforge.experiment.multi_seed import train_seeds

    watcher = TerminalWatcher(as_json=as_json)
    wishes: dict[str, Any] = {
        "data": data,
        "out": out,
        "steps": steps,
        "epochs": epochs,
        "minutes": minutes,
        "seed": seed,
        "changes": changes or (),
        "device": device,
        "evaluate_every": evaluate_every,
        "start_from": start_from,
        "resize": resize,
        "skip_bad": skip_bad,
        "levels": parse_levels(levels),
        "colour": colour,
        "watcher": watcher,
    }
    if seeds is None:
        if at_once is not None:
            raise UserError(f"--at-once {at_once}: goes with --seeds")
        _show(train_gan(recipe, **wishes), watcher, as_json)
        return
    runs = train_seeds(recipe, seeds, at_once=at_once, **wishes)
    folder = runs[0].folder.parent
    if as_json:
        print_json({"folder": str(folder), "runs": [_told(run) for run in runs]})
    for run in runs:
        watcher.say(f"{run.folder}: {run.verdict.figures if run.verdict else f'at step {run.step:,}'}")
        if run.verdict:
            watcher.say(f"verdict: {run.verdict.words}")
    watcher.say(
        f"'ganforge evaluate {folder}' measures each, 'ganforge compare {folder} OTHER' sets them beside others"
    )


def resume(
    run: Annotated[Path, typer.Argument(parser=path, help="The folder of the run.")],
    steps: Steps = None,
    epochs: Epochs = None,
    minutes: Annotated[float | None, typer.Option(help="Train so many minutes more.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Where the run's data are now, if they were moved; their content is checked.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Go on where a run stopped, or beyond its end; the result is that of a run that never stopped.

    Example: ganforge resume runs/vanilla-mnist-1 --epochs 20
    """
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.experiment.api import resume as resume_gan

    watcher = TerminalWatcher(as_json=as_json)
    _show(resume_gan(run, steps=steps, epochs=epochs, minutes=minutes, data=data, watcher=watcher), watcher, as_json)


def _show(run: "Run", watcher: "TerminalWatcher", as_json: bool) -> None:
    if as_json:
        print_json(_told(run))
    watcher.say(
        f"at step {run.step:,} (epoch {run.epoch:.1f}) after {run.seconds:,.0f} s of training in all -> {run.folder}"
    )
    watcher.say(
        f"look at {run.folder}/samples and {run.folder}/evolution.webp; 'ganforge sample {run.folder}' draws more"
    )
    if run.verdict:
        watcher.say(run.verdict.figures)
        watcher.say(f"verdict: {run.verdict.words}")


def _told(run: "Run") -> dict[str, Any]:
    verdict = run.verdict.to_dict() if run.verdict else None
    return {"run": str(run.folder), "step": run.step, "epoch": run.epoch, "seconds": run.seconds, "verdict": verdict}
