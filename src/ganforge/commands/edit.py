"""``ganforge edit``: change a picture with any trained generator, without further training."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from ganforge.commands.completion import complete_run
from ganforge.commands.console import JsonFlag, path, print_json, say
from ganforge.commands.numbers import MOST_DRAWS, counted, whole
from ganforge.errors import UserError
from ganforge.files import refuse_replacing, user_path

if TYPE_CHECKING:
    from ganforge.applications.edit import Edited, Start
    from ganforge.generation.generator import Generator

    Search = Callable[[], tuple[Edited, float | None]]


class EditCommand(TyperCommand):
    """The command's parser, in which ``--attribute`` may stand alone: it then lists the attributes."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; an ``--attribute`` without a value gets the value ``list``."""
        with_values: list[str] = []
        for word, following in pairwise([*args, "--"]):
            with_values += [word, "list"] if word == "--attribute" and following.startswith("--") else [word]
        return super().parse_args(ctx, with_values)


def edit(
    run: Annotated[
        str,
        typer.Argument(help="A run's folder, a generator.safetensors file, or mnist.", autocompletion=complete_run),
    ],
    picture: Annotated[Path | None, typer.Option(parser=path, help="The picture to start from.")] = None,
    mask: Annotated[
        Path | None, typer.Option(parser=path, help="With --picture: free pixels are white, or transparent.")
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
        typer.Option(
            help="With --picture: NAME=AMOUNT in standard deviations, such as slant=2; alone: lists the names."
        ),
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
    from ganforge.generation.grids import short_name
    from ganforge.generation.output import Drawing, check_target

    generator = load_generator(run)
    if generator.recipe.pairs:
        raise UserError(f"{generator.recipe.name} makes pictures from pictures: 'ganforge apply' takes them")
    if attribute == "list":
        _list_attributes(generator, as_json)
        return
    target = out or Path("edited.png")
    if target.suffix.lower() not in (".png", ".npz"):
        raise UserError(f"--out {target}: write .png (a sheet) or .npz (arrays)")
    search = _search(generator, picture, mask, strokes, mix, toward, attribute, draws, seed)
    check_target(target)
    refuse_replacing([target], (picture, mask, strokes, *(mix or ())))
    edited, psnr = search()
    caption = f"{generator.recipe.name} · seed {seed}"
    files = ", ".join(short_name(file.stem) for file in (picture, strokes, *(mix or ())) if file)
    Drawing(edited.images, len(edited.images), caption, row_names=[f"{files}: {edited.name}"]).write(target)
    if as_json:
        print_json({"file": str(target), "n": len(edited.images), "psnr": psnr, "seed": seed})
    nearness = "" if psnr is None else f" (nearest picture of the generator: PSNR {psnr:.1f} dB)"
    say(f"{counted(len(edited.images), 'picture')} -> {target}{nearness}", as_json=as_json)


def _list_attributes(generator: "Generator", as_json: bool) -> None:
    from ganforge.applications.edit import USABLE, attribute_names

    names = attribute_names(generator)
    if as_json:
        print_json({"attributes": list(names)})
    for name, meaning in names.items():
        say(f"{name}=-{USABLE}..{USABLE}  {meaning}", as_json=as_json)


def _search(
    generator: "Generator",
    picture: Path | None,
    mask: Path | None,
    strokes: Path | None,
    pair: tuple[Path, Path] | None,
    toward: str | None,
    attribute: str | None,
    draws: int,
    seed: int,
) -> "Search":
    """Check what the user wants, read the pictures, and return the search that follows."""
    import torch

    from ganforge.applications import edit as application
    from ganforge.applications.edit_pictures import read_drawing, read_for, read_free

    _refuse_conflicts({"--picture": picture, "--strokes": strokes, "--mix": pair}, picture, mask, toward, attribute)
    if pair is not None:
        pictures = torch.cat([read_for(generator, user_path(one)) for one in pair])
        return lambda: (application.mix(generator, pictures, seed=seed), None)
    if strokes is not None:
        drawing, drawn = read_drawing(generator, strokes)
        return lambda: (application.answer_strokes(generator, drawing, drawn, draws=draws, seed=seed), None)
    assert picture is not None
    original = read_for(generator, picture)
    if mask is not None:
        free = read_free(generator, mask)
        return lambda: (application.complete(generator, original, free, draws=draws, seed=seed), None)
    change = _change(generator, toward, attribute)

    def search() -> "tuple[Edited, float | None]":
        edited, start = application.reconstruct(generator, original, draws=draws, seed=seed)
        return change(start) if change else edited, start.psnr

    return search


def _refuse_conflicts(
    given: Mapping[str, object], picture: Path | None, mask: Path | None, toward: str | None, attribute: str | None
) -> None:
    starts = [flag for flag, value in given.items() if value is not None]
    changes = {"--mask": mask, "--toward": toward, "--attribute": attribute}
    wanted = [flag for flag, value in changes.items() if value is not None]
    if wanted and not starts:
        raise UserError(f"{' and '.join(wanted)}: needs --picture FILE, the picture to change")
    if len(starts) != 1:
        raise UserError(
            "give one of --picture FILE, --strokes FILE and --mix FILE FILE; '--attribute' alone lists attributes"
        )
    if wanted and (picture is None or len(wanted) > 1):
        raise UserError(f"{' and '.join(wanted)}: give one of them, with --picture FILE")


def _change(generator: "Generator", toward: str | None, attribute: str | None) -> "Callable[[Start], Edited] | None":
    """Return the change of class or of an attribute, both checked."""
    from ganforge.applications import edit as application

    if toward is not None:
        number = application.class_number(generator, toward)
        return lambda start: application.toward_class(generator, start, number)
    if attribute is not None:
        name, _, text = attribute.partition("=")
        amount = _amount(attribute, text)
        direction = application.direction_of(generator, name)
        return lambda start: application.change_along(generator, start, direction, amount, name)
    return None


def _amount(text: str, amount: str) -> float:
    try:
        value = float(amount)
    except ValueError:
        raise UserError(f"--attribute {text}: write NAME=AMOUNT, as slant=2; '--attribute' alone lists names") from None
    if not -10 <= value <= 10:
        raise UserError(f"--attribute {text}: give an amount from -10 to 10 standard deviations")
    return value
