"""Drawn images as files: a sheet, arrays, an animation, or a folder of single pictures."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganforge.data.class_names import labels_of
from ganforge.errors import UserError
from ganforge.files import ensure_writable, write_atomically
from ganforge.generation.grids import animation, class_sheet, image_grid, png

LARGEST_SHEET, LARGEST_FILE = 10_000, 1_000_000
"""Largest numbers of images on a sheet, and in one file."""
ENDINGS = ("", ".png", ".npz", ".webp", ".gif")
FRAME_WIDTH = 224
"""Width in pixels of an animation."""


@dataclass(frozen=True)
class Drawing:
    """Drawn images, and how a sheet arranges them.

    Attributes:
        images: uint8 [N, C, H, W].
        columns: images in each row of the sheet.
        caption: the text below the sheet.
        labels: class indices; repeated where there are more images.
        class_names: the names of all classes, in the order of their indices.
        by_class: whether the sheet has one row for each class.
        row_names: the names to the left of the rows, where the rows are not classes.
    """

    images: Tensor
    columns: int
    caption: str
    labels: Sequence[int] | None = None
    class_names: Sequence[str] = ()
    by_class: bool = False
    row_names: Sequence[str] = ()

    @property
    def label_names(self) -> list[int] | list[str] | None:
        """The labels as the user writes them: numbers if all class names are numbers, else names."""
        return None if self.labels is None else labels_of(self.labels, self.class_names)

    def in_one_row(self) -> Self:
        """Return the same images with a sheet of a single row."""
        return replace(self, columns=len(self.images))

    def sheet(self) -> Image.Image:
        """Return all images on one sheet."""
        if self.by_class:
            return class_sheet(self.images, torch.tensor(self.labels), self.class_names, caption=self.caption)
        return image_grid(self.images, self.columns, caption=self.caption, row_names=self.row_names)

    def write(self, target: Path) -> None:
        """Write a sheet (.png), arrays (.npz) or an animation (.webp, .gif); without an ending, a folder of pictures.

        `check_target` has checked the target, and has made its folder.

        Raises:
            RunFailed: a file could not be written.
        """
        ending = target.suffix.lower()
        if not ending:
            for index, image in enumerate(self.images):
                write_atomically(target / f"{index:05d}.png", png(single_picture(image)))
        elif ending == ".npz":
            write_atomically(target, self.arrays())
        elif ending == ".png":
            write_atomically(target, png(self.sheet()))
        else:
            frames = [image_grid(image[None], 1, width=FRAME_WIDTH) for image in self.images]
            write_atomically(target, animation(frames, ending[1:].upper()))

    def arrays(self) -> bytes:
        """Return an .npz file of ``images``, uint8 [N, H, W, C], and their ``labels``.

        Labels are numbers if all class names are numbers, else indices into ``class_names``.
        """
        arrays = {"images": self.images.permute(0, 2, 3, 1).numpy()}
        if self.labels is not None and len(self.labels) <= len(self.images):
            names = labels_of(self.labels, self.class_names)
            by_number = all(isinstance(name, int) for name in names)
            arrays["labels"] = np.resize(np.array(names if by_number else self.labels), len(self.images))
            arrays |= {} if by_number else {"class_names": np.array(self.class_names)}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # NumPy takes any number of named arrays
        return buffer.getvalue()


def single_picture(image: Tensor) -> Image.Image:
    """Return a uint8 image [C, H, W] at its own size, without margin or caption."""
    pixels = image.permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def check_target(target: Path, n: int | None = None) -> None:
    """Check, before anything is drawn, that ``n`` images can be written to a file or folder of this name.

    Raises:
        UserError: the ending is unknown, the images are too many for this file, or it cannot be written.
    """
    ending = target.suffix.lower()
    if n is not None and n > LARGEST_FILE:
        raise UserError(f"--n {n:,}: give at most {LARGEST_FILE:,} for a file")
    if n is not None and n > LARGEST_SHEET and ending != ".npz":
        raise UserError(f"--n {n:,} is too many for a sheet: give --out FILE.npz, or at most {LARGEST_SHEET:,}")
    if ending not in ENDINGS:
        raise UserError(f"--out {target}: write .png (sheet), .npz (arrays), .webp or .gif (animation), or a folder")
    ensure_writable(target if ending else target / "00000.png")
