"""Sampling from a trained generator: images, image grids, PNG files and animations."""

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
"""Grey level between the images of a grid."""

TRUNCATION = 0.8
"""Distance of a latent from its mean in `Generator.write`, as a fraction of the distance in training."""

Side = Annotated[int, Field(ge=1, le=4096)]
Precision = Literal["fp32", "bf16"]
BLOCK = 250
"""Images per forward pass: larger blocks are no faster, and 250 images fit into any memory."""


class Note(BaseModel):
    """Metadata of a weights file, from which the network can be rebuilt."""

    recipe: dict[str, Any]
    shape: tuple[Side, Side, Side]
    class_names: list[str]
    data: str
    step: int
    fingerprint: str = ""


@dataclass(frozen=True)
class Generator:
    """A trained generator with fixed weights; no image depends on the others of its batch.

    Attributes:
        note: metadata of the weights file: recipe, shape, class names, data, seed, step, ``weights``.
        precision: number format of the forward pass. "fp32" gives the same images on every machine, to within one grey
            level. "bf16" is several times as fast on processors with bfloat16 units and slower on others; its images
            differ by a few grey levels.
    """

    module: nn.Module
    recipe: Recipe
    note: dict[str, Any]
    precision: Precision = "fp32"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes of a conditional generator; empty for an unconditional one."""
        return tuple(self.note["class_names"]) if self.recipe.conditional else ()

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.module.parameters()).device

    @plain_state()
    @torch.no_grad()
    def draw(self, latent: Tensor, condition: Tensor | None = None) -> Tensor:
        """Generate uint8 images [N, C, H, W] on the CPU from latents [N, latent_dim]."""
        conditions = [None] * len(latent) if condition is None else condition.split(BLOCK)
        with torch.autocast(latent.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            pairs = zip(latent.split(BLOCK), conditions, strict=False)
            return torch.cat([unscale(self.module(z, c), self.recipe.pixel_range).cpu() for z, c in pairs])

    def latent(self, n: int, *, seed: int = 0, name: str = "sample") -> Tensor:
        """Return ``n`` latents; n, seed, name and device type determine them."""
        dtype = DTYPES[self.recipe.precision]
        return NoiseSource(self.recipe, as_whole("seed", seed), self.device, dtype).latent(as_whole("n", n), name)

    @plain_state()
    def write(self, text: str, *, seed: int = 0, calm: float = TRUNCATION, attempt: int = 0) -> Tensor:
        """Return uint8 images [len(text), C, H, W]: one per character, of the class with that name.

        The distance of a latent from its mean is multiplied by ``calm``, for plainer handwriting with fewer errors
        ("truncation trick", Brock et al. 2019, section 3.1). Each ``attempt`` has its own latents for the same seed.

        Raises:
            UserError: the generator takes no labels, the text is empty, or a character is not a class name.
        """
        if not isinstance(text, str):
            raise UserError(f"cannot write {shown(text)}: give text, such as '2026'")
        if not self.class_names:
            raise UserError(f"{self.recipe.name} was trained without labels and cannot write: give a conditional one")
        index_of = {one_form(name).casefold(): index for index, name in enumerate(self.class_names)}
        text = one_form(text).casefold()
        missing = next((character for character in text if character not in index_of), None)
        if missing is not None or not text:
            raise UserError(f"cannot write {missing or text!r}: it is no class name; {listed(self.class_names)}")
        labels = torch.tensor([index_of[character] for character in text], device=self.device)
        name = f"write {attempt}" if attempt else "write"
        latent = self.latent(len(text), seed=seed, name=name)
        return self.draw(self.recipe.latent.truncate(latent, as_number("calm", calm)), labels)

    @plain_state()
    def sample(self, n: int | None = None, *, labels: Sequence[int | str] | None = None, seed: int = 0) -> Tensor:
        """Return ``n`` uint8 images [N, C, H, W], cycling through labels or classes; default one per label, else 64.

        A label is a class name, or a class index from 0 where no class name is a number.

        Raises:
            UserError: the generator takes no labels, a label is not a class, or no image is requested.
        """
        n = None if n is None else as_whole("n", n)
        labels = None if labels is None else as_labels("labels", labels)
        if (labels is not None and len(labels) == 0) or (n is not None and n < 1):
            raise UserError("sample: no image requested; give n >= 1 or at least one label")
        if labels is not None and not self.class_names:
            raise UserError(f"{self.recipe.name} was trained without labels: leave out the labels")
        if labels is not None and n is not None and n != len(labels):
            labels = [labels[i % len(labels)] for i in range(n)]
        count = n or (len(labels) if labels is not None else 64)
        indices = None if labels is None else torch.tensor([number_of(label, self.class_names) for label in labels])
        return self.sample_classes(count, indices, seed=seed)

    def sample_classes(self, count: int, numbers: Tensor | None = None, *, seed: int = 0) -> Tensor:
        """Return uint8 images [count, C, H, W] of these class indices (int64 [count]), by default of all in turn."""
        if not self.class_names:
            return self.draw(self.latent(count, seed=seed))
        labels = torch.arange(count) % len(self.class_names) if numbers is None else numbers
        return self.draw(self.latent(count, seed=seed), labels.to(self.device))

    @plain_state()
    def morph(
        self,
        *,
        seeds: Sequence[int] | None = None,
        labels: Sequence[int | str] | None = None,
        frames: int = 16,
        seed: int = 0,
    ) -> Tensor:
        """Return uint8 images [frames, C, H, W] that interpolate between seeds or labels, one after the other.

        Between seeds the latent moves on a great circle, so that its length stays typical. Between labels the
        latent is fixed and the one-hot class vectors are interpolated, so that one handwriting passes from digit to
        digit. No recipe trains on mixed classes: images halfway between two labels may be broken.

        Raises:
            UserError: fewer than two seeds, labels or frames, or labels for a generator that takes none.
        """
        frames = as_whole("frames", frames)
        labels = None if labels is None else as_labels("labels", labels)
        seeds = None if seeds is None else as_whole_numbers("seeds", seeds)
        stops = labels if labels is not None else seeds
        if stops is None or len(stops) < 2 or frames < 2:
            raise UserError("morph needs at least two seeds or two labels, and at least two frames")
        positions = torch.linspace(0, len(stops) - 1, frames, dtype=torch.float64)
        starts = positions.floor().clamp(max=len(stops) - 2).long()
        segments = list(zip(starts.tolist(), positions.tolist(), strict=True))
        if labels is not None:
            if not self.class_names:
                raise UserError(f"{self.recipe.name} was trained without labels: morph between seeds instead")
            indices = torch.tensor([number_of(label, self.class_names) for label in labels])
            one_hot = torch.eye(len(self.class_names), device=self.device)[indices]
            condition = torch.stack([torch.lerp(one_hot[i], one_hot[i + 1], at - i) for i, at in segments])
            return self.draw(self.latent(1, seed=seed).expand(frames, -1), condition)
        points = [self.latent(1, seed=int(stop))[0] for stop in stops]
        latent = torch.stack([_great_circle(points[i], points[i + 1], at - i) for i, at in segments])
        class_index = torch.zeros(frames, dtype=torch.int64, device=self.device) if self.class_names else None
        return self.draw(latent, class_index)

    def save(self, path: Path) -> None:
        """Write weights and metadata, from which `load_generator` rebuilds it; the same run gives the same bytes."""
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
    """Copy the generator (or its EMA) and measure its batch-norm statistics on ``batches`` fixed batches.

    ``latents`` returns the k-th batch of latents for a generator that was not trained on random noise.
    """
    module = copy.deepcopy(state.generator.published).requires_grad_(False)
    classes = len(note["class_names"])

    def run_batch(index: int) -> None:
        z = latents(index) if latents else draws.latent(recipe.batch_size, "statistics", index)
        labels = torch.arange(recipe.batch_size, device=z.device) % classes if recipe.conditional else None
        module(z, labels)

    measure_batch_statistics(module, run_batch, batches)
    weights = "ema" if state.generator.ema is not None else "raw"
    return Generator(module, recipe, {**note, "step": state.step, "weights": weights, "recipe": recipe.to_dict()})


SHIPPED = Path(__file__).parent / "models"
"""Folder of the generators that come with the package; each has a model card."""


@plain_state()
def load_generator(
    path: str | os.PathLike[str], device: str | torch.device = "cpu", precision: Precision = "fp32"
) -> Generator:
    """Load a generator from its file, from a run folder, or by the name of one that comes with ganforge.

    Raises:
        UserError: the generator is missing or damaged, or this machine lacks the device.
    """
    if precision not in get_args(Precision):
        raise UserError(f"precision {precision!r} is unknown: use {' or '.join(get_args(Precision))}")
    devices = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not devices.get(str(device).partition(":")[0]):
        raise UserError(f"device {device}: this machine has {', '.join(name for name, on in devices.items() if on)}")
    path = user_path(as_path("generator", path))
    file = path / "generator.safetensors" if path.is_dir() else path
    if not file.exists() and (shipped := SHIPPED / f"{path}.safetensors").exists():
        file = shipped
    if not file.exists():
        where = f"{path} has no generator.safetensors" if path.is_dir() else f"{path} does not exist"
        names = ", ".join(sorted(f.stem for f in SHIPPED.glob("*.safetensors")))
        raise UserError(
            f"{where}: give a run folder ('ganforge runs' lists them), a generator file, or a shipped name: {names}"
        )
    return Generator(*load_module(file, _build, device), precision)


def _build(recipe: Recipe, shape: tuple[int, int, int], classes: int) -> nn.Module:
    return build_generator(recipe.generator, recipe.latent.dim, shape, classes, drawn=recipe.data.clusters > 0)


def load_module(
    file: Path, build: Callable[[Recipe, tuple[int, int, int], int], nn.Module], device: str | torch.device = "cpu"
) -> tuple[nn.Module, Recipe, dict[str, Any]]:
    """Load a network with its recipe and metadata; ``build`` makes it from recipe, image shape and class count.

    Raises:
        UserError: the file is damaged or holds another kind of network.
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
        raise UserError(f"{file} cannot be used: its metadata is damaged at {entry}") from None
    except (Damaged, KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error) if isinstance(error, Damaged) else "its weights do not fit its recipe"
        raise UserError(f"{file} cannot be used: {reason}") from None
    return module.eval().requires_grad_(False), recipe, note


def image_grid(
    images: Tensor, columns: int, *, caption: str = "", width: int = 640, row_names: Sequence[str] = ()
) -> Image.Image:
    """Arrange uint8 images [N, C, H, W] in rows with gutters, enlarged by a whole factor without interpolation.

    ``row_names`` appear to the left of their rows.
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
    return image_grid(generator.draw(torch.cat(latents)), columns, caption=caption, row_names=names)


def class_sheet(images: Tensor, labels: Tensor, class_names: Sequence[str], *, caption: str = "") -> Image.Image:
    """Arrange uint8 images [N, C, H, W] in one row per class, with its name to the left; rows may differ in length.

    ``labels`` is int64 [N]; a class without images has no row.
    """
    present = labels.unique().tolist()
    rows = [images[labels == label] for label in present]
    columns = max(map(len, rows))
    cells = images.new_full((len(rows), columns, *images.shape[1:]), GUTTER)
    for cell, row in zip(cells, rows, strict=True):
        cell[: len(row)] = row
    names = [class_names[label] for label in present]
    return image_grid(cells.flatten(0, 1), columns, caption=caption, width=64 * min(columns, 10), row_names=names)


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


def animation(
    frames: Iterator[Image.Image] | Sequence[Image.Image], kind: str = "WEBP", *, seconds: float = 0.12
) -> bytes:
    """Encode images as a looping animation whose last frame stays for two seconds; ``kind`` is WEBP or GIF.

    Equal consecutive images become one frame of the file, shown for the sum of their durations.
    """
    first, *others = list(frames)
    durations = [int(seconds * 1000)] * len(others) + [2000]
    buffer = io.BytesIO()
    options: dict[str, Any] = {"quality": 70} if kind == "WEBP" else {}
    first.save(buffer, kind, save_all=True, append_images=others, duration=durations, loop=0, **options)
    return buffer.getvalue()
