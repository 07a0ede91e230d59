"""How long 10,000 digits of the shipped generator take, and all figures on them: speed/sampling.py [N]."""

import statistics
import sys
import time

import torch

import ganforge

ROUNDS = 5


def main() -> None:
    """Print the medians."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    generator = ganforge.load("mnist")
    generator.sample(1000)
    for name, mixed in (("float32", False), ("bf16", True)):
        seconds = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                generator.sample(count)
            seconds.append(time.perf_counter() - began)
        print(
            f"{count:,} digits in {name}: {statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
        )
    began = time.perf_counter()
    ganforge.evaluate("mnist", n=count)
    print(f"all figures on {count:,}, drawing and reading the data included: {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
