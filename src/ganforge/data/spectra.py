"""Sounds as pictures of their spectrum, and back: mel bands, decibels, Griffin-Lim.

A sound x of `Sound.samples` samples has the short-time Fourier transform X[f, t] with a Hann window. The picture shows
its power in mel bands, in decibels below its loudest point:

    P[b, t] = Σ_f M[b, f] |X[f, t]|²,    picture = 255 · (1 − max(10 log₁₀(P / max P), floor) / floor)

with the highest band in the top row. The loudness of a recording is not in its picture.

M holds triangles at equal distances on the mel scale m = 2595 log₁₀(1 + f / 700) (O'Shaughnessy 1987). The way back
finds a spectrum ≥ 0 with these bands by multiplicative updates (Lee and Seung 2001), and a phase that fits the
magnitudes (Griffin and Lim 1984), with the momentum of Perraudin, Balazs and Søndergaard 2013.
"""

from functools import cache

import torch
from torch import Tensor

from ganforge.data.kinds import Sound
from ganforge.process_state import plain_state
from ganforge.randomness import random_generator

UPDATES, ITERATIONS, MOMENTUM = 100, 60, 0.99
"""Updates of the spectrum, iterations of Griffin-Lim, and its momentum."""
BLOCK = 256
"""Sounds at once: 256 of them take some 50 MB."""
LOUDNESS, PEAK = 0.1, 0.9
"""Root mean square of a generated sound (−20 dB of full scale), and its largest sample; the quieter limit counts."""
TINY = 1e-12


@plain_state()
def to_pictures(sounds: Tensor, kind: Sound) -> Tensor:
    """Return the pictures uint8 [N, 1, bands, frames] of sounds float32 [N, samples]; a silent one is black."""
    return torch.cat([_pictures(block, kind) for block in sounds.split(BLOCK)])


def _pictures(sounds: Tensor, kind: Sound) -> Tensor:
    power = _bands(kind) @ _transform(sounds, kind).abs().square()
    loudest = power.amax((1, 2), keepdim=True)
    decibels = 10 * torch.log10((power / loudest.clamp_min(TINY)).clamp_min(TINY))
    levels = 255 * (1 - decibels.clamp_min(kind.floor) / kind.floor)
    return levels.round().to(torch.uint8).flip(1)[:, None]


@plain_state()
def to_sounds(pictures: Tensor, kind: Sound, seed: int = 0) -> Tensor:
    """Return sounds float32 [N, samples] of pictures uint8 [N, 1, bands, frames].

    Black is silence. Every sound has the same loudness (`LOUDNESS`), or less where its peak would pass `PEAK`. The
    phases start from random numbers that depend on the seed and on the row alone.
    """
    blocks = pictures.split(BLOCK)
    return torch.cat([_sounds(block, kind, seed, number) for number, block in enumerate(blocks)])


def _sounds(pictures: Tensor, kind: Sound, seed: int, number: int) -> Tensor:
    levels = pictures[:, 0].flip(1).float()
    power = torch.where(levels > 0, 10 ** ((1 - levels / 255) * kind.floor / 10), torch.zeros(()))
    magnitude = _spectrum(power, _bands(kind)).sqrt()
    angles = torch.rand(magnitude.shape, generator=random_generator(seed, "phase", number))
    phase = torch.polar(torch.ones_like(angles), 2 * torch.pi * angles)
    last = torch.zeros_like(phase)
    for _ in range(ITERATIONS):
        fitting = _transform(_inverse(magnitude * phase, kind), kind)
        moved = fitting + MOMENTUM * (fitting - last)
        phase, last = moved / moved.abs().clamp_min(TINY), fitting
    return even_loudness(_inverse(magnitude * phase, kind))


def _spectrum(power: Tensor, bands: Tensor) -> Tensor:
    """Return a spectrum [N, F, frames] ≥ 0 whose mel bands come near to ``power`` [N, bands, frames]."""
    spectrum = bands.T @ power
    wanted = bands.T @ power
    squared = bands.T @ bands
    for _ in range(UPDATES):
        spectrum = spectrum * wanted / (squared @ spectrum).clamp_min(TINY)
    return spectrum


def even_loudness(sounds: Tensor) -> Tensor:
    """Return sounds [N, samples] with the root mean square `LOUDNESS`, no sample beyond `PEAK`; silence stays."""
    sounds = sounds - sounds.mean(1, keepdim=True)
    loudness = sounds.square().mean(1, keepdim=True).sqrt()
    factor = torch.minimum(
        LOUDNESS / loudness.clamp_min(TINY), PEAK / sounds.abs().amax(1, keepdim=True).clamp_min(TINY)
    )
    return torch.where(loudness > 1e-6, sounds * factor, torch.zeros(()))


def _transform(sounds: Tensor, kind: Sound) -> Tensor:
    window = torch.hann_window(kind.window)
    return torch.stft(sounds, _points(kind), kind.hop, kind.window, window, pad_mode="constant", return_complex=True)


def _inverse(spectrum: Tensor, kind: Sound) -> Tensor:
    window = torch.hann_window(kind.window)
    return torch.istft(spectrum, _points(kind), kind.hop, kind.window, window, length=kind.samples)


def _points(kind: Sound) -> int:
    """Return the points of the Fourier transform: the power of two from the window on."""
    return 1 << (kind.window - 1).bit_length()


@cache
def _bands(kind: Sound) -> Tensor:
    """Return the triangles of the mel bands, float32 [bands, F], each with the sum 1."""
    frequencies = torch.linspace(0, kind.rate / 2, _points(kind) // 2 + 1, dtype=torch.float64)
    highest = 2595 * torch.log10(torch.tensor(1 + kind.rate / 2 / 700, dtype=torch.float64))
    edges = 700 * (10 ** (torch.linspace(0, float(highest), kind.bands + 2, dtype=torch.float64) / 2595) - 1)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    triangles = torch.minimum(rising, falling).clamp_min(0)
    return (triangles / triangles.sum(1, keepdim=True).clamp_min(TINY)).float()
