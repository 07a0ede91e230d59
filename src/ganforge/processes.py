"""Several ganforge commands at the same time, each in a process of its own, and signals as flags."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ganforge.errors import Interrupted, RunFailed, UserError

LOOK = 0.1
"""Seconds between two looks at which processes have ended."""
FAILURES: dict[int, type[Exception]] = {2: UserError, 130: Interrupted}

Hear = Callable[[str, str], None]
"""Told every line that a command says beside its result: the job's name, and the line."""


@dataclass(frozen=True)
class Job:
    """A ganforge command that ends with one JSON object, and what it is called before a person."""

    name: str
    arguments: tuple[str, ...]


@dataclass
class _Process:
    """A job at work; its output is read by threads, so that it never waits for somebody to read it."""

    job: Job
    process: subprocess.Popen[str]
    hear: Hear
    given: list[str] = field(default_factory=list)
    said: str = ""

    def __post_init__(self) -> None:
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._take_result, self._listen)]
        for reader in self._readers:
            reader.start()

    def _take_result(self) -> None:
        assert self.process.stdout
        self.given.extend(self.process.stdout)

    def _listen(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            if line := line.strip():
                self.said = line
                self.hear(self.job.name, line)

    def end(self) -> int:
        """Wait for its end and close its pipes; return its exit code."""
        code = self.process.wait()
        for reader in self._readers:
            reader.join()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe
            pipe.close()
        return code

    def result(self) -> dict[str, Any]:
        """Return the object it gave at its end.

        Raises:
            UserError, RunFailed, Interrupted: it gave none, by its exit code.
        """
        code = self.end()
        try:
            answer = json.loads("".join(self.given))
        except ValueError:
            answer = {}
        if code == 0 and answer:
            return dict(answer)
        why = answer.get("error") or self.said or f"its process ended with {code} and said nothing"
        raise FAILURES.get(code, RunFailed)(why if why.startswith(self.job.name) else f"{self.job.name}: {why}")


def side_by_side(jobs: Sequence[Job], at_once: int, threads: int, hear: Hear) -> list[dict[str, Any]]:
    """Do jobs, so many ``at_once``, with so many ``threads`` each; return what each gave at its end, in their order.

    The first that fails, and Ctrl-C or SIGTERM, stop the others, which save themselves as they would alone.

    Raises:
        UserError, RunFailed, Interrupted: as the job that failed.
    """
    waiting, working, one_at_a_time = list(jobs), list[_Process](), threading.Lock()

    def hear_in_turn(name: str, line: str) -> None:
        """Let whoever hears be called by one reader at a time."""
        with one_at_a_time:
            hear(name, line)

    results: dict[str, dict[str, Any]] = {}
    with stop_signals() as stopped:
        try:
            while waiting or working:
                while waiting and len(working) < at_once:
                    working.append(_start(waiting.pop(0), threads, hear_in_turn))
                if stopped.wait(LOOK):
                    at = ", ".join(one.job.name for one in working)
                    raise Interrupted(f"stopped at {at}; what was saved is safe, the same command goes on")
                for ended in [one for one in working if one.process.poll() is not None]:
                    working.remove(ended)
                    results[ended.job.name] = ended.result()
        finally:
            for one in working:
                one.process.terminate()
            for one in working:
                one.end()
    return [results[job.name] for job in jobs]


def _start(job: Job, threads: int, hear: Hear) -> _Process:
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    process = subprocess.Popen(
        [sys.executable, "-m", "ganforge", *job.arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    return _Process(job, process, hear)


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Turn Ctrl-C and SIGTERM into a flag, which is read when nothing is half done."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    handler: Callable[[int, Any], None] = lambda number, frame: stopped.set()  # noqa: E731
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, old in before.items():
            signal.signal(number, old)
