"""Roll-out: a model of the next frame continues clips by feeding its own results back."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ganforge.data.pairs import NextFrame
from ganforge.errors import UserError
from ganforge.generation.generator import Generator


def continue_clips(
    generator: Generator,
    clips: Tensor,
    frames: int,
    *,
    draws: int = 1,
    seed: int = 0,
    on_progress: Callable[[int], None] | None = None,
) -> Tensor:
    """Return ``draws`` continuations of each clip by a generator of the next frame.

    The first frame equals that of `Generator.translate`. Every further frame has latents of its own, so frame k is a
    draw from the distribution that the model learned, given the frames before. A draw does not depend on how many
    draws or frames follow.

    Args:
        generator: of a recipe with ``pairs.kind = "next-frame"``.
        clips: uint8 [N, T · C, H, W], the channels of T frames one after the other; the last ``pairs.given`` count.
        frames: number of new frames, 1 or more.
        draws: number of continuations of each clip.
        seed: of the latents.
        on_progress: called with the number of frames just made, one for each clip.

    Returns:
        uint8 [draws, N, frames, C, H, W], on the CPU.

    Raises:
        UserError: the generator makes no next frames, or the clips are too short or of another size.
    """
    rule = generator.recipe.pairs
    if not isinstance(rule, NextFrame):
        raise UserError(f"{generator.recipe.name} does not continue clips; train next-frame for that")
    if frames < 1:
        raise UserError(f"--frames {frames}: must be 1 or more")
    given = rule.condition_of(clips)

    def draw_next(draw: int, window: Tensor, frame: int) -> Tensor:
        name = f"translate {draw} frame {frame}" if frame else f"translate {draw}"
        result = generator.result(window, seed=seed, name=name)
        if on_progress:
            on_progress(len(result))
        return result

    return torch.stack([roll_out(partial(draw_next, draw), given, frames) for draw in range(draws)])


def roll_out(next_frame: Callable[[Tensor, int], Tensor], given: Tensor, frames: int) -> Tensor:
    """Feed results back: the window of the last frames moves on by one frame with each result.

    Args:
        next_frame: (window [N, T · C, H, W], number of the new frame from 0) -> the next frames [N, C, H, W].
        given: the first window.
        frames: number of new frames.

    Returns:
        The new frames [N, frames, C, H, W].
    """
    window, results = given, []
    for frame in range(frames):
        results.append(next_frame(window, frame))
        window = torch.cat([window[:, results[-1].shape[1] :], results[-1].to(window.device)], 1)
    return torch.stack(results, 1)
