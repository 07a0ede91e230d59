"""``ganforge apply``: pictures from pictures, by a trained image-to-image generator."""

from pathlib import Path
from typing import Annotated

import typer

from ganforge.commands.completion import complete_run
from ganforge.commands.console import JsonFlag, path, print_json, say
from ganforge.commands.numbers import MOST_DRAWS, whole


def apply(
    run: Annotated[
        Path,
        typer.Argument(
            parser=path,
            help="The run of a recipe with [pairs], such as enlarge-4x, or its generator.safetensors.",
            autocompletion=complete_run,
        ),
    ],
    pictures: Annotated[
        Path, typer.Argument(parser=path, help="A picture, a folder, a zip or an .npz of the kind that it takes.")
    ],
    mask: Annotated[
        Path | None, typer.Option(parser=path, help="complete: white, or transparent, where pixels are missing.")
    ] = None,
    draws: Annotated[
        int, typer.Option(callback=whole(1, MOST_DRAWS), help="Number of different results for each picture.")
    ] = 1,
    seed: Annotated[int, typer.Option(callback=whole(), help="Same seed, same results.")] = 0,
    out: Annotated[
        Path | None, typer.Option(parser=path, help="A folder, FILE.png (a sheet) or FILE.npz. [RUN/applied]")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Enlarge, complete, colour or repair pictures with a trained run, beside what a simple method gives.

    Example: ganforge apply runs/enlarge-4x-mnist-1 small.png --draws 8
    """
    from ganforge.applications import apply as application
    from ganforge.generation.generator import load_generator

    target = out or (run if run.is_dir() else run.parent) / "applied"
    generator = load_generator(run)
    results = application.apply(generator, pictures, mask=mask, draws=draws, seed=seed, target=target)
    files = results.write(target)
    if as_json:
        print_json({"files": [str(file) for file in files], "n": results.draws.shape[1], "draws": draws, "seed": seed})
    say(f"{results.draws.shape[1]} pictures, {draws} results each -> {target}", as_json=as_json)
