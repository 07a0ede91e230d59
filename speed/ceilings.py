"""What this machine can do at most, for docs/performance.md: python speed/ceilings.py; OMP_NUM_THREADS=1 for one core.

Products of matrices as large as `dcgan`'s second convolution makes of 128 images, in both precisions, and the bytes
that a pass over 256 MB reads and writes.
"""

import time
from collections.abc import Callable

import torch

ROUNDS, ROWS, INNER, COLUMNS = 20, 6272, 1024, 128


def fastest(play: Callable[[], object]) -> float:
    """Return the seconds of the fastest of so many rounds."""
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        play()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def main() -> None:
    """Print the ceilings."""
    print(f"threads: {torch.get_num_threads()}")
    for dtype in (torch.bfloat16, torch.float32):
        one, other = torch.randn(ROWS, INNER).to(dtype), torch.randn(INNER, COLUMNS).to(dtype)
        rate = 2 * ROWS * INNER * COLUMNS / fastest(lambda one=one, other=other: one @ other) / 1e9
        print(f"products in {dtype}: {rate:,.0f} GFLOP/s")
    source = torch.ones(2**26)
    target = torch.empty_like(source)
    rate = 2 * source.nbytes / fastest(lambda: torch.clamp_min(source, 0, out=target)) / 2**30
    print(f"memory, read and written: {rate:.0f} GiB/s")


if __name__ == "__main__":
    main()
