"""Training beside other busy processes: speed/busy.py [RECIPE] [STEPS] [BUSY ...].

The same training on MNIST in turn, as torch's threads wait for each other by themselves ("before": libgomp's own
GOMP_SPINCOUNT, which ganforge takes for the user's setting and leaves alone) and as ganforge lets them ("now"): alone,
beside one busy loop and beside four, or beside as many as are named. Milliseconds a step, from the first to the last.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ROUNDS, ROUNDS_BESIDE_MANY = 7, 3
BEFORE = {"GOMP_SPINCOUNT": "300000"}
"""What libgomp takes where nothing is set."""
SLOWER = {0: 1, 1: 10}
"""Beside others only a part of the steps is played of what takes so much longer: a tenth, beside many a hundredth."""

CODE = """
import sys, tempfile, time
import ganforge
from ganforge.experiment.experiment import ProgressListener

name, steps = sys.argv[1], int(sys.argv[2])

class Clock(ProgressListener):
    def look(self, state, stats):
        if state.step == 1:
            self.began = time.perf_counter()
        if state.step == steps + 1:
            print((time.perf_counter() - self.began) / steps)
            raise SystemExit  # no verdict

with tempfile.TemporaryDirectory() as folder:
    ganforge.train(name, data="mnist", steps=steps + 2, out=folder + "/run", watcher=Clock())
"""


def seconds(name: str, steps: int, setting: dict[str, str]) -> float:
    """Return the seconds of a step of a training in a process of its own."""
    command = [sys.executable, "-c", CODE, name, str(steps)]
    return float(subprocess.run(command, env=os.environ | setting, stdout=subprocess.PIPE, check=True).stdout)


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep so many processes busy."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def told(times: list[float]) -> str:
    """Say the median and the range in milliseconds."""
    return f"{1e3 * statistics.median(times):.2f} ({1e3 * min(times):.2f} to {1e3 * max(times):.2f})"


def main() -> None:
    """Print all of it."""
    name = sys.argv[1] if len(sys.argv) > 1 else "vanilla"
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 1500
    alone = None
    for count in map(int, sys.argv[3:] or ("0", "1", "4")):
        before, now = list[float](), list[float]()
        with busy(count):
            for _ in range(ROUNDS if count < 2 else ROUNDS_BESIDE_MANY):
                before.append(seconds(name, max(1, steps // SLOWER.get(count, 100)), BEFORE))
                now.append(seconds(name, steps, {}))
        ratios = sorted(there / here for there, here in zip(now, before, strict=True))
        alone = alone or statistics.median(now)
        print(
            f"{name} beside {count} busy: before {told(before)} ms a step, now {told(now)}: "
            f"{statistics.median(ratios):.2f} times ({ratios[0]:.2f} to {ratios[-1]:.2f}), "
            f"{statistics.median(now) / alone:.2f} times the first row",
            flush=True,
        )


if __name__ == "__main__":
    main()
