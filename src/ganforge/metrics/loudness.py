"""Measurements of sounds [N, T], full scale −1..1: loudness, peak, clipping, silence."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

CLIPPED = 0.999
"""A sample at or beyond this part of full scale counts as clipped."""
SILENT = 1e-4
"""A sound with a smaller root mean square (−80 dB of full scale) is silent."""


class Loudness(NamedTuple):
    """Loudness in dB of full scale (20 log₁₀ of the root mean square), peak 0..1, and shares 0..1.

    ``quietest`` and ``loudest`` are those of the sounds that are not silent, NaN where all are. ``clipped`` is the
    share of samples, ``silent`` that of sounds.
    """

    quietest: float
    loudest: float
    peak: float
    clipped: float
    silent: float


def loudness(sounds: ArrayLike) -> Loudness:
    """Measure sounds [N, T].

    Raises:
        ValueError: there is no sample, or one is not finite.
    """
    samples = np.asarray(sounds, np.float64)
    if samples.ndim != 2 or not samples.size or not np.isfinite(samples).all():
        raise ValueError("loudness needs finite sounds [N, T]")
    root_mean_square = np.sqrt(np.square(samples).mean(1))
    silent = root_mean_square < SILENT
    heard = 20 * np.log10(root_mean_square[~silent]) if not silent.all() else np.array([np.nan])
    absolute = np.abs(samples)
    return Loudness(
        float(heard.min()),
        float(heard.max()),
        float(absolute.max()),
        float((absolute >= CLIPPED).mean()),
        float(silent.mean()),
    )
