"""Several ganforge commands at the same time, in processes that do one after the other, and signals as flags."""

import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from typing import Any

from ganforge.errors import Interrupted, RunFailed, UserError

LOOK = 0.1
"""Seconds between two looks at which processes have ended."""
INTERRUPTED = 130
FAILURES: dict[int, type[Exception]] = {2: UserError, INTERRUPTED: Interrupted}
ANSWER = "\x1eganforge: "
"""How a line begins that ends a job; every other line is what the job says meanwhile."""
STOP_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
"""Signals that ask a process to end: Ctrl-C, ``kill``, a terminal that closes (SIGBREAK is the SIGHUP of Windows)."""

Hear = Callable[[str, str], None]
"""Told every line that a command says beside its result: the job's name, and the line."""


@dataclass(frozen=True)
class Job:
    """A ganforge command that ends with one JSON object, and what it is called before a person."""

    name: str
    arguments: tuple[str, ...]


class _Worker:
    """A process that does one job after the other: torch and all else is loaded once, not for every job.

    What it says is read by a thread, so that it never waits for somebody to read it.
    """

    def __init__(self, threads: int, hear: Hear) -> None:
        self.job: Job | None = None
        self._hear, self._said, self._answer = hear, "", ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ganforge", "work"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "OMP_NUM_THREADS": str(threads),
                "MKL_NUM_THREADS": str(threads),
                "PYTHONIOENCODING": "utf-8",
            },
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith(ANSWER):
                self._answer = line.removeprefix(ANSWER)
            elif self.job and (line := line.strip()):
                self._said = line
                self._hear(self.job.name, line)

    def begin(self, job: Job) -> None:
        """Give it a job."""
        assert self._process.stdin
        self.job, self._said, self._answer = job, "", ""
        with suppress(BrokenPipeError):  # it is gone, which its exit code tells
            self._process.stdin.write(json.dumps(job.arguments) + "\n")
            self._process.stdin.flush()

    def is_done(self) -> bool:
        """Whether its job has ended, one way or another."""
        return bool(self._answer) or self._process.poll() is not None

    def result(self) -> dict[str, Any]:
        """Return the object that its job gave at its end; it has no job then.

        Raises:
            UserError, RunFailed, Interrupted: it gave none, by its exit code.
        """
        assert self.job
        if self._process.poll() is not None:
            self._reader.join()
        name, self.job = self.job.name, None
        code, given = json.loads(self._answer) if self._answer else (self._process.returncode, "")
        try:
            answer = json.loads(given)
        except ValueError:
            answer = {}
        if code == 0 and answer:
            return dict(answer)
        why = answer.get("error") or self._said or f"its process ended with {code} and said nothing"
        raise FAILURES.get(code, RunFailed)(why if why.startswith(name) else f"{name}: {why}")

    def stop(self) -> None:
        """Let it end: at once without a job, or as its job ends when it is interrupted."""
        assert self._process.stdin
        if self.job:
            self._process.terminate()
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def end(self) -> None:
        """Wait for its end and close its pipe."""
        self._process.wait()
        self._reader.join()
        assert self._process.stdout
        self._process.stdout.close()


def run_worker(do: Callable[[list[str]], None]) -> Iterator[str]:
    """Be such a process: ``do`` the commands that standard input names, a line each, and yield a line after each.

    It answers with the exit code, and what was printed. ``do`` ends by ``SystemExit``, as a program does. Where
    standard input ends, its owner is done or was killed: a job that is under way is interrupted.
    """
    jobs: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    working = threading.Event()

    def read() -> None:
        for line in sys.stdin:
            jobs.put(line)
        jobs.put(None)
        if working.is_set():
            signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=read, daemon=True).start()
    while line := jobs.get():
        working.set()
        given, code = io.StringIO(), 0
        with redirect_stdout(given):
            try:
                do(json.loads(line))
            except SystemExit as end:
                code = int(end.code or 0)
        working.clear()
        yield ANSWER + json.dumps([code, given.getvalue()])
        if code == INTERRUPTED:
            return


def side_by_side(jobs: Sequence[Job], at_once: int, threads: int, hear: Hear) -> list[dict[str, Any]]:
    """Do jobs, so many ``at_once``, with so many ``threads`` each; return what each gave at its end, in their order.

    The first that fails, and Ctrl-C, SIGTERM or SIGHUP, stop the others, which save themselves as they would alone.

    Raises:
        UserError, RunFailed, Interrupted: as the job that failed.
    """
    waiting, one_at_a_time = list(jobs), threading.Lock()

    def hear_in_turn(name: str, line: str) -> None:
        """Let whoever hears be called by one reader at a time."""
        with one_at_a_time:
            hear(name, line)

    workers = list[_Worker]()
    results: dict[str, dict[str, Any]] = {}
    with stop_signals() as stopped:
        try:
            workers += [_Worker(threads, hear_in_turn) for _ in range(min(at_once, len(jobs)))]
            while len(results) < len(jobs):
                for idle in [worker for worker in workers if not worker.job][: len(waiting)]:
                    idle.begin(waiting.pop(0))
                working = {worker.job.name: worker for worker in workers if worker.job}
                if stopped.wait(LOOK):
                    raise Interrupted(
                        f"stopped at {', '.join(working)}; what was saved is safe, the same command goes on"
                    )
                results |= {name: worker.result() for name, worker in working.items() if worker.is_done()}
        finally:
            for worker in workers:
                worker.stop()
            for worker in workers:
                worker.end()
    return [results[job.name] for job in jobs]


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Turn Ctrl-C, SIGTERM and SIGHUP into a flag, which is read when nothing is half done."""
    stopped = threading.Event()
    before = _handle(lambda number, frame: stopped.set())
    try:
        yield stopped
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def raise_on_stop_signals() -> None:
    """Let SIGTERM and SIGHUP be as good as Ctrl-C: outside of training there is nothing to bring to an end."""
    _handle(signal.default_int_handler)


def ignore_stop_signals() -> None:
    """Let no signal disturb the last moments of a process that ends anyway."""
    _handle(signal.SIG_IGN)


def _handle(handler: Callable[[int, Any], Any] | signal.Handlers) -> dict[int, Any]:
    """Handle the signals that ask to end, and return their handlers of before; only the main thread can.

    A SIGHUP that is ignored stays ignored: whoever starts with ``nohup`` wants to outlive the terminal.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    hang_up = getattr(signal, "SIGHUP", None)
    heeded = [it for it in STOP_SIGNALS if it != hang_up or signal.getsignal(it) != signal.SIG_IGN]
    return {number: signal.signal(number, handler) or signal.SIG_DFL for number in heeded}
