"""``ganforge sample`` and ``ganforge write``: draw images with a trained generator."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganforge.commands.completion import complete_run
from ganforge.commands.console import JsonFlag, path, print_json, say
from ganforge.commands.numbers import whole
from ganforge.errors import UserError

if TYPE_CHECKING:
    from ganforge.generation.generator import Generator

LONGEST_TEXT = 1_000
LONGEST_STEM = 100
"""Longest text in bytes that becomes a file name; file systems allow names of 255 bytes."""

Trained = Annotated[
    Path | None,
    typer.Argument(parser=path, help="A run's folder, or a generator.safetensors file.", autocompletion=complete_run),
]
Count = Annotated[
    int | None,
    typer.Option(
        "--n",
        callback=whole(1),
        help="Number of pictures, or of frames with --morph. [64, or ten of each class, a row for each class]",
    ),
]
Labels = Annotated[str | None, typer.Option(help='Names of classes: 0-9, or 3,1,4, or shirt,bag; "a, b" is one name.')]
Digits = Annotated[str | None, typer.Option(help="Draw these digits in one row: 20261122.")]
Morph = Annotated[
    bool,
    typer.Option(
        "--morph",
        help="Interpolate between labels (points between two classes were never trained and may look broken), or "
        "between seeds.",
    ),
]
Codes = Annotated[bool, typer.Option("--codes", help="A sheet with the effect of each code (infogan).")]
Reconstruct = Annotated[
    bool,
    typer.Option(
        "--reconstruct",
        help="Real test images and their reconstructions by an autoencoder or a vae; with --morph, interpolations "
        "between their codes.",
    ),
]
Precision = Annotated[str, typer.Option(help="fp32, or bf16: faster on many processors, some grey levels differ.")]
Out = Annotated[
    Path | None,
    typer.Option(
        parser=path, help="FILE.png (a sheet), .npz (arrays), .webp or .gif (animation), .wav (sounds), or a folder."
    ),
]


def sample(
    run: Trained = None,
    n: Count = None,
    labels: Labels = None,
    digits: Digits = None,
    morph: Morph = False,
    codes: Codes = False,
    reconstruct: Reconstruct = False,
    model: Annotated[str | None, typer.Option(help="Instead of RUN: mnist, shipped with ganforge.")] = None,
    seed: Annotated[int, typer.Option(callback=whole(), help="Same seed, same pictures; any whole number.")] = 0,
    precision: Precision = "fp32",
    out: Out = None,
    as_json: JsonFlag = False,
) -> None:
    """Draw pictures with a trained generator.

    Example: ganforge sample runs/cgan-tutorial-mnist-1 --labels 0-9 --n 100 --out digits.png
    """
    from ganforge.generation.drawings import draw_morph, draw_samples, parse_digits, parse_labels
    from ganforge.generation.generator import load_generator
    from ganforge.generation.output import check_target

    _refuse_conflicts(run, model, n, labels, digits)
    if reconstruct:
        if run is None or labels is not None or digits is not None or codes:
            raise UserError("--reconstruct takes a run's folder; leave out --model, --labels, --digits and --codes")
        _reconstruct(run, n, morph, seed, out, as_json)
        return
    generator = load_generator(run or str(model), precision=precision)  # type: ignore[arg-type]  # it checks the type
    classes = parse_labels(labels, generator) if digits is None else parse_digits(digits, generator)
    folder = Path() if run is None else run if run.is_dir() else run.parent
    if codes:
        if n is not None or classes or morph or (out is not None and out.suffix.lower() != ".png"):
            raise UserError(
                "--codes draws one sheet: leave out --n, --labels, --digits and --morph, and give --out FILE.png"
            )
        _show_codes(generator, seed, out or folder / "codes.png", as_json)
        return
    target = out or folder / ("morph.webp" if morph else "sample.png")
    check_target(target, n, generator.kind)
    drawing = (draw_morph if morph else draw_samples)(generator, n, labels=classes, seed=seed)
    if digits is not None:
        drawing = drawing.in_one_row()
    drawing.write(target)
    if as_json:
        print_json({"file": str(target), "n": len(drawing.images), "seed": seed, "labels": drawing.label_names})
    say(f"{drawing.content} -> {target}{drawing.remark(target)}", as_json=as_json)


def _refuse_conflicts(
    run: Path | None, model: str | None, n: int | None, labels: str | None, digits: str | None
) -> None:
    if (run is None) == (model is None):
        alternative = "not both" if run else "for the generator that ships with ganforge"
        raise UserError(f"give a run's folder, or --model mnist, {alternative}")
    if digits is not None and (labels is not None or n is not None):
        raise UserError("--digits sets classes and number; leave out --labels and --n")


def _show_codes(generator: "Generator", seed: int, target: Path, as_json: bool) -> None:
    from ganforge.files import write_atomically
    from ganforge.generation.grids import png, traversal_grid
    from ganforge.generation.output import check_target

    check_target(target)
    write_atomically(target, png(traversal_grid(generator, seed=seed)))
    if as_json:
        print_json({"file": str(target), "seed": seed})
    say(f"the effect of each code -> {target}", as_json=as_json)


def _reconstruct(run: Path, n: int | None, morph: bool, seed: int, out: Path | None, as_json: bool) -> None:
    from ganforge.applications.reconstruction import STOPS, interleave_rows, load_reconstructor, random_test_images
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.generation.drawings import FRAMES, caption
    from ganforge.generation.output import LARGEST_SHEET, Drawing, check_target

    target = out or run / ("way.webp" if morph else "reconstructions.png")
    if target.suffix.lower() not in (".png", *((".webp", ".gif") if morph else ())):
        raise UserError(
            f"--out {target}: reconstructions are a sheet; name a .png file, or with --morph also .webp or .gif"
        )
    if n is not None and n > LARGEST_SHEET:
        raise UserError(f"--n {n:,} is too many for a sheet: give at most {LARGEST_SHEET:,}")
    check_target(target)
    reconstructor = load_reconstructor(run, TerminalWatcher(as_json=as_json))
    below = caption(reconstructor.generator, seed, "test images")
    reals = random_test_images(reconstructor.splits, STOPS if morph else n, seed).images
    if morph:
        drawing = Drawing(reconstructor.interpolate(reals, FRAMES if n is None else n), 8, below)
    else:
        images, names = interleave_rows(reals, reconstructor.reconstruct(reals), 10)
        drawing = Drawing(images, 10, below, row_names=names)
    drawing.write(target)
    if as_json:
        print_json({"file": str(target), "n": len(drawing.images), "seed": seed})
    content = f"pictures between {len(reals)} test images" if morph else "test images and their reconstructions"
    say(f"{len(drawing.images)} {content} -> {target}", as_json=as_json)


def write(
    text: Annotated[str, typer.Argument(help="The digits to write, as one picture: 20261122.")],
    model: Annotated[str, typer.Option(help="mnist, shipped with ganforge, or the folder of a run.")] = "mnist",
    seed: Annotated[int, typer.Option(callback=whole(), help="Another seed, another handwriting.")] = 0,
    out: Annotated[Path | None, typer.Option(parser=path, help="FILE.png. [TEXT.png, long texts cut]")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write digits in handwriting, as one picture; no training and no data needed.

    Digits that the judge does not read as requested are drawn again.

    Example: ganforge write 20261122
    """
    from ganforge.applications.handwriting import write as write_text
    from ganforge.files import write_atomically
    from ganforge.generation.generator import load_generator
    from ganforge.generation.grids import image_row, png
    from ganforge.generation.output import check_target

    if not text.strip():
        raise UserError("give the digits to write, for example 'ganforge write 20261122'")
    if len(text) > LONGEST_TEXT:
        raise UserError(f"{len(text):,} characters are too many for one picture: write {LONGEST_TEXT:,} at most")
    images, redrawn, unread = write_text(load_generator(model), text, seed=seed)
    target = out or Path(f"{_stem(text)}.png")
    if target.suffix.lower() != ".png":
        raise UserError(f"--out {target}: the picture is a PNG; name a .png file")
    check_target(target)
    write_atomically(target, png(image_row(images)))
    if as_json:
        print_json({"file": str(target), "text": text, "seed": seed, "redrawn": redrawn, "unread": unread})
    retries = f" ({redrawn} drawn again, because the judge could not read them)" if redrawn else ""
    say(f"{text} -> {target}{retries}", as_json=as_json)
    if unread:
        say(f"the judge still misreads {unread} of {len(text)} or is unsure; check them by eye", as_json=as_json)


def _stem(text: str) -> str:
    """Return the text as a file name; a long text becomes its beginning and a few digits of its hash."""
    if len(text.encode()) <= LONGEST_STEM:
        return text
    return f"{text[:20]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
