"""``ganforge apply``: pictures from pictures, by a trained image-to-image generator."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganforge.commands.completion import complete_run
from ganforge.commands.console import JsonFlag, path, print_json, say
from ganforge.commands.numbers import MOST_DRAWS, MOST_FRAMES, counted, whole
from ganforge.errors import UserError

if TYPE_CHECKING:
    from ganforge.applications.apply import Results
    from ganforge.applications.continue_clips import Continuations
    from ganforge.generation.generator import Generator


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
    frames: Annotated[
        int | None, typer.Option(callback=whole(1, MOST_FRAMES), help="next-frame: number of new frames. [1]")
    ] = None,
    seed: Annotated[int, typer.Option(callback=whole(), help="Same seed, same results.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(parser=path, help="A folder, FILE.png (a sheet), .npz, or .gif (clips). [RUN/applied]"),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Enlarge, complete, colour or repair pictures with a trained run, beside what a simple method gives.

    A run of next-frame continues clips: an animation, a folder of frames or of animations, or an .npz.

    Example: ganforge apply runs/enlarge-4x-mnist-1 small.png --draws 8
    """
    from ganforge.commands.count_progress import CountProgress
    from ganforge.generation.generator import load_generator

    target = out or (run if run.is_dir() else run.parent) / "applied"
    generator = load_generator(run)
    progress = CountProgress("results")
    options = {"draws": draws, "seed": seed, "target": target, "counting": progress.counting}
    try:
        results, kind = _results(generator, pictures, mask, frames, options)
    finally:
        progress.stop()
    files = results.write(target)
    n = results.draws.shape[1]
    if as_json:
        print_json({"files": [str(file) for file in files], "n": n, "draws": draws, "seed": seed})
    say(f"{counted(n, kind)}, {counted(draws, 'result')} each -> {target}", as_json=as_json)


def _results(
    generator: "Generator", pictures: Path, mask: Path | None, frames: int | None, options: dict[str, Any]
) -> "tuple[Results | Continuations, str]":
    """Return the results for pictures, or for clips, and the word for what was given."""
    from ganforge.applications.apply import apply as apply_to_pictures
    from ganforge.applications.continue_clips import continue_source
    from ganforge.data.pairs import NextFrame

    of_clips = isinstance(generator.recipe.pairs, NextFrame)
    if of_clips and mask:
        raise UserError(f"--mask {mask}: belongs to models that complete pictures, not to clips; leave it out")
    if of_clips or frames is not None:
        return continue_source(generator, pictures, frames or 1, **options), "clip"
    return apply_to_pictures(generator, pictures, mask=mask, **options), "picture"
