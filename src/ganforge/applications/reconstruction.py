"""Reconstructions of test images by a run's encoder and generator, and interpolations between their codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ganforge.data.images import ImageSet, Splits
from ganforge.errors import UserError
from ganforge.evaluation.evaluator import random_subset
from ganforge.experiment.evaluate import load_reference_data
from ganforge.experiment.experiment import ProgressListener
from ganforge.generation.encoder import Encoder, load_encoder
from ganforge.generation.generator import Generator, load_generator
from ganforge.runs.folder import RunFolder

DEFAULT_COUNT = 20
STOPS = 5
"""Images on the path of an interpolation."""


@dataclass(frozen=True)
class Reconstructor:
    """An encoder, its generator, and the data they were trained on."""

    encoder: Encoder
    generator: Generator
    splits: Splits

    def reconstruct(self, images: Tensor) -> Tensor:
        """Return the reconstructions of uint8 images [N, C, H, W], as uint8."""
        return self.generator.draw(self.encoder.encode(images))

    def interpolate(self, images: Tensor, frames: int) -> Tensor:
        """Return uint8 images [frames, C, H, W] from codes on straight lines between those of successive images.

        Raises:
            UserError: fewer than two images or frames.
        """
        if len(images) < 2 or frames < 2:
            raise UserError("a morph needs at least two images, and at least two frames")
        codes = self.encoder.encode(images)
        positions = torch.linspace(0, len(codes) - 1, frames, dtype=torch.float64)
        first = positions.floor().clamp(max=len(codes) - 2).long()
        weight = (positions - first).to(codes.dtype)[:, None].to(codes.device)
        return self.generator.draw(torch.lerp(codes[first], codes[first + 1], weight))


def load_reconstructor(run: Path, watcher: ProgressListener | None = None) -> Reconstructor:
    """Load a run's encoder, generator and data.

    Raises:
        UserError: the folder is not a run, it has no encoder, or its data are gone or have changed.
    """
    watcher = watcher or ProgressListener()
    folder = RunFolder(run)
    folder.read_run()
    encoder, generator = load_encoder(run), load_generator(run)
    try:
        return Reconstructor(encoder, generator, load_reference_data(None, generator, folder, None, watcher))
    finally:
        watcher.end()


def random_test_images(splits: Splits, count: int | None, seed: int) -> ImageSet:
    """Return a random subset of the test images, fixed by the seed; 20 of them, or all if fewer, without a count.

    Raises:
        UserError: there are fewer test images than ``count``.
    """
    if count is None:
        count = min(DEFAULT_COUNT, len(splits.test))
    if not 1 <= count <= len(splits.test):
        raise UserError(f"--n {count}: give 1 to {len(splits.test):,}, the number of test images")
    return random_subset(splits.test, count, f"reconstruct {seed}")


def interleave_rows(above: Tensor, below: Tensor, columns: int) -> tuple[Tensor, Sequence[str]]:
    """Arrange two lists of images in alternating rows, and return the images and the names of the rows.

    An incomplete last row is left out, unless it is the only one.
    """
    columns = min(columns, len(above))
    rows = len(above) // columns
    pairs = [row for k in range(rows) for row in (above[k * columns :][:columns], below[k * columns :][:columns])]
    return torch.cat(pairs), ["real", "again"] * rows
