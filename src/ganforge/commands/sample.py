"""``ganforge sample`` and ``ganforge write``: draw with a trained generator."""

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

    from ganforge.sampling import Generator


LARGEST_SHEET, LARGEST_STOCK = 10_000, 1_000_000
LONGEST_LINE = 1_000
LONGEST_STEM = 100
"""Bytes of a text that still make a file's name; names of 255 bytes are the most that file systems take."""


def sample(
    run: Annotated[
        Path | None, typer.Argument(parser=path, help="A run's folder, or a generator.safetensors of anybody.")
    ] = None,
    n: Annotated[
        int | None,
        typer.Option(
            "--n", help="How many pictures: 64, or ten of each class, and a class is a row; with --morph, frames."
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help='Classes by name: 0-9, or 3,1,4, or shirt,bag; "a, b" is one name.'),
    ] = None,
    digits: Annotated[str | None, typer.Option(help="Draw these digits in one row: 20261122.")] = None,
    morph: Annotated[
        bool,
        typer.Option(
            "--morph",
            help="Turn one picture into the next: labels (what lies between two classes was never trained and may look "
            "broken), or seeds.",
        ),
    ] = False,
    codes: Annotated[bool, typer.Option("--codes", help="A sheet of what each code does (infogan).")] = False,
    reconstruct: Annotated[
        bool,
        typer.Option(
            "--reconstruct",
            help="Real test images, and what an autoencoder or a vae makes of them; with --morph, the way from one to "
            "the next through their codes.",
        ),
    ] = False,
    model: Annotated[str | None, typer.Option(help="Instead of RUN: mnist, which ships with ganforge.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same pictures.")] = 0,
    precision: Annotated[
        str, typer.Option(help="fp32, or bf16: faster on many processors, some grey levels off.")
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
    from ganforge.sampling import load_generator

    if (run is None) == (model is None):
        both = "not both" if run else "for the generator that ships with ganforge"
        raise UserError(f"give a run's folder, or --model mnist, {both}")
    if reconstruct:
        if run is None or labels is not None or digits is not None or codes:
            raise UserError("--reconstruct takes a run's folder, and no --model, --labels, --digits or --codes")
        _reconstruct(run, n, morph, seed, out, as_json)
        return
    if digits is not None and (labels is not None or n is not None):
        raise UserError("--digits says which and how many: give neither --labels nor --n beside it")
    generator = load_generator(run or str(model), precision=precision)  # type: ignore[arg-type]  # it looks itself
    wanted = read_labels(digits if digits is not None else labels, generator, one_by_one=digits is not None)
    folder = Path() if run is None else run if run.is_dir() else run.parent
    if codes:
        if n is not None or wanted or morph or (out is not None and out.suffix.lower() != ".png"):
            raise UserError("--codes draws one sheet: give no --n, --labels, --digits or --morph, and --out FILE.png")
        _show_codes(generator, seed, out or folder / "codes.png", as_json)
        return
    target = out or folder / ("morph.webp" if morph else "sample.png")
    if n is not None and n > LARGEST_STOCK:
        raise UserError(f"--n {n:,}: at most {LARGEST_STOCK:,} a file")
    if n is not None and n > LARGEST_SHEET and target.suffix != ".npz":
        raise UserError(f"--n {n:,} is too much to look at: take --out FILE.npz, or at most {LARGEST_SHEET:,}")
    _ready(target)
    rows: tuple[str, ...] = ()
    if morph:
        seeds = None if wanted else [seed + k for k in range(5)]
        stops = [generator.class_names[number] for number in wanted] if wanted else None
        images = generator.morph(seeds=seeds, labels=stops, frames=32 if n is None else n, seed=seed)
    else:
        if wanted is None and (names := generator.class_names):  # class by class, as many of each as n allows
            wanted = sorted(k % len(names) for k in range(n or 10 * len(names)))
            rows = names if len(wanted) >= len(names) else ()
        names = generator.class_names
        images = generator.sample(n, labels=[names[number] for number in wanted] if wanted else None, seed=seed)
    columns = len(images) if digits is not None else 10 if wanted else 8
    _hand_over(generator, images, wanted, target, seed, as_json, columns=columns, rows=rows)


def _hand_over(
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
    """Write what was drawn and say where it lies; ``rows`` are the names of classes that are a row each of a sheet."""
    import torch

    from ganforge.data.class_names import labels_of
    from ganforge.sampling import class_sheet, image_grid

    caption = f"{generator.recipe.name} · step {generator.note['step']} · seed {seed}"

    def draw() -> "Image":
        if rows:
            return class_sheet(images, torch.tensor(labels), rows, caption=caption)
        return image_grid(images, columns, caption=caption)

    _write(images, labels, target, draw, generator.class_names)
    if as_json:
        named = None if labels is None else labels_of(labels, generator.class_names)
        print_json({"file": str(target), "n": len(images), "seed": seed, "labels": named})
    say(f"{len(images)} pictures -> {target}", as_json=as_json)


def _show_codes(generator: "Generator", seed: int, target: Path, as_json: bool) -> None:
    import torch

    from ganforge.sampling import traversal_grid

    _ready(target)
    picture = traversal_grid(generator, seed=seed)
    _write(torch.empty(0), None, target, lambda: picture)
    if as_json:
        print_json({"file": str(target), "seed": seed})
    say(f"what each code does -> {target}", as_json=as_json)


def _reconstruct(run: Path, n: int | None, morph: bool, seed: int, out: Path | None, as_json: bool) -> None:
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.experiment.reconstruction import STOPS, interleave_rows, load_reconstructor, random_test_images
    from ganforge.sampling import image_grid

    target = out or run / ("way.webp" if morph else "reconstructions.png")
    if target.suffix.lower() not in (".png", *((".webp", ".gif") if morph else ())):
        raise UserError(f"--out {target}: reconstructions are a sheet, .png; with --morph also .webp or .gif")
    if n is not None and n > LARGEST_SHEET:
        raise UserError(f"--n {n:,} is too much to look at: at most {LARGEST_SHEET:,}")
    _ready(target)
    copyist = load_reconstructor(run, TerminalWatcher(as_json=as_json))
    caption = f"{copyist.generator.recipe.name} · step {copyist.generator.note['step']} · test images · seed {seed}"
    reals = random_test_images(copyist.splits, STOPS if morph else n, seed).images
    names: Sequence[str] = ()
    if morph:
        images = copyist.interpolate(reals, 32 if n is None else n)
    else:
        images, names = interleave_rows(reals, copyist.reconstruct(reals), 10)
    columns = 8 if morph else 10
    _write(images, None, target, lambda: image_grid(images, columns, caption=caption, row_names=names))
    if as_json:
        print_json({"file": str(target), "n": len(images), "seed": seed})
    what = f"pictures on the way between {len(reals)} test images" if morph else "test images and their reconstructions"
    say(f"{len(images)} {what} -> {target}", as_json=as_json)


def write(
    text: Annotated[str, typer.Argument(help="What to write: 20261122. One picture comes out.")],
    model: Annotated[str, typer.Option(help="mnist, which ships with ganforge, or the folder of a run.")] = "mnist",
    seed: Annotated[int, typer.Option(help="Another seed, another hand.")] = 0,
    out: Annotated[
        Path | None, typer.Option(parser=path, help="FILE.png; TEXT.png unless given, long texts cut.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write digits in handwriting: one picture, no training and no data needed.

    What the judge of digits does not read as asked is drawn anew.

    Example: ganforge write 20261122
    """
    from ganforge.experiment.handwriting import write as write_text
    from ganforge.sampling import image_row, load_generator

    if len(text) > LONGEST_LINE:
        raise UserError(f"{len(text):,} characters are too many for one picture: write {LONGEST_LINE:,} at most")
    images, redrawn, unread = write_text(load_generator(model), text, seed=seed)
    target = out or Path(f"{_stem(text)}.png")
    if target.suffix.lower() != ".png":
        raise UserError(f"--out {target}: one picture is written, as .png")
    _ready(target)
    _write(images, None, target, lambda: image_row(images))
    if as_json:
        print_json({"file": str(target), "text": text, "seed": seed, "redrawn": redrawn, "unread": unread})
    again = f" ({redrawn} drawn anew, because the judge could not read it)" if redrawn else ""
    say(f"{text} -> {target}{again}", as_json=as_json)
    if unread:
        say(f"the judge still does not surely read {unread} of {len(text)} as asked: look at them", as_json=as_json)


def _stem(text: str) -> str:
    """Name a file after what is written in it; of a long text, its beginning and a few digits of its hash."""
    if len(text.encode()) <= LONGEST_STEM:
        return text
    return f"{text[:20]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def read_labels(text: str | None, generator: "Generator", *, one_by_one: bool) -> list[int] | None:
    """Turn "0-9", "3,1,4" or names of classes (or, one by one, "314") to the numbers of these classes.

    Raises:
        UserError: it cannot be read so, or the generator has no such class.
    """
    from ganforge.data.class_names import parse_classes

    if text is None:
        return None
    if not generator.class_names:
        raise UserError(f"{generator.recipe.name} was trained without labels and cannot be asked for one")
    if one_by_one:
        if not text.isascii() or not text.isdigit():
            raise UserError(f"--digits {text!r}: write digits only, for example --digits 20261122")
        return [number for digit in text for number in parse_classes(digit, generator.class_names, "--digits")]
    return parse_classes(text, generator.class_names)


def _ready(target: Path) -> None:
    """See to it, before anything is drawn, that the pictures can be written; a name without an ending is a folder's."""
    from ganforge.files import ensure_writable

    kind = target.suffix.lower()
    if kind not in ("", ".png", ".npz", ".webp", ".gif"):
        raise UserError(f"--out {target}: write .png (sheet), .npz (arrays), .webp or .gif (animation), or a folder")
    ensure_writable(target if kind else target / "00000.png")


def _write(
    images: "Tensor",
    labels: list[int] | None,
    target: Path,
    draw: Callable[[], "Image"],
    class_names: Sequence[str] = (),
) -> None:
    """Write as the file's ending says: a sheet, arrays, an animation, or a folder of single pictures."""
    from ganforge.files import write_atomically
    from ganforge.sampling import animation, image_grid, png

    kind = target.suffix.lower()
    if not kind:
        for index, image in enumerate(images):
            write_atomically(target / f"{index:05d}.png", png(sheet_of_one(image)))
    elif kind == ".npz":
        write_atomically(target, _npz(images, labels, class_names))
    elif kind == ".png":
        write_atomically(target, png(draw()))
    else:
        frames = [image_grid(image[None], 1, width=224) for image in images]
        write_atomically(target, animation(frames, kind[1:].upper()))


def sheet_of_one(image: "Tensor") -> Any:
    """One picture at its own size, as it is, without gutter or caption."""
    from PIL import Image

    pixels = image.permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def _npz(images: "Tensor", labels: list[int] | None, class_names: Sequence[str]) -> bytes:
    """Pack images and labels: the numbers that name the classes, or numbers from 0 with the names beside them."""
    import io

    import numpy as np

    from ganforge.data.class_names import labels_of

    buffer = io.BytesIO()
    arrays = {"images": images.permute(0, 2, 3, 1).numpy()}
    if labels is not None and len(labels) <= len(images):
        named = labels_of(labels, class_names)
        by_number = all(isinstance(name, int) for name in named)
        arrays["labels"] = np.resize(np.array(named if by_number else labels), len(images))
        arrays |= {} if by_number else {"class_names": np.array(class_names)}
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # NumPy takes any number of named arrays
    return buffer.getvalue()
