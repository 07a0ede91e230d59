"""Pictures from a trained generator: what to draw, and how to lay it out."""

import copy
import io
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from pydantic import BaseModel, Field, ValidationError
from torch import Tensor, nn

from ganforge.ambient import plain_state
from ganforge.arguments import as_labels, as_number, as_path, as_whole, as_whole_numbers, shown
from ganforge.data.class_names import listed, number_of, one_form
from ganforge.data.images import unscale
from ganforge.errors import UserError
from ganforge.files import user_path
from ganforge.networks.normalisation import measure_batch_statistics
from ganforge.networks.registry import build_generator
from ganforge.recipes.reading import parse
from ganforge.recipes.recipe import Recipe
from ganforge.runs.checkpoint import Damaged, read_tensors, write_tensors
from ganforge.training.noise import NoiseSource
from ganforge.training.state import DTYPES, State

GUTTER = 64
"""The grey between the pictures of a sheet."""

TRUNCATION = 0.8
"""How far latents lie from the middle when something is written, as a part of how far they lay in training."""

Side = Annotated[int, Field(ge=1, le=4096)]
Precision = Literal["fp32", "bf16"]
BLOCK = 250
"""Images drawn at once: as fast as more of them, little enough for any memory."""


class Note(BaseModel):
    """What must stand beside the weights of a net for others to use it."""

    recipe: dict[str, Any]
    shape: tuple[Side, Side, Side]
    class_names: list[str]
    data: str
    step: int
    fingerprint: str = ""


@dataclass(frozen=True)
class Generator:
    """A generator ready to draw: its weights are fixed, and no image depends on the others of its batch.

    Attributes:
        note: what is written beside the weights: recipe, shape, class names, data, seed, step, ``weights``.
        precision: in which numbers it draws. "fp32" gives the same pictures everywhere, to the last grey level but one;
            "bf16" is several times as fast on processors with units for it, slower on others, and a few levels off.
    """

    module: nn.Module
    recipe: Recipe
    note: dict[str, Any]
    precision: Precision = "fp32"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes it can be asked for; empty where it takes no labels."""
        return tuple(self.note["class_names"]) if self.recipe.conditional else ()

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.module.parameters()).device

    @plain_state()
    @torch.no_grad()
    def draw(self, latent: Tensor, condition: Tensor | None = None) -> Tensor:
        """Turn latents [N, latent_dim] into uint8 images [N, C, H, W] on the CPU."""
        conditions = [None] * len(latent) if condition is None else condition.split(BLOCK)
        with torch.autocast(latent.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            pairs = zip(latent.split(BLOCK), conditions, strict=False)
            return torch.cat([unscale(self.module(z, c), self.recipe.pixel_range).cpu() for z, c in pairs])

    def latent(self, n: int, *, seed: int = 0, name: str = "sample") -> Tensor:
        """Return ``n`` latents, the same for the same n, seed, name and kind of device."""
        dtype = DTYPES[self.recipe.precision]
        return NoiseSource(self.recipe, as_whole("seed", seed), self.device, dtype).latent(as_whole("n", n), name)

    @plain_state()
    def write(self, text: str, *, seed: int = 0, calm: float = TRUNCATION, attempt: int = 0) -> Tensor:
        """Return uint8 images [len(text), C, H, W], one for each character, a class of that name.

        Latents are drawn closer to the middle than in training (``calm`` times as far): plainer hands, fewer slips
        ("truncation trick", Brock et al. 2019, section 3.1). Another ``attempt`` draws other latents for the same seed.

        Raises:
            UserError: the generator takes no labels, or has no class of some character's name.
        """
        if not isinstance(text, str):
            raise UserError(f"cannot write {shown(text)}: give text, such as '2026'")
        if not self.class_names:
            raise UserError(f"{self.recipe.name} was trained without labels and cannot be asked for a character")
        known = {one_form(name).casefold(): index for index, name in enumerate(self.class_names)}
        text = one_form(text).casefold()
        missing = next((character for character in text if character not in known), None)
        if missing is not None or not text:
            raise UserError(f"cannot write {missing or text!r}: of classes {listed(self.class_names)}")
        labels = torch.tensor([known[character] for character in text], device=self.device)
        name = f"write {attempt}" if attempt else "write"
        latent = self.latent(len(text), seed=seed, name=name)
        return self.draw(self.recipe.latent.truncate(latent, as_number("calm", calm)), labels)

    @plain_state()
    def sample(self, n: int | None = None, *, labels: Sequence[int | str] | None = None, seed: int = 0) -> Tensor:
        """Return uint8 images [N, C, H, W]: one for each label, or ``n`` (64) whose labels go round the classes.

        A label is the name of a class; where no class is named by a number, also a number from 0.

        Raises:
            UserError: labels asked of a generator that takes none, a label that is not a class, a count that differs.
        """
        n = None if n is None else as_whole("n", n)
        labels = None if labels is None else as_labels("labels", labels)
        if (labels is not None and len(labels) == 0) or (n is not None and n < 1):
            raise UserError("ask for at least one picture")
        if labels is not None and not self.class_names:
            raise UserError(f"{self.recipe.name} was trained without labels and cannot be asked for one")
        if labels is not None and n is not None and n != len(labels):
            labels = [labels[i % len(labels)] for i in range(n)]
        count = n or (len(labels) if labels is not None else 64)
        numbers = None if labels is None else torch.tensor([number_of(label, self.class_names) for label in labels])
        return self.sample_classes(count, numbers, seed=seed)

    def sample_classes(self, count: int, numbers: Tensor | None = None, *, seed: int = 0) -> Tensor:
        """Return uint8 images [count, C, H, W] of the classes of these numbers (int64 [count]), or of all in turn."""
        if not self.class_names:
            return self.draw(self.latent(count, seed=seed))
        wanted = torch.arange(count) % len(self.class_names) if numbers is None else numbers
        return self.draw(self.latent(count, seed=seed), wanted.to(self.device))

    @plain_state()
    def morph(
        self,
        *,
        seeds: Sequence[int] | None = None,
        labels: Sequence[int | str] | None = None,
        frames: int = 16,
        seed: int = 0,
    ) -> Tensor:
        """Return uint8 images [frames, C, H, W] on the way from one picture to the next, and so on.

        Between seeds the latent travels on a great circle (its length stays that of a drawn latent); between labels
        the latent stays and the class weights blend, so one handwriting goes from digit to digit. No recipe trains
        what lies between two classes: pictures halfway may be broken.
        """
        frames = as_whole("frames", frames)
        labels = None if labels is None else as_labels("labels", labels)
        seeds = None if seeds is None else as_whole_numbers("seeds", seeds)
        stops = labels if labels is not None else seeds
        if stops is None or len(stops) < 2 or frames < 2:
            raise UserError("a morph needs at least two seeds or two labels, and at least two frames")
        way = torch.linspace(0, len(stops) - 1, frames, dtype=torch.float64)
        legs = list(zip(way.floor().clamp(max=len(stops) - 2).long().tolist(), way.tolist(), strict=True))
        if labels is not None:
            if not self.class_names:
                raise UserError(f"{self.recipe.name} was trained without labels: morph between seeds instead")
            numbers = torch.tensor([number_of(label, self.class_names) for label in labels])
            rows = torch.eye(len(self.class_names), device=self.device)[numbers]
            condition = torch.stack([torch.lerp(rows[i], rows[i + 1], at - i) for i, at in legs])
            return self.draw(self.latent(1, seed=seed).expand(frames, -1), condition)
        points = [self.latent(1, seed=int(stop))[0] for stop in stops]
        latent = torch.stack([_great_circle(points[i], points[i + 1], at - i) for i, at in legs])
        fixed = torch.zeros(frames, dtype=torch.int64, device=self.device) if self.class_names else None
        return self.draw(latent, fixed)

    def save(self, path: Path) -> None:
        """Write the weights with everything that is needed to draw with them; the same run gives the same bytes."""
        write_tensors(path, dict(self.module.state_dict()), self.note)


def _great_circle(a: Tensor, b: Tensor, t: float) -> Tensor:
    cosine = torch.dot(a, b) / (a.norm() * b.norm())
    angle = torch.acos(cosine.clamp(-1, 1))
    if angle < 1e-4:
        return torch.lerp(a, b, t)
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


def freeze_for_sampling(
    state: State,
    recipe: Recipe,
    draws: NoiseSource,
    note: dict[str, Any],
    *,
    batches: int = 20,
    latents: Callable[[int], Tensor] | None = None,
) -> Generator:
    """Copy the generator (its average, where there is one) and fix its batch statistics on so many fixed batches.

    ``latents``: the k-th of them, where it was not trained on latents that are drawn.
    """
    module = copy.deepcopy(state.generator.published).requires_grad_(False)
    classes = len(note["class_names"])

    def run(index: int) -> None:
        z = latents(index) if latents else draws.latent(recipe.batch_size, "statistics", index)
        labels = torch.arange(recipe.batch_size, device=z.device) % classes if recipe.conditional else None
        module(z, labels)

    measure_batch_statistics(module, run, batches)
    weights = "ema" if state.generator.ema is not None else "raw"
    return Generator(module, recipe, {**note, "step": state.step, "weights": weights, "recipe": recipe.to_dict()})


SHIPPED = Path(__file__).parent / "models"
"""Trained generators that come with the package, by name; each has a card beside it."""


@plain_state()
def load_generator(
    path: str | os.PathLike[str], device: str | torch.device = "cpu", precision: Precision = "fp32"
) -> Generator:
    """Read a generator from its file, from the folder of a run, or by the name of one that ships with ganforge.

    Raises:
        UserError: there is none, or it is damaged.
    """
    if precision not in get_args(Precision):
        raise UserError(f"precision {precision!r} is not known: {' or '.join(get_args(Precision))}")
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(str(device).partition(":")[0]):
        raise UserError(f"device {device}: this machine has {', '.join(name for name, here in there.items() if here)}")
    path = user_path(as_path("generator", path))
    file = path / "generator.safetensors" if path.is_dir() else path
    if not file.exists() and (shipped := SHIPPED / f"{path}.safetensors").exists():
        file = shipped
    if not file.exists():
        where = f"{path} has no generator.safetensors" if path.is_dir() else f"{path} does not exist"
        names = ", ".join(sorted(f.stem for f in SHIPPED.glob("*.safetensors")))
        raise UserError(
            f"{where}: give a run's folder ('ganforge runs' lists them), a generator file, or one that ships: {names}"
        )
    return Generator(*load_module(file, _build, device), precision)


def _build(recipe: Recipe, shape: tuple[int, int, int], classes: int) -> nn.Module:
    return build_generator(recipe.generator, recipe.latent.dim, shape, classes, drawn=recipe.data.clusters > 0)


def load_module(
    file: Path, build: Callable[[Recipe, tuple[int, int, int], int], nn.Module], device: str | torch.device = "cpu"
) -> tuple[nn.Module, Recipe, dict[str, Any]]:
    """Read a published net with its recipe and its note; ``build`` makes it of recipe, image shape and classes.

    Raises:
        UserError: the file is damaged, or of something else.
    """
    try:
        tensors, note = read_tensors(file)
        Note.model_validate(note)
        recipe = parse(note["recipe"], f"{file}")
        channels, height, width = note["shape"]
        module = build(recipe, (channels, height, width), recipe.condition_classes(len(note["class_names"])))
        module.to(device, DTYPES[recipe.precision]).load_state_dict(tensors)
    except ValidationError as invalid:
        entry = ".".join(map(str, invalid.errors()[0]["loc"]))
        raise UserError(f"{file} cannot be used: its note is damaged at {entry}") from None
    except (Damaged, KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error) if isinstance(error, Damaged) else "its weights and its recipe do not fit together"
        raise UserError(f"{file} cannot be used: {reason}") from None
    return module.eval().requires_grad_(False), recipe, note


def image_grid(
    images: Tensor, columns: int, *, caption: str = "", width: int = 640, row_names: Sequence[str] = ()
) -> Image.Image:
    """Lay uint8 images [N, C, H, W] out in rows with gutters, enlarged by whole pixels, never blurred.

    ``row_names`` stand to the left of their rows.
    """
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
    font = ImageFont.load_default(size=13)
    margin = int(max((font.getlength(name) for name in row_names), default=-8)) + 8
    band = 20 if caption else 0
    if margin or band:
        ground = GUTTER if picture.mode == "L" else (GUTTER,) * 3
        white = 255 if picture.mode == "L" else (255,) * 3
        across = max(picture.width + margin, math.ceil(font.getlength(caption)) + 8)
        whole = Image.new(picture.mode, (across, picture.height + band), ground)
        whole.paste(picture, (margin, 0))
        text = ImageDraw.Draw(whole)
        for row, name in enumerate(row_names):
            text.text((4, row * cell_h + gutter + height * factor // 2), name, fill=white, font=font, anchor="lm")
        text.text((4, picture.height + 1), caption, fill=white, font=font)
        picture = whole
    return picture


REACH = 2.0
"""How far a sheet of codes goes: they are drawn from -1..1 in training, what lies beyond shows where a code leads."""


def traversal_grid(generator: Generator, *, columns: int = 10, seed: int = 0) -> Image.Image:
    """Show what each code of a latent does, in blocks: nothing but that code changes within one.

    A categorical code has a row for each of its values, and in every column another noise; a uniform code goes from
    left to right, from -2 to 2, in five rows of another noise and another category each.

    Raises:
        UserError: the latent has no codes.
    """
    codes, latents, names = generator.recipe.codes, [], []
    if not codes.width:
        raise UserError(f"{generator.recipe.name} has no codes in its latent; infogan has")
    if generator.class_names:
        raise UserError(f"{generator.recipe.name} draws what its label says; a sheet of codes is of a recipe without")
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
    return image_grid(generator.draw(torch.cat(latents)), columns, caption=caption, row_names=names)


def class_sheet(images: Tensor, labels: Tensor, class_names: Sequence[str], *, caption: str = "") -> Image.Image:
    """Lay uint8 images [N, C, H, W] out in a row for each class, its name to the left; rows may differ in length.

    ``labels`` is int64 [N]; a class without any image has no row.
    """
    there = labels.unique().tolist()
    rows = [images[labels == label] for label in there]
    columns = max(map(len, rows))
    cells = images.new_full((len(rows), columns, *images.shape[1:]), GUTTER)
    for cell, row in zip(cells, rows, strict=True):
        cell[: len(row)] = row
    names = [class_names[label] for label in there]
    return image_grid(cells.flatten(0, 1), columns, caption=caption, width=64 * min(columns, 10), row_names=names)


def image_row(images: Tensor, *, height: int = 112) -> Image.Image:
    """Set uint8 images [N, C, H, W] side by side as one line of writing; grey ones as dark ink on white paper."""
    n, channels, side, across = images.shape
    factor = max(1, height // side)
    pixels = images.permute(2, 0, 3, 1).reshape(side, n * across, channels).numpy()
    pixels = pixels.repeat(factor, 0).repeat(factor, 1)
    return Image.fromarray(255 - pixels[..., 0] if channels == 1 else pixels)


def png(picture: Image.Image, *, compress_level: int = 6) -> bytes:
    """Encode a picture as PNG; ``compress_level`` goes from 0, quick and large, to 9."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=compress_level)
    return buffer.getvalue()


def animation(
    frames: Iterator[Image.Image] | Sequence[Image.Image], kind: str = "WEBP", *, seconds: float = 0.12
) -> bytes:
    """Encode pictures as a looping animation that stays two seconds on its last frame; ``kind`` is WEBP or GIF.

    Neighbours that are equal become one frame of the file, which stays as long as they would have together.
    """
    first, *others = list(frames)
    durations = [int(seconds * 1000)] * len(others) + [2000]
    buffer = io.BytesIO()
    options: dict[str, Any] = {"quality": 70} if kind == "WEBP" else {}
    first.save(buffer, kind, save_all=True, append_images=others, duration=durations, loop=0, **options)
    return buffer.getvalue()
