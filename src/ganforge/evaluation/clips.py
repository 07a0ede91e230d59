"""Continued clips against the true ones: errors by the number of frames, sharpness, readable digits.

A frame that copies the last given one looks perfect by itself, so realism is asked of whole clips: `told_apart` sees
all frames of a clip as the channels of one picture.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.data.pairs import NextFrame
from ganforge.errors import UserError
from ganforge.evaluation.told_apart import told_apart
from ganforge.metrics.clips import frame_error, frame_ssim, sharpness

HORIZON = 10
"""New frames of the published Moving MNIST protocol."""
AFTER = (1, 2, 5, 10)
"""Numbers of frames after which the error and the digits are reported."""


class ClipPair(NamedTuple):
    """Clips in two parts: ``given`` uint8 [N, T · C, H, W], and the true ``future`` uint8 [N, K, C, H, W]."""

    given: Tensor
    future: Tensor


def split_clips(rule: NextFrame, clips: Tensor, frames: int = HORIZON) -> ClipPair:
    """Split clips uint8 [N, T · C, H, W] after the first ``rule.given`` frames; at most ``frames`` follow.

    Raises:
        UserError: no frame follows.
    """
    given = rule.given * rule.channels
    future = clips[:, given : given + frames * rule.channels]
    if not future.shape[1]:
        have = clips.shape[1] // rule.channels
        raise UserError(f"clips of {have} frames: the model looks at {rule.given}, and none is left to compare with")
    return ClipPair(clips[:, :given], future.unflatten(1, (-1, rule.channels)))


def clip_metrics(real: Tensor, results: Tensor) -> dict[str, float]:
    """Compute the distortion and sharpness of continued clips.

    ``frame_mse`` is the squared error summed over a frame, averaged over frames and clips; ``frame_mse_K`` that of the
    frame after K frames alone, so ``frame_mse_1`` belongs to the protocol 10→1. ``frame_ssim`` and ``frame_ssim_1``
    likewise. ``sharpness`` is the mean gradient magnitude of the last frame, relative to that of the true last frame.

    Args:
        real, results: uint8 [N, K, C, H, W].
    """
    metrics = {name: float(values.mean()) for name, values in metrics_of_clips(real, results).items()}
    if truth := sharpness(real[:, -1]):
        metrics["sharpness"] = sharpness(results[:, -1]) / truth
    return metrics


def metrics_of_clips(real: Tensor, results: Tensor) -> dict[str, NDArray[np.float64]]:
    """Return those metrics of `clip_metrics` that each clip has by itself: float64 [N] by name."""
    error = frame_error(real, results)
    metrics = {"frame_mse": error.mean(1)}
    metrics |= {f"frame_mse_{count}": error[:, count - 1] for count in AFTER if count <= error.shape[1]}
    if min(real.shape[3:]) >= 7:
        similarity = frame_ssim(real, results)
        metrics |= {"frame_ssim": similarity.mean(1), "frame_ssim_1": similarity[:, 0]}
    return metrics


def clips_told_apart(real: Tensor, results: Tensor) -> float:
    """Return the share of whole clips uint8 [N, K, C, H, W] that fresh classifiers tell rightly as real or result."""
    return told_apart(real.flatten(1, 2), results.flatten(1, 2))[0]


@dataclass(frozen=True)
class DigitTruth:
    """The digits of clips, and where they are.

    Attributes:
        labels: int64 [N, D], the class of each digit.
        tops, lefts: int64 [N, D, K], where the digit's picture begins in each frame.
        size: height and width of a digit's picture.
    """

    labels: Tensor
    tops: NDArray[np.int64]
    lefts: NDArray[np.int64]
    size: tuple[int, int] = (28, 28)

    def crops(self, frames: Tensor, index: int) -> Tensor:
        """Cut the place of every digit out of frame ``index`` of clips [N, K, 1, H, W]: uint8 [N · D, 1, h, w]."""
        height, width = self.size
        cut = [
            clip[index, :, top : top + height, left : left + width]
            for clip, tops, lefts in zip(frames, self.tops[:, :, index], self.lefts[:, :, index], strict=True)
            for top, left in zip(tops, lefts, strict=True)
        ]
        return torch.stack(cut)


def digits_read(truth: DigitTruth, real: Tensor, results: Tensor, read: Callable[[Tensor], Tensor]) -> dict[str, float]:
    """Return the share of digits that are read right at their true places, by the number of frames: ``read_K``.

    Digits that overlap are often misread in the true frames, too. The share is that of the digits that are read right
    in the true frame, so the true clips have 100 %.

    Args:
        truth: the digits of the clips.
        real, results: uint8 [N, K, 1, H, W].
        read: the judge: uint8 pictures -> classes int64 [N].
    """
    labels, shares = truth.labels.flatten(), {}
    for count in AFTER:
        if count > real.shape[1]:
            continue
        readable = read(truth.crops(real, count - 1)) == labels
        right = read(truth.crops(results, count - 1)) == labels
        if readable.any():
            shares[f"read_{count}"] = float(right[readable].double().mean())
    return shares
