"""How long the threads of a step spin before they sleep: as long as they like alone, hardly at all beside others."""

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
"""Variables by which a user settles this."""
LOOK = 0.25
"""Seconds between two looks at who uses the cores."""
MARGIN = 0.3
"""Cores that others may use without being noticed: what the system itself does now and then."""
CALM = 4
"""Looks in a row that must find room before the threads spin as before."""
GRAIN = 2**15
"""Elements from which torch gives an operation a second thread."""


@contextmanager
def considerate_spinning() -> Iterator[None]:
    """Let the threads of torch sleep at once, instead of spinning, while other processes want their cores.

    libgomp lets a thread that waits for the others spin for some milliseconds, because waking it takes long. Where
    another process shares a core, a thread spins while the one that it waits for has no core to run on: a step takes
    twenty times as long (docs/lab/performance.md). While it manages more threads than there are cores, libgomp hardly
    spins (its manual, GOMP_SPINCOUNT). So as long as the cores are shared some more threads are kept, asleep.

    No result depends on it. Nothing happens with one thread, where the system does not say who uses its cores, and
    where the user has set how to wait (`SETTINGS`).
    """
    if torch.get_num_threads() == 1 or not STAT.exists() or any(name in os.environ for name in SETTINGS):
        yield
        return
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(done, torch.get_num_threads()), daemon=True)
    watch.start()
    try:
        yield
    finally:
        done.set()
        watch.join()


def _watch(done: threading.Event, threads: int) -> None:
    """Keep more threads, asleep, for as long as the cores are shared with others."""
    cores = os.sched_getaffinity(0)
    last, sleepers, calm = Usage.now(cores), Sleepers(), 0
    while not done.wait(LOOK):
        usage = Usage.now(cores)
        crowded = threads + usage.of_others_since(last) > len(cores) + MARGIN
        last, calm = usage, 0 if crowded else calm + 1
        if crowded and not sleepers.there:
            sleepers.come(threads, len(cores))
        elif sleepers.there and calm >= CALM:
            sleepers.go()
    sleepers.go()


@dataclass(frozen=True)
class Usage:
    """Seconds for which some cores were busy, up to a time, and for which this process was."""

    time: float
    busy: float
    own: float

    @classmethod
    def now(cls, cores: set[int]) -> "Usage":
        """Read how much some cores have done until now: all but ``idle`` and ``iowait`` of their lines, see proc(5)."""
        rows = (line.split() for line in STAT.read_text().splitlines())
        times = [list(map(int, row[1:9])) for row in rows if row[0][:3] == "cpu" and row[0][3:] in map(str, cores)]
        ticks = sum(sum(row[:3]) + sum(row[5:]) for row in times)
        return cls(time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), time.process_time())

    def of_others_since(self, last: "Usage") -> float:
        """Return how many cores other processes have used."""
        return ((self.busy - last.busy) - (self.own - last.own)) / (self.time - last.time)


class Sleepers:
    """Teams of threads that have worked for a moment and then sleep until they go: enough to outnumber the cores."""

    def __init__(self) -> None:
        self._teams: list[threading.Thread] = []
        self._over = threading.Event()

    @property
    def there(self) -> bool:
        """Whether there are any."""
        return bool(self._teams)

    def come(self, threads: int, cores: int) -> None:
        """Start them, beside a team of so many ``threads``."""
        self._over.clear()
        count = (cores - threads) // (threads - 1) + 1
        self._teams = [threading.Thread(target=self._sleep, args=(threads,), daemon=True) for _ in range(count)]
        for team in self._teams:
            team.start()

    def _sleep(self, threads: int) -> None:
        torch.empty(threads * GRAIN, dtype=torch.uint8, device="cpu").fill_(0)  # gives this thread a team of its own
        self._over.wait()

    def go(self) -> None:
        """End them, and with each its team."""
        self._over.set()
        for team in self._teams:
            team.join()
        self._teams = []
