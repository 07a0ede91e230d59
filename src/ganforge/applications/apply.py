"""Pictures from pictures: a trained image-to-image generator applied to a user's own pictures."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganforge.data.pairs import Downsampling, GivenPairs, Greying, Masking, NextFrame, PairRule, enlarged, luma, masked
from ganforge.data.sources.pictures_to_apply import SHEET, NamedPictures, read_masks, read_pictures
from ganforge.errors import UserError
from ganforge.evaluation.baselines import simple_results
from ganforge.files import ensure_writable, refuse_replacing, user_path, write_atomically
from ganforge.generation.generator import Generator
from ganforge.generation.grids import image_grid, png, short_name
from ganforge.generation.output import single_picture

RECIPES = ("enlarge-4x", "enlarge-7x", "complete", "colour", "repair", "own-pairs", "next-frame")
"""The built-in recipes that make pictures from pictures."""
Counting = Callable[[str, int], Callable[[int], None]]
"""Begins a phase of work, in words, with its amount; its answer takes the amounts just done."""
ON_SHEET, DRAWS_ON_SHEET, CELL = 16, 8, 144
"""Pictures and results of each on the sheet at most, and the width of one in pixels at most."""


@dataclass(frozen=True)
class Results:
    """Results for a user's pictures.

    Attributes:
        given: the pictures as the model sees them, uint8 [N, C, H, W].
        draws: uint8 [P, N, C, H, W], the P results for each picture.
        simple: the best known method without a trained network, its name and its results for the pictures on the sheet;
            None where there is none.
        names: a name for each picture, after which its files are named.
        caption: the text below the sheet.
    """

    given: Tensor
    draws: Tensor
    simple: tuple[str, Tensor] | None
    names: Sequence[str]
    caption: str

    def sheet(self) -> Image.Image:
        """Return a sheet, a row for each picture: given, our results, and what a user would get without them."""
        count = min(ON_SHEET, self.draws.shape[1])
        columns = {"given": _seen(self.given, self.draws.shape[2])}
        columns |= {f"result {k + 1}": draw for k, draw in enumerate(self.draws[:DRAWS_ON_SHEET])}
        if self.simple:
            columns[self.simple[0]] = self.simple[1]
        return image_grid(
            torch.stack([column[:count] for column in columns.values()], 1).flatten(0, 1),
            len(columns),
            caption=self.caption,
            width=CELL * len(columns),
            row_names=[short_name(name) for name in self.names[:count]],
            column_names=list(columns),
        )

    def arrays(self) -> bytes:
        """Return an .npz file: ``images`` uint8 [N, P, H, W, C], and ``given`` uint8 [N, H, W, C]."""
        buffer = io.BytesIO()
        given = self.given.permute(0, 2, 3, 1).numpy()
        np.savez_compressed(buffer, images=self.draws.permute(1, 0, 3, 4, 2).numpy(), given=given)
        return buffer.getvalue()

    def write(self, target: Path) -> list[Path]:
        """Write a sheet (.png), arrays (.npz), or a folder with every result and the sheet; return the files.

        Raises:
            RunFailed: a file could not be written.
        """
        if target.suffix.lower() == ".npz":
            write_atomically(target, self.arrays())
            return [target]
        if target.suffix.lower() == ".png":
            write_atomically(target, png(self.sheet()))
            return [target]
        *files, sheet = result_files(target, self.names, len(self.draws))
        for file, picture in zip(files, self.draws.flatten(0, 1), strict=True):
            write_atomically(file, png(single_picture(picture)))
        write_atomically(sheet, png(self.sheet()))
        return [*files, sheet]


def apply(
    generator: Generator,
    pictures: Any,
    *,
    mask: Any = None,
    draws: int = 1,
    seed: int = 0,
    target: Path | None = None,
    counting: Counting | None = None,
) -> Results:
    """Apply an image-to-image generator to pictures.

    Args:
        generator: of a recipe with ``[pairs]``.
        pictures: a picture file, or whatever ``ganforge train --data`` takes: a folder, a zip, an .npz, arrays. They
            are of the kind that the model gets in training: small, grey, damaged; of the size that it knows.
        mask: for a model that completes pictures: a picture file or arrays of the same size, white where pixels are
            missing; one for all pictures, or one for each.
        draws: number of results for each picture.
        seed: of the latents.
        target: where the results will be written; checked when the input is known to be right, before any result.
        counting: called with the work in words and the number of results; its answer is called after each draw with the
            number of results just made.

    Raises:
        UserError: the generator takes no pictures, these pictures or masks are of another kind or size, or ``target``
            cannot be written or would replace one of them.
    """
    rule = generator.recipe.pairs
    if rule is None:
        raise UserError(
            f"{generator.recipe.name} draws pictures from noise, and 'apply' needs the run of a recipe with [pairs]: "
            f"{', '.join(RECIPES)}; 'ganforge edit' changes pictures with this generator"
        )
    if draws < 1:
        raise UserError(f"--draws {draws}: must be 1 or more")
    height, width = _side_lengths(rule, generator)
    given = read_pictures(pictures, wanted=f"{width}×{height}, which {generator.recipe.name} takes")
    _refuse_other_sizes(rule, given, generator)
    _refuse_other_colours(rule, given, generator)
    images = given.images
    if isinstance(rule, GivenPairs):
        images = enlarged(images, generator.note["shape"][1] // images.shape[2])
    condition = _completion(images, mask) if isinstance(rule, Masking) else rule.condition_of(images)
    if mask is not None and not isinstance(rule, Masking):
        raise UserError(f"--mask {mask}: belongs to models that complete pictures, as {generator.recipe.name} does not")
    if target is not None:
        check_target(target)
        refuse_replacing(result_files(target, given.names, draws), (pictures, mask))
    simple = next(iter(simple_results(rule, condition[:ON_SHEET]).items()), None)
    caption = f"{generator.recipe.name} · step {generator.note['step']} · seed {seed}"
    on_progress = counting("making results", draws * len(condition)) if counting else None
    results = generator.translate(condition, draws=draws, seed=seed, on_progress=on_progress)
    return Results(rule.visible(condition), results, simple, given.names, caption)


def result_files(target: Path, names: Sequence[str], draws: int) -> list[Path]:
    """Return the files that results are written to: one file, or all results of each draw, and the sheet."""
    if target.suffix:
        return [target]
    suffixes = [f"-{k + 1}" for k in range(draws)] if draws > 1 else [""]
    return [*(target / f"{name}{suffix}.png" for suffix in suffixes for name in names), target / f"{SHEET}.png"]


def check_target(target: Path) -> None:
    """Check, before anything is computed, that results can be written there.

    Raises:
        UserError: another ending than .png, .npz or none, or no permission.
    """
    ending = target.suffix.lower()
    if ending not in ("", ".png", ".npz"):
        raise UserError(f"--out {target}: write .png (a sheet), .npz (arrays), or a folder (every picture and a sheet)")
    ensure_writable(target if ending else target / f"{SHEET}.png")


def _completion(images: Tensor, mask: Any) -> Tensor:
    if mask is None:
        raise UserError(
            "a model that completes pictures needs --mask FILE: white, or transparent, where pixels are missing"
        )
    masks = _masks(mask)
    if masks.shape[2:] != images.shape[2:] or len(masks) not in (1, len(images)):
        raise UserError(
            f"--mask {mask if isinstance(mask, str | Path) else ''}: {len(masks)} of {_size(masks)}, and the pictures "
            f"are {len(images)} of {_size(images)}; give one mask of that size, or one for each picture"
        )
    return masked(images, masks.expand(len(images), -1, -1, -1))


def _masks(mask: Any) -> Tensor:
    """Return masks uint8 [N, 1, H, W], 255 where pixels are missing."""
    if isinstance(mask, str | Path) and not user_path(mask).exists():
        raise UserError(f"--mask {mask}: there is no such file; give a picture of the size of the others")
    return read_masks(mask).to(torch.uint8) * 255


def _side_lengths(rule: PairRule, generator: Generator) -> tuple[int, int]:
    """Return height and width of the pictures that the generator takes."""
    height, width = generator.note["shape"][1:]
    factor = rule.factor if isinstance(rule, Downsampling) else 1
    return height // factor, width // factor


def _refuse_other_sizes(rule: PairRule, given: NamedPictures, generator: Generator) -> None:
    height, width = _side_lengths(rule, generator)
    across, down = given.images.shape[3], given.images.shape[2]
    if isinstance(rule, Downsampling) and (down, across) == tuple(generator.note["shape"][1:]):
        raise UserError(
            f"{given.where}: the picture already has the size of results, {across}×{down}; give one of "
            f"{width}×{height}, which {generator.recipe.name} enlarges"
        )
    smaller = isinstance(rule, GivenPairs) and height * across == width * down and height % down == 0
    if (down, across) != (height, width) and not smaller:
        raise UserError(
            f"{given.where}: pictures of {across}×{down} pixels, and {generator.recipe.name} takes "
            f"{width}×{height}; scale or cut them to that size first"
        )


def _refuse_other_colours(rule: PairRule, given: NamedPictures, generator: Generator) -> None:
    """Refuse colour for a grey model, and grey for a colour model; a model that colours takes both."""
    if isinstance(rule, NextFrame):
        return
    if given.images.shape[1] not in (1, 3):
        raise UserError(f"{given.where}: holds pairs or clips; give single pictures, such as those of a folder input/")
    if isinstance(rule, Greying):
        return
    channels = generator.note["condition_channels"] - isinstance(rule, Masking)
    if given.images.shape[1] != channels:
        kinds = {1: "grey", 3: "in colour"}
        other = "convert them to grey" if channels == 1 else "give pictures in colour"
        raise UserError(
            f"{given.where}: pictures {kinds[given.images.shape[1]]}{_example_in_colour(given)}, and those that "
            f"{generator.recipe.name} learned are {kinds.get(channels, f'of {channels} channels')}; {other}, or train "
            "the recipe on such pictures"
        )


def _example_in_colour(given: NamedPictures) -> str:
    """Name the first picture in colour among several."""
    coloured = (given.images != given.images[:, :1]).flatten(1).any(1)
    if len(coloured) == 1 or not coloured.any():
        return ""
    return f", as {given.names[int(coloured.int().argmax())]}"


def _seen(images: Tensor, channels: int) -> Tensor:
    """Return pictures with the 1 or 3 channels of a sheet: grey ones repeated, colour ones as their luma."""
    if images.shape[1] == 1 and channels == 3:
        return images.expand(-1, 3, -1, -1)
    return luma(images) if images.shape[1] == 3 and channels == 1 else images


def _size(images: Tensor) -> str:
    return f"{images.shape[3]}×{images.shape[2]}"
