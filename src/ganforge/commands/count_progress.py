"""Progress of work that is counted: the steps of a benchmark or of a judge."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ganforge.commands.console import say

PLAIN_EVERY_SECONDS = 10.0


class CountProgress:
    """A bar with the time left on a terminal, a line every ten seconds in a file or a pipe; all on stderr."""

    def __init__(self, unit: str = "steps") -> None:
        console = Console(stderr=True)
        description = TextColumn("{task.description}", markup=False)
        columns = description, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("preparing", total=None)
        self._started = self._printed = time.perf_counter()
        self._unit = unit
        self._first: float | None = None
        self._total = 0
        self._bar.start()

    def __call__(self, done: float, total: int, status: str) -> None:
        """Show that ``done`` of ``total`` units are done."""
        self._bar.update(self._task, completed=done, total=total, description=status)
        now = time.perf_counter()
        if self._first is None or total != self._total or done < self._first:  # a new phase of work
            self._started, self._first, self._total = now, done, total
        if self._bar.disable and now - self._printed >= PLAIN_EVERY_SECONDS and done > self._first:
            self._printed = now
            left = (now - self._started) / (done - self._first) * (total - done)
            say(f"{status} · {done:,.0f} of {total:,} {self._unit} · {left:,.0f} s left", as_json=True)

    def counting(self, status: str, total: int) -> Callable[[int], None]:
        """Return a function that takes the units just done of a phase of work, and shows their sum."""
        done = 0

        def add(count: int) -> None:
            nonlocal done
            done += count
            self(done, max(total, done), status)

        return add

    def stop(self) -> None:
        """Remove the bar."""
        self._bar.stop()
