"""The ceilings of this machine, for docs/lab/performance.md: python speed/ceilings.py; OMP_NUM_THREADS=1 for one core.

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


def product_rate(dtype: torch.dtype) -> float:
    """Return the multiplications and additions of products in a second."""
    one, other = torch.randn(ROWS, INNER).to(dtype), torch.randn(INNER, COLUMNS).to(dtype)
    return 2 * ROWS * INNER * COLUMNS / fastest(lambda: one @ other)


def memory_rate() -> float:
    """Return the bytes read and written in a second."""
    source = torch.ones(2**26)
    target = torch.empty_like(source)
    return 2 * source.nbytes / fastest(lambda: torch.clamp_min(source, 0, out=target))


def main() -> None:
    """Print the ceilings."""
    print(f"threads: {torch.get_num_threads()}")
    for dtype in (torch.bfloat16, torch.float32):
        print(f"products in {dtype}: {product_rate(dtype) / 1e9:,.0f} GFLOP/s")
    print(f"memory, read and written: {memory_rate() / 2**30:.0f} GiB/s")


if __name__ == "__main__":
    main()
