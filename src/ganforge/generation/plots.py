"""Signals as small pictures of their curves, so that every sheet and animation shows them."""

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ganforge.data.kinds import Kind, Signals

WIDTH, HEIGHT, MARGIN = 96, 48, 3
"""Pixels of a plot, and the pixels above the highest and below the lowest value."""
COLOURS = ((255, 255, 255), (255, 160, 60), (90, 190, 255), (130, 230, 110), (250, 110, 150), (190, 150, 255))
"""The curves of the first channels; further ones begin again."""


def as_pictures(images: Tensor, kind: Kind | None) -> Tensor:
    """Return images uint8 [N, C, H, W] as they are looked at: signals as curves, others unchanged.

    The values of all channels share the height of a plot: 0 at the bottom, 255 at the top.
    """
    return torch.stack([_plot(image) for image in images]) if isinstance(kind, Signals) else images


def _plot(signal: Tensor) -> Tensor:
    """Return the plot of one image [C, 1, T]: uint8 [1 or 3, HEIGHT, WIDTH], grey for one channel."""
    canvas = Image.new("RGB", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(canvas)
    across = np.linspace(1, WIDTH - 2, signal.shape[-1])
    for number, row in enumerate(signal[:, 0].numpy()):
        down = HEIGHT - 1 - MARGIN - row / 255 * (HEIGHT - 1 - 2 * MARGIN)
        draw.line(list(zip(across.tolist(), down.tolist(), strict=True)), fill=COLOURS[number % len(COLOURS)])
    pixels = torch.from_numpy(np.array(canvas)).permute(2, 0, 1)
    return pixels[:1] if len(signal) == 1 else pixels
