"""Hooks of a run: log, sample sheets, evolution frames; and what a run saves. No hook changes the state."""

import math
from collections.abc import Callable

import torch
from PIL import Image

from ganforge.data.images import scale, unscale
from ganforge.experiment.experiment import Experiment
from ganforge.experiment.trainer import save_state
from ganforge.files import write_atomically
from ganforge.generation.grids import animation, image_grid, pair_sheet, png, traversal_grid
from ganforge.runs.log import append_line
from ganforge.training.log_schedule import is_mark, is_sheet_epoch
from ganforge.training.nonfinite import Diverged
from ganforge.training.state import State
from ganforge.training.stats import Stats

EVOLUTION_COLUMNS = 6
MOST_ROWS = 26
"""Largest number of classes on a sheet, one in each row."""


def read(stats: Stats) -> dict[str, float]:
    """Copy the statistics of a step from the device, in one transfer."""
    values = torch.stack([value.float() for value in stats.values()]).tolist()
    return dict(zip(stats, values, strict=True))


class LogHook:
    """Logs statistics every ``log_every`` steps, and more often at first; raises `Diverged` if one is not finite."""

    def __init__(self, experiment: Experiment, seconds: Callable[[], float]) -> None:
        self._experiment, self._seconds = experiment, seconds

    def __call__(self, state: State, stats: Stats) -> None:
        """Log the step, if it is due."""
        if state.step % self._experiment.recipe.run.log_every and not is_mark(state.step):
            return
        values = read(stats)
        if not all(math.isfinite(value) for value in values.values()):
            raise Diverged
        line = {
            "step": state.step,
            "epoch": round(state.step / self._experiment.steps_per_epoch, 3),
            "images_seen": state.images_seen,
            "seconds": round(self._seconds(), 3),
        }
        append_line(self._experiment.folder.log, line | values)


class SheetHook:
    """Draws a sheet from fresh noise after the same epochs as the tutorials."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment

    def __call__(self, state: State, stats: Stats) -> None:
        """Draw a sheet at the end of an epoch that has one."""
        epochs, rest = divmod(state.step, self._experiment.steps_per_epoch)
        if rest == 0 and is_sheet_epoch(epochs - 1):
            self._draw(state, f"epoch-{epochs - 1:03d}.png")

    def final(self, state: State) -> None:
        """Draw the last sheet, unless the run ended with one."""
        epochs, rest = divmod(state.step, self._experiment.steps_per_epoch)
        if rest or not is_sheet_epoch(epochs - 1):
            self._draw(state, f"step-{state.step:06d}.png")

    def _draw(self, state: State, file: str) -> None:
        """Write a sheet: one row of fakes, or a row for each class, or fakes below real images as in the tutorial."""
        experiment = self._experiment
        recipe, columns = experiment.recipe, experiment.recipe.run.sheet_columns
        generator = experiment.freeze_for_sampling(state)
        epoch = state.step / experiment.steps_per_epoch
        caption = f"{recipe.name} · step {state.step} · epoch {epoch:.3g} · seed {experiment.seed}"
        names = generator.class_names[:MOST_ROWS] if recipe.run.sheet == "plain" else ()
        latent = experiment.draws().latent(columns * max(1, len(names)), "sheet", state.step)
        if recipe.pairs:
            picture = pair_sheet(experiment.example_pairs(columns), generator, recipe.pairs, caption=caption)
        elif names:
            labels = torch.arange(len(names), device=latent.device).repeat_interleave(columns)
            picture = image_grid(
                generator.draw(latent, labels), columns, caption=caption, row_names=names, kind=generator.kind
            )
        elif recipe.run.sheet == "real-and-fake":
            real = experiment.splits.test.select(slice(0, columns))
            fake = generator.draw(latent[: len(real)], real.labels.to(latent.device))
            images = torch.cat([real.images, fake])
            below = f"above: real, below: the same labels · {caption}"
            picture = image_grid(images, len(real), caption=below, kind=real.kind)
        elif recipe.codes.width:
            picture = traversal_grid(generator, columns=columns, seed=experiment.seed)
        else:
            picture = image_grid(generator.draw(latent), columns, caption=caption, kind=generator.kind)
        write_atomically(experiment.folder.samples / file, png(picture))


class EvolutionHook:
    """Saves a frame from fixed noise at every mark of the log schedule; the frames make up ``evolution.webp``.

    The first frames follow closely, so they are previews with light compression: measured batch statistics would cost
    about a step each, and strong compression of the first, noisy frames as much again.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment

    def __call__(self, state: State, stats: Stats) -> None:
        """Draw a frame, if this step is a mark."""
        if not is_mark(state.step):
            return
        experiment = self._experiment
        n = EVOLUTION_COLUMNS**2
        latent = experiment.draws().latent(n, "evolution")
        condition = None
        if experiment.recipe.pairs:
            condition = experiment.example_pairs(n).condition.to(latent.device)
            condition, latent = scale(condition, experiment.recipe.pixel_range, latent.dtype), latent[: len(condition)]
        elif experiment.recipe.conditional:
            condition = torch.arange(n, device=latent.device) % len(experiment.splits.train.class_names)
        images = unscale(state.generator.preview(latent, condition), experiment.recipe.pixel_range).cpu()
        kind = experiment.splits.train.kind
        picture = image_grid(images, EVOLUTION_COLUMNS, caption=f"step {state.step}", width=360, kind=kind)
        write_atomically(experiment.folder.samples / f"evolution-{state.step:09d}.png", png(picture, compress_level=1))

    def finish(self, state: State) -> None:
        """Write the animation of all frames so far, if there are any: a copied run may lack them."""
        folder = self._experiment.folder
        files = sorted(folder.samples.glob("evolution-*.png"))
        files = [file for file in files if int(file.stem.split("-")[1]) <= state.step]
        frames = []
        for file in files:
            with Image.open(file) as frame:
                frames.append(frame.copy())
        if frames:
            write_atomically(folder.evolution, animation(frames))


def save_run(experiment: Experiment, state: State, seconds: float) -> None:
    """Write a checkpoint, the generator (and encoder, if any), and the step; raises the errors of `save_state`."""
    folder = experiment.folder
    save_state(folder.checkpoints, state)
    experiment.freeze_for_sampling(state).save(folder.generator)
    if "encoder" in state.others:
        experiment.publish_encoder(state).save(folder.encoder)
    folder.update_run(step=state.step, seconds=round(seconds, 1))
