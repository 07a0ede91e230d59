"""Domain check of the judge of digits: are these images digits, or letters and other shapes that it reads as digits?

The judge's confidence does not answer this: it is as high for the letters S, Z, O and l as for the digits 5, 2, 0 and
1. A small network on the judge's features answers it. It was trained on digits in many handwritings and fonts against
letters, mirrored digits, scribbles and garments (tools/foreign_images.py trains it, docs/judge.md has the figures).
"""

from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ganforge.judge.judge import Predictions
from ganforge.judge.network import FEATURE_DIM

DOMAIN_FILE = Path(__file__).parent / "digits-1-domain.safetensors"
HIDDEN = 24
MOST = 6.0
"""Log-odds of one image are clipped to ± this value, so that a few outliers do not outweigh the rest."""
PRIOR = 0.5
"""Prior log-odds of every image; without them a set of ones, which look like the letter l, would be undecided."""


class Domain(nn.Module):
    """Log-odds that an image is the handwritten digit that the judge reads, and not another shape.

    Attributes:
        expected: float32 [K], mean log-odds of MNIST's validation images by predicted class.
    """

    expected: Tensor

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(FEATURE_DIM, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, classes))
        self.register_buffer("expected", torch.ones(classes))

    def forward(self, features: Tensor, classes: Tensor) -> Tensor:
        """Return the log-odds [N] of images from features [N, 128] and predicted classes (int64 [N])."""
        log_odds: Tensor = self.layers(features).gather(1, classes[:, None])[:, 0]
        return log_odds

    @torch.no_grad()
    def likeness(self, predictions: Predictions) -> float:
        """Return the evidence that a set of images holds digits: 1 as for MNIST, 0 undecided, below 0 other shapes.

        It is the sum of the log-odds over the sum expected of MNIST digits with the same predicted classes. The
        expectation takes account of data with few classes, such as nothing but ones.
        """
        log_odds = self(predictions.features, predictions.classes).clamp(-MOST, MOST) + PRIOR
        return float(log_odds.sum() / (self.expected[predictions.classes] + PRIOR).sum())


@cache
def digit_domain() -> Domain:
    """Return the domain network of the shipped judge of digits."""
    domain = Domain()
    domain.load_state_dict(load_file(DOMAIN_FILE))
    return domain.eval().requires_grad_(False)
