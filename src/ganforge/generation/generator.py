"""A trained generator: its file, and drawing images from it."""

import copy
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import torch
from pydantic import BaseModel, Field, ValidationError
from torch import Tensor, nn

from ganforge.data.class_names import listed, number_of, one_form
from ganforge.data.images import scale, unscale
from ganforge.data.kinds import Kind, read_kind
from ganforge.errors import UserError
from ganforge.files import user_path
from ganforge.networks.normalisation import measure_batch_statistics
from ganforge.networks.registry import ImageCondition, build_generator
from ganforge.process_state import plain_state
from ganforge.python_arguments import as_labels, as_number, as_path, as_whole, as_whole_numbers, shown
from ganforge.recipes.reading import parse
from ganforge.recipes.recipe import Recipe
from ganforge.runs.checkpoint import Damaged, read_tensors, write_tensors
from ganforge.training.noise import NoiseSource
from ganforge.training.state import DTYPES, State

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
    condition_channels: int = Field(0, ge=0, le=4096)


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
    def kind(self) -> Kind | None:
        """What the images stand for, if not for pictures: sounds or signals."""
        return read_kind(self.note.get("kind"), self.recipe.name)

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
        dtype = DTYPES[self.recipe.run.precision]
        return NoiseSource(self.recipe, as_whole("seed", seed), self.device, dtype).latent(as_whole("n", n), name)

    @plain_state()
    def translate(
        self, conditions: Tensor, *, draws: int = 1, seed: int = 0, on_progress: Callable[[int], None] | None = None
    ) -> Tensor:
        """Return ``draws`` different results for each condition of an image-to-image generator.

        Args:
            conditions: uint8 [N, C', H, W], as the recipe's pairs have them (`ganforge.data.pairs`).
            draws: number of results for each condition.
            seed: of the latents; the k-th draw is the same for every number of draws.
            on_progress: called after each draw with the number of results just made.

        Returns:
            uint8 [draws, N, C, H, W], on the CPU.

        Raises:
            UserError: the generator is conditioned on no pictures, or the conditions have another shape.
        """
        results = []
        for draw in range(draws):
            results.append(self.result(conditions, seed=seed, name=f"translate {draw}"))
            if on_progress:
                on_progress(len(conditions))
        return torch.stack(results)

    @plain_state()
    def result(self, conditions: Tensor, *, seed: int, name: str) -> Tensor:
        """Return one result uint8 [N, C, H, W] for each condition of `translate`; ``name`` names the latents.

        Raises:
            UserError: as in `translate`.
        """
        expected = (self.note.get("condition_channels", 0), *self.note["shape"][1:])
        if self.recipe.pairs is None:
            raise UserError(f"{self.recipe.name} draws pictures from noise: 'ganforge sample' draws with it")
        if conditions.ndim != 4 or tuple(conditions.shape[1:]) != expected:
            shapes = ["×".join(map(str, shape)) for shape in (tuple(conditions.shape[1:]), expected)]
            raise UserError(f"conditions of {shapes[0]} (channels × height × width): this model needs {shapes[1]}")
        condition = scale(conditions.to(self.device), self.recipe.pixel_range, DTYPES[self.recipe.run.precision])
        return self.draw(self.latent(len(conditions), seed=seed, name=name), condition)

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
        if self.recipe.pairs:
            raise UserError(f"{self.recipe.name} makes pictures from pictures: 'ganforge apply' takes them")
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
        """Return uint8 images [count, C, H, W] of these class indices (int64 [count]), by default of all in turn.

        Raises:
            UserError: the generator is conditioned on pictures.
        """
        if self.recipe.pairs:
            raise UserError(f"{self.recipe.name} makes pictures from pictures: 'ganforge apply' takes them")
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
        latent = torch.stack([great_circle(points[i], points[i + 1], at - i) for i, at in segments])
        class_index = torch.zeros(frames, dtype=torch.int64, device=self.device) if self.class_names else None
        return self.draw(latent, class_index)

    def save(self, path: Path) -> None:
        """Write weights and metadata, from which `load_generator` rebuilds it; the same run gives the same bytes."""
        write_tensors(path, dict(self.module.state_dict()), self.note)


def great_circle(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Return the point at ``t`` in 0..1 on the great circle from latent a [D] to b [D]: its length stays typical."""
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


SHIPPED = Path(__file__).parents[1] / "models"
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
    try:
        return Generator(*load_module(file, _build, device), precision)
    except UserError:
        if file.suffix.lower() == ".safetensors":
            raise
        raise UserError(f"{path} is no generator file (.safetensors); give one, or a run's folder") from None


def _build(recipe: Recipe, note: Note) -> nn.Module:
    condition = ImageCondition(note.condition_channels, recipe.pairs.consistency()) if recipe.pairs else None
    classes = recipe.condition_classes(len(note.class_names))
    drawn = recipe.data.clusters > 0
    return build_generator(
        recipe.generator, recipe.latent.dim, note.shape, classes, drawn=drawn, image_condition=condition
    )


def load_module(
    file: Path, build: Callable[[Recipe, Note], nn.Module], device: str | torch.device = "cpu"
) -> tuple[nn.Module, Recipe, dict[str, Any]]:
    """Load a network with its recipe and metadata, from which ``build`` makes it.

    Raises:
        UserError: the file is damaged or holds another kind of network.
    """
    try:
        tensors, note = read_tensors(file)
        metadata = Note.model_validate(note)
        recipe = parse(note["recipe"], f"{file}")
        module = build(recipe, metadata)
        module.to(device, DTYPES[recipe.run.precision]).load_state_dict(tensors)
    except ValidationError as invalid:
        entry = ".".join(map(str, invalid.errors()[0]["loc"]))
        raise UserError(f"{file} cannot be used: its metadata is damaged at {entry}") from None
    except (Damaged, KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error) if isinstance(error, Damaged) else "its weights do not fit its recipe"
        raise UserError(f"{file} cannot be used: {reason}") from None
    return module.eval().requires_grad_(False), recipe, note
