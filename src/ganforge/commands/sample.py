"""``ganforge sample`` and ``ganforge write``: draw images with a trained generator."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganforge.commands.console import JsonFlag, path, print_json, say
from ganforge.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from ganforge.generation.generator import Generator


LARGEST_SHEET, LARGEST_FILE = 10_000, 1_000_000
LONGEST_TEXT = 1_000
LONGEST_STEM = 100
"""Longest text in bytes that becomes a file name; file systems allow names of 255 bytes."""


def sample(
    run: Annotated[
        Path | None, typer.Argument(parser=path, help="A run's folder, or a generator.safetensors file.")
    ] = None,
    n: Annotated[
        int | None,
        typer.Option(
            "--n",
            help="Number of pictures, or of frames with --morph. [64, or ten of each class, a row for each class]",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help='Names of classes: 0-9, or 3,1,4, or shirt,bag; "a, b" is one name.'),
    ] = None,
    digits: Annotated[str | None, typer.Option(help="Draw these digits in one row: 20261122.")] = None,
    morph: Annotated[
        bool,
        typer.Option(
            "--morph",
            help="Interpolate between labels (points between two classes were never trained and may look broken), or "
            "between seeds.",
        ),
    ] = False,
    codes: Annotated[bool, typer.Option("--codes", help="A sheet with the effect of each code (infogan).")] = False,
    reconstruct: Annotated[
        bool,
        typer.Option(
            "--reconstruct",
            help="Real test images and their reconstructions by an autoencoder or a vae; with --morph, interpolations "
            "between their codes.",
        ),
    ] = False,
    model: Annotated[str | None, typer.Option(help="Instead of RUN: mnist, shipped with ganforge.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same pictures.")] = 0,
    precision: Annotated[
        str, typer.Option(help="fp32, or bf16: faster on many processors, some grey levels differ.")
    ] = "fp32",
    out: Annotated[
        Path | None,
        typer.Option(parser=path, help="FILE.png (a sheet), .npz (arrays), .webp or .gif (animation), or a folder."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Draw pictures with a trained generator.

    Example: ganforge sample runs/cgan-tutorial-mnist-1 --labels 0-9 --n 100 --out digits.png
    """
    from ganforge.generation.generator import load_generator

    if (run is None) == (model is None):
        alternative = "not both" if run else "for the generator that ships with ganforge"
        raise UserError(f"give a run's folder, or --model mnist, {alternative}")
    if reconstruct:
        if run is None or labels is not None or digits is not None or codes:
            raise UserError("--reconstruct takes a run's folder; leave out --model, --labels, --digits and --codes")
        _reconstruct(run, n, morph, seed, out, as_json)
        return
    if digits is not None and (labels is not None or n is not None):
        raise UserError("--digits sets classes and number; leave out --labels and --n")
    generator = load_generator(run or str(model), precision=precision)  # type: ignore[arg-type]  # it checks the type
    class_indices = read_labels(digits if digits is not None else labels, generator, one_by_one=digits is not None)
    folder = Path() if run is None else run if run.is_dir() else run.parent
    if codes:
        if n is not None or class_indices or morph or (out is not None and out.suffix.lower() != ".png"):
            raise UserError(
                "--codes draws one sheet: leave out --n, --labels, --digits and --morph, and give --out FILE.png"
            )
        _show_codes(generator, seed, out or folder / "codes.png", as_json)
        return
    target = out or folder / ("morph.webp" if morph else "sample.png")
    if n is not None and n > LARGEST_FILE:
        raise UserError(f"--n {n:,}: give at most {LARGEST_FILE:,} for a file")
    if n is not None and n > LARGEST_SHEET and target.suffix != ".npz":
        raise UserError(f"--n {n:,} is too many for a sheet: give --out FILE.npz, or at most {LARGEST_SHEET:,}")
    _check_target(target)
    rows: tuple[str, ...] = ()
    if morph:
        seeds = None if class_indices else [seed + k for k in range(5)]
        labels_to_visit = [generator.class_names[number] for number in class_indices] if class_indices else None
        images = generator.morph(seeds=seeds, labels=labels_to_visit, frames=32 if n is None else n, seed=seed)
    else:
        if class_indices is None and (names := generator.class_names):  # in order of the classes, equally many of each
            class_indices = sorted(k % len(names) for k in range(n or 10 * len(names)))
            rows = names if len(class_indices) >= len(names) else ()
        names = generator.class_names
        images = generator.sample(
            n, labels=[names[number] for number in class_indices] if class_indices else None, seed=seed
        )
    columns = len(images) if digits is not None else 10 if class_indices else 8
    _write_and_report(generator, images, class_indices, target, seed, as_json, columns=columns, rows=rows)


def _write_and_report(
    generator: "Generator",
    images: "Tensor",
    labels: list[int] | None,
    target: Path,
    seed: int,
    as_json: bool,
    *,
    columns: int,
    rows: Sequence[str] = (),
) -> None:
    """Write the images and print the file; ``rows`` are the names of the classes, one for each row of the sheet."""
    import torch

    from ganforge.data.class_names import labels_of
    from ganforge.generation.grids import class_sheet, image_grid

    caption = f"{generator.recipe.name} · step {generator.note['step']} · seed {seed}"

    def draw() -> "Image":
        if rows:
            return class_sheet(images, torch.tensor(labels), rows, caption=caption)
        return image_grid(images, columns, caption=caption)

    _write(images, labels, target, draw, generator.class_names)
    if as_json:
        names = None if labels is None else labels_of(labels, generator.class_names)
        print_json({"file": str(target), "n": len(images), "seed": seed, "labels": names})
    say(f"{len(images)} pictures -> {target}", as_json=as_json)


def _show_codes(generator: "Generator", seed: int, target: Path, as_json: bool) -> None:
    import torch

    from ganforge.generation.grids import traversal_grid

    _check_target(target)
    picture = traversal_grid(generator, seed=seed)
    _write(torch.empty(0), None, target, lambda: picture)
    if as_json:
        print_json({"file": str(target), "seed": seed})
    say(f"the effect of each code -> {target}", as_json=as_json)


def _reconstruct(run: Path, n: int | None, morph: bool, seed: int, out: Path | None, as_json: bool) -> None:
    from ganforge.applications.reconstruction import STOPS, interleave_rows, load_reconstructor, random_test_images
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.generation.grids import image_grid

    target = out or run / ("way.webp" if morph else "reconstructions.png")
    if target.suffix.lower() not in (".png", *((".webp", ".gif") if morph else ())):
        raise UserError(
            f"--out {target}: reconstructions are a sheet; name a .png file, or with --morph also .webp or .gif"
        )
    if n is not None and n > LARGEST_SHEET:
        raise UserError(f"--n {n:,} is too many for a sheet: give at most {LARGEST_SHEET:,}")
    _check_target(target)
    reconstructor = load_reconstructor(run, TerminalWatcher(as_json=as_json))
    generator = reconstructor.generator
    caption = f"{generator.recipe.name} · step {generator.note['step']} · test images · seed {seed}"
    reals = random_test_images(reconstructor.splits, STOPS if morph else n, seed).images
    names: Sequence[str] = ()
    if morph:
        images = reconstructor.interpolate(reals, 32 if n is None else n)
    else:
        images, names = interleave_rows(reals, reconstructor.reconstruct(reals), 10)
    columns = 8 if morph else 10
    _write(images, None, target, lambda: image_grid(images, columns, caption=caption, row_names=names))
    if as_json:
        print_json({"file": str(target), "n": len(images), "seed": seed})
    content = f"pictures between {len(reals)} test images" if morph else "test images and their reconstructions"
    say(f"{len(images)} {content} -> {target}", as_json=as_json)


def write(
    text: Annotated[str, typer.Argument(help="The digits to write, as one picture: 20261122.")],
    model: Annotated[str, typer.Option(help="mnist, shipped with ganforge, or the folder of a run.")] = "mnist",
    seed: Annotated[int, typer.Option(help="Another seed, another handwriting.")] = 0,
    out: Annotated[Path | None, typer.Option(parser=path, help="FILE.png. [TEXT.png, long texts cut]")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write digits in handwriting, as one picture; no training and no data needed.

    Digits that the judge does not read as requested are drawn again.

    Example: ganforge write 20261122
    """
    from ganforge.applications.handwriting import write as write_text
    from ganforge.generation.generator import load_generator
    from ganforge.generation.grids import image_row

    if len(text) > LONGEST_TEXT:
        raise UserError(f"{len(text):,} characters are too many for one picture: write {LONGEST_TEXT:,} at most")
    images, redrawn, unread = write_text(load_generator(model), text, seed=seed)
    target = out or Path(f"{_stem(text)}.png")
    if target.suffix.lower() != ".png":
        raise UserError(f"--out {target}: the picture is a PNG; name a .png file")
    _check_target(target)
    _write(images, None, target, lambda: image_row(images))
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


def read_labels(text: str | None, generator: "Generator", *, one_by_one: bool) -> list[int] | None:
    """Return the class indices of "0-9", "3,1,4" or names of classes (or, with ``one_by_one``, of "314").

    Raises:
        UserError: the text is malformed, or the generator has no such class.
    """
    from ganforge.data.class_names import parse_classes

    if text is None:
        return None
    if not generator.class_names:
        raise UserError(f"{generator.recipe.name} was trained without labels: leave out --labels and --digits")
    if one_by_one:
        if not text.isascii() or not text.isdigit():
            raise UserError(f"--digits {text!r}: write digits only, for example --digits 20261122")
        return [number for digit in text for number in parse_classes(digit, generator.class_names, "--digits")]
    return parse_classes(text, generator.class_names)


def _check_target(target: Path) -> None:
    """Check, before anything is drawn, that the pictures can be written; a name without an ending is a folder."""
    from ganforge.files import ensure_writable

    ending = target.suffix.lower()
    if ending not in ("", ".png", ".npz", ".webp", ".gif"):
        raise UserError(f"--out {target}: write .png (sheet), .npz (arrays), .webp or .gif (animation), or a folder")
    ensure_writable(target if ending else target / "00000.png")


def _write(
    images: "Tensor",
    labels: list[int] | None,
    target: Path,
    draw: Callable[[], "Image"],
    class_names: Sequence[str] = (),
) -> None:
    """Write a sheet, arrays, an animation, or a folder of single pictures, by the ending of the file."""
    from ganforge.files import write_atomically
    from ganforge.generation.grids import animation, image_grid, png

    ending = target.suffix.lower()
    if not ending:
        for index, image in enumerate(images):
            write_atomically(target / f"{index:05d}.png", png(sheet_of_one(image)))
    elif ending == ".npz":
        write_atomically(target, _npz(images, labels, class_names))
    elif ending == ".png":
        write_atomically(target, png(draw()))
    else:
        frames = [image_grid(image[None], 1, width=224) for image in images]
        write_atomically(target, animation(frames, ending[1:].upper()))


def sheet_of_one(image: "Tensor") -> Any:
    """Return one picture at its own size, without margin or caption."""
    from PIL import Image

    pixels = image.permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def _npz(images: "Tensor", labels: list[int] | None, class_names: Sequence[str]) -> bytes:
    """Pack images and labels as .npz: numeric class names as labels, other classes as indices into ``class_names``."""
    import io

    import numpy as np

    from ganforge.data.class_names import labels_of

    buffer = io.BytesIO()
    arrays = {"images": images.permute(0, 2, 3, 1).numpy()}
    if labels is not None and len(labels) <= len(images):
        names = labels_of(labels, class_names)
        by_number = all(isinstance(name, int) for name in names)
        arrays["labels"] = np.resize(np.array(names if by_number else labels), len(images))
        arrays |= {} if by_number else {"class_names": np.array(class_names)}
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # NumPy takes any number of named arrays
    return buffer.getvalue()
