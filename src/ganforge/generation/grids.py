"""Image grids, rows of writing, PNG files and animations."""

import io
import math
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ganforge.data.images import ImageSet
from ganforge.data.kinds import Kind, Signals
from ganforge.data.pairs import Pair, PairRule
from ganforge.errors import UserError
from ganforge.generation.generator import Generator
from ganforge.generation.plots import as_pictures

GUTTER = 64
"""Grey level between the images of a grid."""
CONTACTS = 100
"""Largest number of images on a contact sheet."""
BAND = 20
"""Height in pixels of the lines above and below a grid."""
FRAME_MILLISECONDS, LAST_MILLISECONDS = 120, 2000


def image_grid(
    images: Tensor,
    columns: int,
    *,
    caption: str = "",
    width: int = 640,
    row_names: Sequence[str] = (),
    column_names: Sequence[str] = (),
    kind: Kind | None = None,
) -> Image.Image:
    """Arrange uint8 images [N, C, H, W] in rows with gutters, enlarged by a whole factor without interpolation.

    ``row_names`` appear to the left of their rows, ``column_names`` above their columns; signals (``kind``) appear as
    curves.
    """
    images = as_pictures(images, kind)
    n, channels, height, across = images.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    factor = max(1, width // (columns * across))
    gutter = max(2, factor)
    cell_h, cell_w = height * factor + gutter, across * factor + gutter
    canvas = np.full((rows * cell_h + gutter, columns * cell_w + gutter, channels), GUTTER, np.uint8)
    enlarged = images.permute(0, 2, 3, 1).numpy().repeat(factor, 1).repeat(factor, 2)
    for index, image in enumerate(enlarged):
        top, left = (index // columns) * cell_h + gutter, (index % columns) * cell_w + gutter
        canvas[top : top + height * factor, left : left + across * factor] = image
    picture = Image.fromarray(canvas[..., 0] if channels == 1 else canvas)
    if caption or row_names or column_names:
        middles = [gutter + row * cell_h + height * factor // 2 for row in range(rows)]
        centres = [gutter + column * cell_w + across * factor // 2 for column in range(columns)]
        beside, above = zip(row_names, middles, strict=False), zip(column_names, centres, strict=False)
        picture = _inscribed(picture, caption, list(beside), list(above))
    return picture


def _inscribed(
    picture: Image.Image,
    caption: str,
    beside: Sequence[tuple[str, int]],
    above: Sequence[tuple[str, int]],
) -> Image.Image:
    """Return a picture with a caption below, and with names beside its rows and above its columns.

    A name comes with the pixel of the picture at which the middle of its row or column is.
    """
    font = ImageFont.load_default(size=13)
    margin = int(max((font.getlength(name) for name, _ in beside), default=-8)) + 8
    header, footer = BAND if above else 0, BAND if caption else 0
    ground, white = (shade if picture.mode == "L" else (shade,) * 3 for shade in (GUTTER, 255))
    across = max(picture.width + margin, math.ceil(font.getlength(caption)) + 8)
    whole = Image.new(picture.mode, (across, picture.height + header + footer), ground)
    whole.paste(picture, (margin, header))
    text = ImageDraw.Draw(whole)
    for name, middle in beside:
        text.text((4, header + middle), name, fill=white, font=font, anchor="lm")
    for name, centre in above:
        text.text((margin + centre, header - 4), name, fill=white, font=font, anchor="ms")
    text.text((4, header + picture.height + 1), caption, fill=white, font=font)
    return whole


def short_name(name: str, length: int = 24) -> str:
    """Return the name of a file for a sheet: at most ``length`` characters, cut in the middle where it is longer.

    The font of a sheet has the letters of ASCII alone: accents are left out, and other letters become "?".
    """
    letters = [letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter)]
    plain = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in letters)
    if len(plain) <= length:
        return plain
    end = (length - 1) // 2
    return f"{plain[: length - 1 - end]}…{plain[-end:]}"


REACH = 2.0
"""Largest value of a uniform code in a traversal; training uses -1..1, and values beyond exaggerate its effect."""


def traversal_grid(generator: Generator, *, columns: int = 10, seed: int = 0) -> Image.Image:
    """Show the effect of each latent code (InfoGAN) in a block of rows where only that code changes.

    A categorical code has one row per value and one noise vector per column. A uniform code rises from -2 at the left
    to 2 at the right, in five rows; each has its own noise vector and category.

    Raises:
        UserError: the latent has no codes.
    """
    codes, latents, names = generator.recipe.codes, [], []
    if not codes.width:
        raise UserError(f"{generator.recipe.name} has no codes in its latent: give a run of 'infogan'")
    if generator.class_names:
        raise UserError(f"{generator.recipe.name} takes labels: a traversal of codes needs a recipe without labels")
    noise = generator.latent(columns, seed=seed, name="codes")
    start = noise.shape[1] - codes.width
    for number, width in enumerate(codes.categorical):
        for value in range(width):
            rows = noise.clone()
            rows[:, start : start + width] = 0
            rows[:, start + value] = 1
            latents.append(rows)
            names.append(f"code {number + 1} = {value}")
        start += width
    for number in range(codes.uniform):
        for row in noise[:5]:
            rows = row.repeat(columns, 1)
            rows[:, start + number] = torch.linspace(-REACH, REACH, columns)
            latents.append(rows)
            names.append(f"code {len(codes.categorical) + number + 1}: -2 to 2")
    caption = f"{generator.recipe.name} · only the code named changes · seed {seed}"
    drawn = generator.draw(torch.cat(latents))
    return image_grid(drawn, columns, caption=caption, row_names=names, kind=generator.kind)


def pair_sheet(pair: Pair, generator: Generator, rule: PairRule, *, draws: int = 3, caption: str = "") -> Image.Image:
    """Show conditions, ``draws`` results for each, and the true pictures, one row each."""
    channels = pair.target.shape[1]
    given = rule.visible(pair.condition)
    if given.shape[1] != channels:  # another kind of picture: its first channel in grey
        given = given[:, :1].expand(-1, channels, -1, -1)
    rows = [given, *generator.translate(pair.condition, draws=draws), pair.target]
    names = ["given", *(f"result {draw + 1}" for draw in range(draws)), "true"]
    return image_grid(torch.cat(rows), len(pair.target), caption=caption, row_names=names)


def class_sheet(
    images: Tensor, labels: Tensor, class_names: Sequence[str], *, caption: str = "", kind: Kind | None = None
) -> Image.Image:
    """Arrange uint8 images [N, C, H, W] in one row per class, with its name to the left; rows may differ in length.

    ``labels`` is int64 [N]; a class without images has no row.
    """
    images = as_pictures(images, kind)
    present = labels.unique().tolist()
    rows = [images[labels == label] for label in present]
    columns = max(map(len, rows))
    cells = images.new_full((len(rows), columns, *images.shape[1:]), GUTTER)
    for cell, row in zip(cells, rows, strict=True):
        cell[: len(row)] = row
    names = [class_names[label] for label in present]
    return image_grid(cells.flatten(0, 1), columns, caption=caption, width=64 * min(columns, 10), row_names=names)


def contact_sheet(images: ImageSet) -> Image.Image:
    """Show up to 100 images of a data set, spread evenly over it and sorted by class, ten in each row."""
    if images.shape[0] not in (1, 3) and not isinstance(images.kind, Signals):
        return _clip_sheet(images)
    indices = torch.linspace(0, len(images) - 1, min(CONTACTS, len(images))).long()
    if images.labelled:
        indices = indices[images.labels[indices].argsort(stable=True)]
    caption = f"{images.name}: {len(indices)} of {len(images):,}"
    return image_grid(images.gather(indices), 10, caption=caption, kind=images.kind)


def _clip_sheet(images: ImageSet) -> Image.Image:
    """Show up to ten clips or pairs, whose channels are those of several pictures, a row each, in grey."""
    rows = images.gather(torch.linspace(0, len(images) - 1, min(10, len(images))).long())
    caption = f"{images.name}: {len(rows)} of {len(images):,}, the channels of each in a row"
    return image_grid(rows.flatten(0, 1)[:, None], images.shape[0], caption=caption)


def image_row(images: Tensor, *, height: int = 112) -> Image.Image:
    """Join uint8 images [N, C, H, W] to one line of writing; grey images are inverted, dark ink on white paper."""
    n, channels, side, across = images.shape
    factor = max(1, height // side)
    pixels = images.permute(2, 0, 3, 1).reshape(side, n * across, channels).numpy()
    pixels = pixels.repeat(factor, 0).repeat(factor, 1)
    return Image.fromarray(255 - pixels[..., 0] if channels == 1 else pixels)


def png(picture: Image.Image, *, compress_level: int = 6) -> bytes:
    """Encode an image as PNG; ``compress_level`` goes from 0 (fast, large) to 9 (slow, small)."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=compress_level)
    return buffer.getvalue()


def animation(frames: Sequence[Image.Image], kind: str = "WEBP") -> bytes:
    """Encode images as a looping animation whose last frame stays for two seconds; ``kind`` is WEBP or GIF.

    Equal consecutive images become one frame of the file, shown for the sum of their durations.
    """
    first, *others = frames
    durations = [FRAME_MILLISECONDS] * len(others) + [LAST_MILLISECONDS]
    buffer = io.BytesIO()
    options: dict[str, Any] = {"quality": 70} if kind == "WEBP" else {}
    first.save(buffer, kind, save_all=True, append_images=others, duration=durations, loop=0, **options)
    return buffer.getvalue()
