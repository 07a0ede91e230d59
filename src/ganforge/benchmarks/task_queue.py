"""A queue of tasks that several processes on one machine share: each task is done once."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ganforge.runs.folder import lock_folder

WAIT = 1.0
"""Seconds between two checks of tasks in other processes."""

OnProgress = Callable[[float, int, str], None]
"""Called now and then with (tasks done by all processes, tasks in all, current task)."""
OnFraction = Callable[[float], None]
"""Called by a task with the fraction of it, 0 to 1, that is done."""


@dataclass(frozen=True)
class Task:
    """A task is done once its result file exists; ``run`` writes that file atomically."""

    title: str
    result: Path
    run: Callable[[OnFraction], None]

    @property
    def done(self) -> bool:
        """Whether any process has finished the task."""
        return self.result.exists()


def run_tasks(tasks: Sequence[Task], on_progress: OnProgress) -> None:
    """Run all open tasks except those in progress in other processes; return when all tasks are done.

    A lock ends with its process, so that the other processes take over the task of a process that ended.
    """

    def report(task: Task, fraction: float) -> None:
        on_progress(sum(other.done for other in tasks) + fraction, len(tasks), task.title)

    while left := [task for task in tasks if not task.done]:
        idle = True
        for task in left:
            with lock_folder(task.result.parent) as acquired:
                idle = idle and not acquired
                if acquired and not task.done:
                    report(task, 0.0)
                    task.run(partial(report, task))
        if idle:
            on_progress(len(tasks) - len(left), len(tasks), f"{left[0].title} · waiting for another process")
            time.sleep(WAIT)
