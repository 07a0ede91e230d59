"""Whether images are of the kind that the judge of digits was made for, or letters and other shapes read as digits.

Confidence does not tell: of letters S, Z, O and l the judge is as sure as of the digits 5, 2, 0 and 1. What tells is a
small network on its features, which was shown digits in many hands and fonts beside letters, mirrored digits, scribbles
and garments (docs/foreign.py trains it, docs/judge.md has what it was measured on).
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
"""Log-odds beyond which one image has no more to say: a few strange ones must not outweigh all others."""
PRIOR = 0.5
"""Log-odds before an image is looked at; without them, nothing could be said of ones, which look like the letter l."""
ALIKE = 0.4
"""Likeness from which images are digits: those measured have .6 or more, letters and other shapes .1 or less."""


class Domain(nn.Module):
    """Log-odds that an image is a handwritten digit and not another shape that the judge reads as the same digit.

    Attributes:
        expected: float32 [K], the mean log-odds of MNIST's validation images, by the class that is read.
    """

    expected: Tensor

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(FEATURE_DIM, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, classes))
        self.register_buffer("expected", torch.ones(classes))

    def forward(self, features: Tensor, classes: Tensor) -> Tensor:
        """Return the log-odds [N] of images with these features [N, 128] that are read as these classes (int64 [N])."""
        log_odds: Tensor = self.layers(features).gather(1, classes[:, None])[:, 0]
        return log_odds

    @torch.no_grad()
    def likeness(self, seen: Predictions) -> float:
        """Return how much of a set of images speaks for digits: 1 as MNIST's, 0 undecided, below 0 other shapes.

        It is the sum of the log-odds over what as many of MNIST's digits in the same mix of classes have, so that
        data without a zero, or with nothing but ones, are held to what can be said of them.
        """
        found = self(seen.features, seen.classes).clamp(-MOST, MOST) + PRIOR
        return float(found.sum() / (self.expected[seen.classes] + PRIOR).sum())


@cache
def digit_domain() -> Domain:
    """Return the domain of the judge of digits, which ships with it."""
    domain = Domain()
    domain.load_state_dict(load_file(DOMAIN_FILE))
    return domain.eval().requires_grad_(False)
