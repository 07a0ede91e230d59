"""How near the shipped generator comes to test digits: python tools/measure_inversion.py [N], 100 digits by default."""

import sys
import time

import torch

from ganforge.data.load import load
from ganforge.generation.generator import load_generator
from ganforge.generation.invert import invert
from ganforge.judge.shipped import load_judge

TOGETHER = 10
"""Digits that are searched for at once."""


def main(count: int) -> None:
    """Print PSNR, the share whose class is kept, and the seconds of a search."""
    generator, digits = load_generator("mnist"), load("mnist").test.select(slice(0, count))
    started = time.perf_counter()
    found = [invert(generator, block) for block in digits.images.split(TOGETHER)]
    seconds = time.perf_counter() - started
    error = torch.cat([inversion.error[:, 0] for inversion in found])
    nearest = torch.cat([inversion.images[:, 0] for inversion in found])
    kept = int((load_judge().look(nearest).classes == digits.labels).sum())
    started = time.perf_counter()
    invert(generator, digits.images[:1])
    alone = time.perf_counter() - started
    print(f"PSNR {(10 * torch.log10(255**2 / error)).mean():.1f} dB, class kept in {kept} of {count}")
    print(f"{seconds / count:.2f} s for each of {TOGETHER} searches at once, {alone:.2f} s for one alone")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
