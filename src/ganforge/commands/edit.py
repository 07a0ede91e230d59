"""``ganforge edit``: change a picture with any trained generator, without further training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganforge.commands.completion import complete_run
from ganforge.commands.console import JsonFlag, path, print_json, say
from ganforge.commands.numbers import MOST_DRAWS, whole
from ganforge.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from ganforge.applications.edit import Edited
    from ganforge.generation.generator import Generator


def edit(
    run: Annotated[
        str,
        typer.Argument(help="A run's folder, a generator.safetensors file, or mnist.", autocompletion=complete_run),
    ],
    picture: Annotated[Path | None, typer.Option(parser=path, help="The picture to start from.")] = None,
    mask: Annotated[
        Path | None, typer.Option(parser=path, help="With --picture: white where the generator may draw.")
    ] = None,
    strokes: Annotated[
        Path | None, typer.Option(parser=path, help="A rough drawing; transparent pixels are free.")
    ] = None,
    mix: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Two pictures: change the first into the second.")
    ] = None,
    toward: Annotated[str | None, typer.Option(help="With --picture: change it into this class.")] = None,
    attribute: Annotated[
        str | None,
        typer.Option(help="With --picture: NAME=AMOUNT in standard deviations, such as slant=2; 'list' lists them."),
    ] = None,
    draws: Annotated[int, typer.Option(callback=whole(1, MOST_DRAWS), help="Number of different answers.")] = 4,
    seed: Annotated[int, typer.Option(callback=whole(), help="Same seed, same results.")] = 0,
    out: Annotated[Path | None, typer.Option(parser=path, help="FILE.png or FILE.npz. [edited.png]")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Change a picture with a trained generator: complete, answer a drawing, change class or slant, mix two pictures.

    Example: ganforge edit mnist --picture seven.png --toward 9
    """
    from ganforge.generation.generator import load_generator
    from ganforge.generation.output import Drawing, check_target

    generator = load_generator(run)
    if attribute == "list":
        from ganforge.applications.edit import attributes

        names = list(attributes(generator))
        if as_json:
            print_json({"attributes": names})
        say(", ".join(names), as_json=as_json)
        return
    target = out or Path("edited.png")
    if target.suffix.lower() not in (".png", ".npz"):
        raise UserError(f"--out {target}: write .png (a sheet) or .npz (arrays)")
    check_target(target)
    edited, psnr = _edit(generator, picture, mask, strokes, mix, toward, attribute, draws, seed)
    caption = f"{generator.recipe.name} · seed {seed}"
    Drawing(edited.images, len(edited.images), caption, row_names=[edited.name]).write(target)
    if as_json:
        print_json({"file": str(target), "n": len(edited.images), "psnr": psnr, "seed": seed})
    nearness = "" if psnr is None else f" (nearest picture of the generator: PSNR {psnr:.1f} dB)"
    say(f"{len(edited.images)} pictures -> {target}{nearness}", as_json=as_json)


def _edit(
    generator: "Generator",
    picture: Path | None,
    mask: Path | None,
    strokes: Path | None,
    pair: tuple[Path, Path] | None,
    toward: str | None,
    attribute: str | None,
    draws: int,
    seed: int,
) -> "tuple[Edited, float | None]":
    import torch

    from ganforge.applications import edit as application

    given = {"--picture": picture, "--strokes": strokes, "--mix": pair}
    if len([value for value in given.values() if value is not None]) != 1:
        raise UserError("give one of --picture FILE, --strokes FILE and --mix FILE FILE")
    changes = {"--mask": mask, "--toward": toward, "--attribute": attribute}
    wanted = [flag for flag, value in changes.items() if value is not None]
    if wanted and (picture is None or len(wanted) > 1):
        raise UserError(f"{' and '.join(wanted)}: give one of them, with --picture FILE")
    if pair is not None:
        pictures = torch.cat([_picture(generator, one) for one in pair])
        return application.mix(generator, pictures, seed=seed), None
    if strokes is not None:
        drawing, drawn = _strokes(generator, strokes)
        return application.answer_strokes(generator, drawing, drawn, draws=draws, seed=seed), None
    assert picture is not None
    original = _picture(generator, picture)
    if mask is not None:
        free = _picture(generator, mask)[:, :1]
        return application.complete(generator, original, free, draws=draws, seed=seed), None
    edited, start = application.reconstruct(generator, original, draws=draws, seed=seed)
    if toward is not None:
        edited = application.toward_class(generator, start, toward)
    if attribute is not None:
        name, _, amount = attribute.partition("=")
        edited = application.change_attribute(generator, start, name, _amount(attribute, amount))
    return edited, start.psnr


def _amount(text: str, amount: str) -> float:
    try:
        value = float(amount)
    except ValueError:
        raise UserError(f"--attribute {text}: write NAME=AMOUNT, such as slant=2; 'list' lists the names") from None
    if not -10 <= value <= 10:
        raise UserError(f"--attribute {text}: give an amount from -10 to 10 standard deviations")
    return value


def _picture(generator: "Generator", file: Path) -> "Tensor":
    """Read a picture of the generator's shape, uint8 [1, C, H, W]."""
    from ganforge.data.sources.single_picture import read_picture

    channels, height, width = generator.note["shape"]
    picture = read_picture(file, grey=channels == 1)
    if tuple(picture.shape[2:]) != (height, width):
        size = f"{picture.shape[3]}×{picture.shape[2]}"
        raise UserError(f"{file}: is {size} pixels, and {generator.recipe.name} draws {width}×{height}; scale it first")
    return picture.expand(-1, channels, -1, -1).contiguous()


def _strokes(generator: "Generator", file: Path) -> "tuple[Tensor, Tensor]":
    """Read a drawing and the places that are drawn: those that are not transparent."""
    import numpy as np
    import torch
    from PIL import Image

    drawing = _picture(generator, file)
    with Image.open(file) as image:
        alpha = np.asarray(image.convert("RGBA"))[..., 3].copy()
    drawn = torch.from_numpy(alpha > 127)[None, None]
    if not drawn.any():
        raise UserError(f"{file}: is wholly transparent; draw something, on a transparent ground")
    return drawing, drawn
