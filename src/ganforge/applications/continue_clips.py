"""Clips that go on: a trained model of the next frame applied to a user's own clips."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganforge.applications.apply import Counting
from ganforge.data.pairs import NextFrame, luma
from ganforge.data.sources.clips_to_continue import NamedClips, read_moving
from ganforge.errors import UserError
from ganforge.evaluation.baselines import simple_continuations
from ganforge.files import ensure_writable, refuse_replacing, write_atomically
from ganforge.generation.generator import Generator
from ganforge.generation.grids import GUTTER, animation, image_grid, png, short_name
from ganforge.generation.output import FRAME_WIDTH, single_picture
from ganforge.generation.roll_out import continue_clips

CLIPS_ON_SHEET, DRAWS_ON_SHEET, COLUMNS = 4, 4, 20
"""Clips, draws of each, and frames on the sheet at most."""
ENDINGS = ("", ".png", ".gif", ".npz")


@dataclass(frozen=True)
class Continuations:
    """Clips with their new frames.

    Attributes:
        given: the clips as the user gave them, uint8 [N, T, C, H, W].
        draws: the new frames, uint8 [P, N, K, C, H, W], P continuations of each clip.
        simple: the new frames of methods without a trained network for the clips on the sheet, uint8 [n, K, C, H, W],
            by name.
        names: a name for each clip, after which its files are named.
        caption: the text below the sheet.
    """

    given: Tensor
    draws: Tensor
    simple: Mapping[str, Tensor]
    names: Sequence[str]
    caption: str

    @property
    def whole(self) -> Tensor:
        """The given frames with the new ones behind them, uint8 [P, N, T + K, C, H, W]."""
        return torch.cat([self.given.expand(len(self.draws), -1, -1, -1, -1, -1), self.draws], 2)

    def sheet(self) -> Image.Image:
        """Return a sheet, a column for each frame: the last given frames, our draws, and the simple methods.

        The row of the given frames has the name of the clip.
        """
        shown = {"given": self.given[:, -COLUMNS:]}
        shown |= {f"result {k + 1}": draw[:, :COLUMNS] for k, draw in enumerate(self.draws[:DRAWS_ON_SHEET])}
        shown |= {name: frames[:, :COLUMNS] for name, frames in self.simple.items()}
        clips = range(min(CLIPS_ON_SHEET, len(self.given)))
        columns = max(frames.shape[1] for frames in shown.values())
        rows = [_of_length(frames[clip], columns) for clip in clips for frames in shown.values()]
        _, *methods = shown
        names = [name for clip in clips for name in (f"given: {short_name(self.names[clip])}", *methods)]
        return image_grid(torch.cat(rows), columns, caption=self.caption, width=1280, row_names=names)

    def animation(self) -> bytes:
        """Return a GIF to look at: a column for each clip, a row for each draw."""
        columns = len(self.given)
        frames = self.whole.flatten(0, 1).transpose(0, 1)
        return animation([image_grid(frame, columns, width=FRAME_WIDTH * columns) for frame in frames], "GIF")

    def arrays(self) -> bytes:
        """Return an .npz file: ``clips`` uint8 [N · P, T + K, C, H, W], clip by clip, which `ganforge` reads again."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, clips=self.whole.transpose(0, 1).flatten(0, 1).numpy())
        return buffer.getvalue()

    def write(self, target: Path) -> list[Path]:
        """Write a sheet (.png), an animation (.gif), arrays (.npz), or a folder with all of it; return the files.

        The folder has a GIF of every continued clip at its own size, its new frames by their number, and the sheet.

        Raises:
            RunFailed: a file could not be written.
        """
        contents = {".png": lambda: png(self.sheet()), ".gif": self.animation, ".npz": self.arrays}
        if ending := target.suffix.lower():
            write_atomically(target, contents[ending]())
            return [target]
        files = []
        for k, draw in enumerate(self.whole):
            suffix = f"-{k + 1}" if len(self.draws) > 1 else ""
            for name, clip in zip(self.names, draw, strict=True):
                files.append(target / f"{name}{suffix}.gif")
                write_atomically(files[-1], animation([single_picture(frame) for frame in clip], "GIF"))
                for number in range(self.given.shape[1], len(clip)):
                    files.append(target / f"{name}{suffix}-{number + 1:03d}.png")
                    write_atomically(files[-1], png(single_picture(clip[number])))
        write_atomically(target / "sheet.png", png(self.sheet()))
        return [*files, target / "sheet.png"]


def _of_length(frames: Tensor, length: int) -> Tensor:
    """Return frames [K, C, H, W] with grey ones behind them, ``length`` in all."""
    missing = frames.new_full((length - len(frames), *frames.shape[1:]), GUTTER)
    return torch.cat([frames, missing])


def continue_source(
    generator: Generator,
    source: Any,
    frames: int,
    *,
    draws: int = 1,
    seed: int = 0,
    target: Path | None = None,
    counting: Counting | None = None,
) -> Continuations:
    """Continue a user's clips by a model of the next frame.

    Args:
        generator: of a recipe with ``pairs.kind = "next-frame"``.
        source: an animation, a folder of frames or of animations, an .npz file or an array (`read_moving`).
        frames: number of new frames.
        draws: number of continuations of each clip.
        seed: of the latents.
        target: where the results will be written; checked after the clips and before anything is computed.
        counting: shows the progress, as in `apply`.

    Raises:
        UserError: the generator makes no next frames, the clips are too short, of another size or not readable, or the
            target cannot be written or would replace one of them.
    """
    rule = generator.recipe.pairs
    if not isinstance(rule, NextFrame):
        raise UserError(
            f"--frames {frames}: {generator.recipe.name} does not continue clips; train next-frame for that"
        )
    height, width = generator.note["shape"][1:]
    clips = read_moving(source, wanted=f"{width}×{height}, which {generator.recipe.name} takes")
    given = _fitting(clips, rule, generator)
    if target is not None:
        check_target(target)
        suffixes = [f"-{k + 1}" for k in range(draws)] if draws > 1 else [""]
        animations = [target / f"{name}{suffix}.gif" for suffix in suffixes for name in clips.names]
        refuse_replacing([target] if target.suffix else animations, [source])
    joined = given.flatten(1, 2)
    on_progress = counting("continuing clips", draws * frames * len(joined)) if counting else None
    results = continue_clips(generator, joined, frames, draws=draws, seed=seed, on_progress=on_progress)
    caption = f"{generator.recipe.name} · step {generator.note['step']} · seed {seed}"
    simple = simple_continuations(rule, joined[:CLIPS_ON_SHEET], frames)
    return Continuations(given, results, simple, clips.names, caption)


def check_target(target: Path) -> None:
    """Check, before anything is computed, that results can be written there.

    Raises:
        UserError: another ending than .png, .gif, .npz or none, or no permission.
    """
    ending = target.suffix.lower()
    if ending not in ENDINGS:
        raise UserError(
            f"--out {target}: write .png (a sheet), .gif (an animation), .npz (arrays), or a folder (all of it)"
        )
    ensure_writable(target if ending else target / "sheet.png")


def _fitting(clips: NamedClips, rule: NextFrame, generator: Generator) -> Tensor:
    """Return the frames in the channels that the model knows; refuse clips that are too short or of another size."""
    name, (height, width) = generator.recipe.name, generator.note["shape"][1:]
    frames = clips.frames
    if tuple(frames.shape[3:]) != (height, width):
        raise UserError(
            f"{clips.where}: frames of {frames.shape[4]}×{frames.shape[3]} pixels, and {name} takes {width}×{height}; "
            "scale or cut them to that size first"
        )
    if frames.shape[1] < rule.given:
        raise UserError(
            f"{clips.where}: has {frames.shape[1]} frames, and {name} looks at {rule.given}; give a longer clip"
        )
    if frames.shape[2] == 1 and rule.channels == 3:
        return frames.expand(-1, -1, 3, -1, -1)
    if frames.shape[2] == 3 and rule.channels == 1:
        return luma(frames.flatten(0, 1)).view(*frames.shape[:2], 1, height, width)
    if frames.shape[2] != rule.channels:
        raise UserError(f"{clips.where}: frames of {frames.shape[2]} channels; give grey frames or RGB")
    return frames
