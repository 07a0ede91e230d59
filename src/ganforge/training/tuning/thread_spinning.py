"""Shorter spinning of idle OpenMP threads while other processes use the same cores."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

STAT = Path("/proc/stat")
SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
"""Environment variables by which a user sets the spinning; they take precedence."""
INTERVAL = 0.25
"""Seconds between two measurements of the use of the cores."""
MARGIN = 0.3
"""Cores that other processes may use without effect: the system itself uses some time."""
FREE_INTERVALS = 4
"""Consecutive measurements with free cores before the threads spin as usual again."""
PARALLEL_SIZE = 2**15
"""Number of elements from which torch gives an operation a second thread."""


@contextmanager
def considerate_spinning() -> Iterator[None]:
    """Make idle torch threads sleep at once instead of spinning, while other processes use the same cores.

    libgomp lets a waiting thread spin for some milliseconds, because waking a thread is slow. If another process shares
    a core, a thread may spin on the core that the awaited thread needs, and a step takes twenty times as long
    (docs/lab/performance.md). libgomp hardly spins while it manages more threads than there are cores (its manual,
    GOMP_SPINCOUNT). So while the cores are shared, this context keeps additional sleeping threads.

    Results do not depend on it. It does nothing with one thread, without ``/proc/stat``, or where the user has set one
    of `SETTINGS`.
    """
    if torch.get_num_threads() == 1 or not STAT.exists() or any(name in os.environ for name in SETTINGS):
        yield
        return
    done = threading.Event()
    monitor = threading.Thread(target=_monitor, args=(done, torch.get_num_threads()), daemon=True)
    monitor.start()
    try:
        yield
    finally:
        done.set()
        monitor.join()


def _monitor(done: threading.Event, threads: int) -> None:
    """Start sleeping threads while the cores are shared, and stop them once the cores are free, until ``done``."""
    cores = os.sched_getaffinity(0)
    last, sleepers, free_count = Usage.now(cores), Sleepers(), 0
    while not done.wait(INTERVAL):
        usage = Usage.now(cores)
        shared = threads + usage.other_cores_since(last) > len(cores) + MARGIN
        last, free_count = usage, 0 if shared else free_count + 1
        if shared and not sleepers.active:
            sleepers.start(threads, len(cores))
        elif sleepers.active and free_count >= FREE_INTERVALS:
            sleepers.stop()
    sleepers.stop()


@dataclass(frozen=True)
class Usage:
    """CPU seconds of some cores (``busy``) and of this process (``own``) up to a ``time``."""

    time: float
    busy: float
    own: float

    @classmethod
    def now(cls, cores: set[int]) -> "Usage":
        """Measure the usage of ``cores``: all fields but ``idle`` and ``iowait`` of their lines, see proc(5)."""
        rows = (line.split() for line in STAT.read_text().splitlines())
        times = [list(map(int, row[1:9])) for row in rows if row[0][:3] == "cpu" and row[0][3:] in map(str, cores)]
        ticks = sum(sum(row[:3]) + sum(row[5:]) for row in times)
        return cls(time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), time.process_time())

    def other_cores_since(self, last: "Usage") -> float:
        """Return how many cores other processes have used on average since ``last``."""
        return ((self.busy - last.busy) - (self.own - last.own)) / (self.time - last.time)


class Sleepers:
    """Sleeping OpenMP teams, so many that libgomp manages more threads than there are cores."""

    def __init__(self) -> None:
        self._teams: list[threading.Thread] = []
        self._stopped = threading.Event()

    @property
    def active(self) -> bool:
        """Whether the teams are running."""
        return bool(self._teams)

    def start(self, threads: int, cores: int) -> None:
        """Start the teams, in addition to the existing team of ``threads``."""
        self._stopped.clear()
        count = (cores - threads) // (threads - 1) + 1
        self._teams = [threading.Thread(target=self._sleep, args=(threads,), daemon=True) for _ in range(count)]
        for team in self._teams:
            team.start()

    def _sleep(self, threads: int) -> None:
        # a parallel operation gives this thread an OpenMP team of its own
        torch.empty(threads * PARALLEL_SIZE, dtype=torch.uint8, device="cpu").fill_(0)
        self._stopped.wait()

    def stop(self) -> None:
        """End the threads, each with its team."""
        self._stopped.set()
        for team in self._teams:
            team.join()
        self._teams = []
