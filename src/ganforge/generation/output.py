"""Drawn images as files: a sheet, arrays, an animation, or a folder of single pictures; sounds also as WAV."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from scipy.io import wavfile
from torch import Tensor

from ganforge.data.class_names import labels_of
from ganforge.data.kinds import Kind, Signals, Sound
from ganforge.data.sources.signals import to_values
from ganforge.data.spectra import to_sounds
from ganforge.errors import UserError
from ganforge.files import ensure_writable, write_atomically
from ganforge.generation.grids import animation, class_sheet, image_grid, png
from ganforge.generation.plots import as_pictures
from ganforge.metrics.loudness import loudness

LARGEST_SHEET, LARGEST_FILE = 10_000, 1_000_000
"""Largest numbers of images on a sheet, and in one file."""
ENDINGS = ("", ".png", ".npz", ".webp", ".gif")
PAUSE = 0.25
"""Seconds of silence after each sound of a WAV file of several."""
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
        kind: what the images stand for, if not for pictures.
    """

    images: Tensor
    columns: int
    caption: str
    labels: Sequence[int] | None = None
    class_names: Sequence[str] = ()
    by_class: bool = False
    row_names: Sequence[str] = ()
    kind: Kind | None = None

    @property
    def label_names(self) -> list[int] | list[str] | None:
        """The labels as the user writes them: numbers if all class names are numbers, else names."""
        return None if self.labels is None else labels_of(self.labels, self.class_names)

    @property
    def content(self) -> str:
        """The images in words: 64 pictures, sounds or signals."""
        noun = "pictures" if self.kind is None else "sounds" if isinstance(self.kind, Sound) else "signals"
        return f"{len(self.images)} {noun}"

    def remark(self, target: Path) -> str:
        """Return the loudness of sounds that were written as WAV, in parentheses; nothing for other files."""
        if not isinstance(self.kind, Sound) or target.suffix.lower() not in ("", ".wav"):
            return ""
        m = loudness(self.sounds)
        return (
            f" (loudness {m.quietest:.1f} to {m.loudest:.1f} dB of full scale, peak {m.peak:.2f}, "
            f"{m.clipped:.1%} clipped, {m.silent:.1%} silent)"
        )

    def in_one_row(self) -> Self:
        """Return the same images with a sheet of a single row."""
        return replace(self, columns=len(self.images))

    def sheet(self) -> Image.Image:
        """Return all images on one sheet."""
        if self.by_class:
            labels = torch.tensor(self.labels)
            return class_sheet(self.images, labels, self.class_names, caption=self.caption, kind=self.kind)
        return image_grid(self.images, self.columns, caption=self.caption, row_names=self.row_names, kind=self.kind)

    def write(self, target: Path) -> None:
        """Write a sheet (.png), arrays (.npz) or an animation (.webp, .gif); without an ending, a folder of pictures.

        `check_target` has checked the target, and has made its folder.

        Raises:
            RunFailed: a file could not be written.
        """
        ending = target.suffix.lower()
        if isinstance(self.kind, Sound) and ending in ("", ".wav"):
            self._write_sounds(target, self.kind)
        elif not ending:
            for index, image in enumerate(as_pictures(self.images, self.kind)):
                write_atomically(target / f"{index:05d}.png", png(single_picture(image)))
        elif ending == ".npz":
            write_atomically(target, self.arrays())
        elif ending == ".png":
            write_atomically(target, png(self.sheet()))
        else:
            frames = [image_grid(image[None], 1, width=FRAME_WIDTH, kind=self.kind) for image in self.images]
            write_atomically(target, animation(frames, ending[1:].upper()))

    @cached_property
    def sounds(self) -> Tensor:
        """Return the sounds of spectra, float32 [N, samples], full scale −1..1."""
        assert isinstance(self.kind, Sound)
        return to_sounds(self.images, self.kind)

    def _write_sounds(self, target: Path, kind: Sound) -> None:
        """Write a WAV file for each sound into a folder, or one file of all, with pauses."""
        sounds = self.sounds
        if target.suffix:
            pause = torch.zeros(len(sounds), round(PAUSE * kind.rate))
            write_atomically(target, wav(torch.cat([sounds, pause], 1).flatten(), kind.rate))
            return
        for index, sound in enumerate(sounds):
            write_atomically(target / f"{index:05d}.wav", wav(sound, kind.rate))

    def arrays(self) -> bytes:
        """Return an .npz file of ``images``, uint8 [N, H, W, C], and their ``labels``.

        Signals are ``signals``, float32 [N, C, T] in the user's units; sounds are ``sounds``, float32 [N, samples],
        with their ``rate``, beside the images of their spectra.

        Labels are numbers if all class names are numbers, else indices into ``class_names``.
        """
        arrays: dict[str, Any] = {"images": self.images.permute(0, 2, 3, 1).numpy()}
        if isinstance(self.kind, Signals):
            arrays = {"signals": to_values(self.images, self.kind).numpy()}
        elif isinstance(self.kind, Sound):
            arrays |= {"sounds": self.sounds.numpy(), "rate": np.array(self.kind.rate)}
        if self.labels is not None and len(self.labels) <= len(self.images):
            names = labels_of(self.labels, self.class_names)
            by_number = all(isinstance(name, int) for name in names)
            arrays["labels"] = np.resize(np.array(names if by_number else self.labels), len(self.images))
            arrays |= {} if by_number else {"class_names": np.array(self.class_names)}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        return buffer.getvalue()


def wav(samples: Tensor, rate: int) -> bytes:
    """Return a WAV file of 16 bits of samples float32 [T], full scale −1..1."""
    buffer = io.BytesIO()
    wavfile.write(buffer, rate, (samples * 32_767).round().to(torch.int16).numpy())
    return buffer.getvalue()


def single_picture(image: Tensor) -> Image.Image:
    """Return a uint8 image [C, H, W] at its own size, without margin or caption."""
    pixels = image.permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def check_target(target: Path, n: int | None = None, kind: Kind | None = None) -> None:
    """Check, before anything is drawn, that ``n`` images of a kind can be written to a file or folder of this name.

    Raises:
        UserError: the ending is unknown, the images are too many for this file, or it cannot be written.
    """
    ending = target.suffix.lower()
    if n is not None and n > LARGEST_FILE:
        raise UserError(f"--n {n:,}: give at most {LARGEST_FILE:,} for a file")
    if ending == ".wav" and not isinstance(kind, Sound):
        raise UserError(f"--out {target}: this model makes no sounds; write .png, .npz, .webp or .gif, or a folder")
    if n is not None and n > LARGEST_SHEET and ending != ".npz":
        raise UserError(f"--n {n:,} is too many for a sheet: give --out FILE.npz, or at most {LARGEST_SHEET:,}")
    if ending not in (*ENDINGS, ".wav"):
        raise UserError(f"--out {target}: write .png (sheet), .npz (arrays), .webp or .gif (animation), or a folder")
    ensure_writable(target if ending else target / "00000.png")
