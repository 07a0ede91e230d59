"""Work that several processes on one machine do together: each task once, whoever comes first."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from ganforge.errors import UserError

WAIT = 1.0
"""Seconds between two looks at what other processes are still at."""

Tell = Callable[[float, int, str], None]
"""Told now and then how many of how many tasks are done, by whom ever, and what is done at the moment."""
Share = Callable[[float], None]
"""Told by a task which part of itself, 0 to 1, is done."""


@dataclass(frozen=True)
class Task:
    """Something that is done once its file exists; ``do`` writes that file whole or not at all."""

    what: str
    result: Path
    do: Callable[[Share], None]

    @property
    def done(self) -> bool:
        """Whether anybody has done it."""
        return self.result.exists()


def run_tasks(tasks: Sequence[Task], tell: Tell) -> None:
    """Do all that is not done, but leave to other processes what they are at; come back when all is done.

    What a process was at when it ended, however it ended, is done by the others: locks die with their process.
    """

    def progress(task: Task, part: float) -> None:
        tell(sum(other.done for other in tasks) + part, len(tasks), task.what)

    while left := [task for task in tasks if not task.done]:
        idle = True
        for task in left:
            with locked(task.result.parent, wait=False) as mine:
                idle = idle and not mine
                if mine and not task.done:
                    progress(task, 0.0)
                    task.do(partial(progress, task))
        if idle:
            tell(len(tasks) - len(left), len(tasks), f"{left[0].what} · waiting for another process")
            time.sleep(WAIT)


@contextmanager
def locked(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Make a folder and keep other processes out of it; say whether that succeeded, or ``wait`` until it does.

    Raises:
        UserError: nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        yield False
        return
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}; choose another --out") from None
    try:
        yield True
    finally:
        lock.release()
