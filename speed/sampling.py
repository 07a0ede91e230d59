"""How long 10,000 digits of the shipped generator take, and all figures on them: speed/sampling.py [N]."""

import statistics
import sys
import time

import ganforge

ROUNDS = 5


def main() -> None:
    """Print the medians."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    for precision in ("fp32", "bf16"):
        generator = ganforge.load("mnist", precision=precision)
        generator.sample(1000)
        seconds = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            generator.sample(count)
            seconds.append(time.perf_counter() - began)
        median, least, most = statistics.median(seconds), min(seconds), max(seconds)
        print(f"{count:,} digits in {precision}: {median:.2f} s ({least:.2f} to {most:.2f})")
    began = time.perf_counter()
    ganforge.evaluate("mnist", n=count)
    print(f"all figures on {count:,}, drawing and reading the data included: {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
