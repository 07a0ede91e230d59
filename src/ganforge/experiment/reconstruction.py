"""Real test images given back by a run's encoder and generator, and the way from one to the next by their codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ganforge.data.images import ImageSet, Splits
from ganforge.encoding import Encoder, load_encoder
from ganforge.errors import UserError
from ganforge.evaluation.evaluator import random_subset
from ganforge.experiment.evaluate import load_reference_data
from ganforge.experiment.experiment import ProgressListener
from ganforge.runs.folder import RunFolder
from ganforge.sampling import Generator, load_generator

USUAL = 20
STOPS = 5
"""Images that a way leads past."""


@dataclass(frozen=True)
class Reconstructor:
    """An encoder, its generator, and the data they were trained on."""

    encoder: Encoder
    generator: Generator
    splits: Splits

    def reconstruct(self, images: Tensor) -> Tensor:
        """Give uint8 images [N, C, H, W] back, as uint8."""
        return self.generator.draw(self.encoder.encode(images))

    def interpolate(self, images: Tensor, frames: int) -> Tensor:
        """Return uint8 images [frames, C, H, W] on straight lines between the codes of one image and the next.

        Raises:
            UserError: fewer than two images or frames.
        """
        if len(images) < 2 or frames < 2:
            raise UserError("a morph needs at least two images, and at least two frames")
        codes = self.encoder.encode(images)
        at = torch.linspace(0, len(codes) - 1, frames, dtype=torch.float64)
        first = at.floor().clamp(max=len(codes) - 2).long()
        share = (at - first).to(codes.dtype)[:, None].to(codes.device)
        return self.generator.draw(torch.lerp(codes[first], codes[first + 1], share))


def load_reconstructor(run: Path, watcher: ProgressListener | None = None) -> Reconstructor:
    """Read what a run learned, and its data.

    Raises:
        UserError: it is no run, it has no encoder, or its data are gone or have changed.
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
    """Return test images by lot, the same for the same seed; 20 or as many as there are unless a number is given.

    Raises:
        UserError: there are not so many.
    """
    if count is None:
        count = min(USUAL, len(splits.test))
    if not 1 <= count <= len(splits.test):
        raise UserError(f"--n {count}: there are {len(splits.test):,} test images")
    return random_subset(splits.test, count, f"reconstruct {seed}")


def interleave_rows(above: Tensor, below: Tensor, columns: int) -> tuple[Tensor, Sequence[str]]:
    """Lay two lists of images out in turn, a row of the one above a row of the other, and name the rows.

    A last row that is not full is left out, unless it is the only one.
    """
    columns = min(columns, len(above))
    rows = len(above) // columns
    pairs = [row for k in range(rows) for row in (above[k * columns :][:columns], below[k * columns :][:columns])]
    return torch.cat(pairs), ["real", "again"] * rows
