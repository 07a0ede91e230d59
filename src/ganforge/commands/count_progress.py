"""Progress of the training of a judge."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ganforge.commands.console import say

PLAIN_EVERY_SECONDS = 10.0


class TrainingProgress:
    """A bar with the time left on a terminal, a line every ten seconds in a file or a pipe; all on stderr."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = TextColumn("loss {task.fields[loss]:.3f}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("training", loss=float("nan"))
        self._started = self._printed = time.perf_counter()

    def __enter__(self) -> "TrainingProgress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int, loss: float) -> None:
        """Show the progress after a training step."""
        self._bar.update(self._task, completed=done, total=total, loss=loss)
        now = time.perf_counter()
        if self._bar.disable and now - self._printed >= PLAIN_EVERY_SECONDS:
            self._printed = now
            left = (now - self._started) / done * (total - done)
            say(f"step {done:,} of {total:,} · loss {loss:.3f} · {left:,.0f} s left", as_json=True)
