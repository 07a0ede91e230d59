"""A pool of processes that run ganforge commands in parallel, and stop signals as flags."""

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

POLL_SECONDS = 0.1
"""Seconds between two checks which processes have ended."""
INTERRUPTED = 130
FAILURES: dict[int, type[Exception]] = {2: UserError, INTERRUPTED: Interrupted}
ANSWER = "\x1eganforge: "
"""Prefix of the line that ends a job; every other line is progress output of the job."""
STOP_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
"""Signals that ask a process to end: Ctrl-C, ``kill``, a terminal that closes (SIGBREAK is the SIGHUP of Windows)."""

OnLine = Callable[[str, str], None]
"""Called with every line that a command prints besides its result: (name of the job, line)."""


@dataclass(frozen=True)
class Job:
    """A ganforge command that ends with one JSON object, and its display name."""

    name: str
    arguments: tuple[str, ...]


class _Worker:
    """A process that runs one job after another, so that torch is imported once and not for every job.

    A thread reads its output, so that the process never blocks on a full pipe.
    """

    def __init__(self, threads: int, on_line: OnLine) -> None:
        self.job: Job | None = None
        self._on_line, self._last_line, self._answer = on_line, "", ""
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
                self._last_line = line
                self._on_line(self.job.name, line)

    def start(self, job: Job) -> None:
        """Send a job to the process."""
        assert self._process.stdin
        self.job, self._last_line, self._answer = job, "", ""
        with suppress(BrokenPipeError):  # the process is gone; its exit code says why
            self._process.stdin.write(json.dumps(job.arguments) + "\n")
            self._process.stdin.flush()

    def is_done(self) -> bool:
        """Whether the job has ended, with a result or not."""
        return bool(self._answer) or self._process.poll() is not None

    def result(self) -> dict[str, Any]:
        """Return the JSON object of the finished job; the worker is idle afterwards.

        Raises:
            UserError, RunFailed, Interrupted: the job failed; the class depends on its exit code.
        """
        assert self.job
        if self._process.poll() is not None:
            self._reader.join()
        name, self.job = self.job.name, None
        code, printed = json.loads(self._answer) if self._answer else (self._process.returncode, "")
        try:
            answer = json.loads(printed)
        except ValueError:
            answer = {}
        if code == 0 and answer:
            return dict(answer)
        reason = answer.get("error") or self._last_line or f"its process ended with code {code} and no message"
        raise FAILURES.get(code, RunFailed)(reason if reason.startswith(name) else f"{name}: {reason}")

    def stop(self) -> None:
        """Let the process end: an idle one at once, a busy one as its interrupted job ends."""
        assert self._process.stdin
        if self.job:
            self._process.terminate()
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def end(self) -> None:
        """Wait for the end of the process and close its pipe."""
        self._process.wait()
        self._reader.join()
        assert self._process.stdout
        self._process.stdout.close()


def run_worker(run: Callable[[list[str]], None]) -> Iterator[str]:
    """Serve as a worker: run the commands on standard input, one a line, and yield an answer line after each.

    The answer holds the exit code and the printed text. ``run`` ends with ``SystemExit``, as a program does. At the end
    of standard input, the owner has finished or was killed: a job in progress is interrupted.
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
        printed, code = io.StringIO(), 0
        with redirect_stdout(printed):
            try:
                run(json.loads(line))
            except SystemExit as end:
                code = int(end.code or 0)
        working.clear()
        yield ANSWER + json.dumps([code, printed.getvalue()])
        if code == INTERRUPTED:
            return


def side_by_side(jobs: Sequence[Job], at_once: int, threads: int, on_line: OnLine) -> list[dict[str, Any]]:
    """Run jobs, ``at_once`` in parallel with ``threads`` threads each; return their results in the order of the jobs.

    The first failure stops the other jobs, and so does Ctrl-C, SIGTERM or SIGHUP; each saves its state as it would
    alone.

    Raises:
        UserError, RunFailed, Interrupted: the error of the job that failed.
    """
    waiting, lock = list(jobs), threading.Lock()

    def on_line_in_turn(name: str, line: str) -> None:
        """Call ``on_line`` from one reader thread at a time."""
        with lock:
            on_line(name, line)

    workers = list[_Worker]()
    results: dict[str, dict[str, Any]] = {}
    with stop_signals() as stopped:
        try:
            workers += [_Worker(threads, on_line_in_turn) for _ in range(min(at_once, len(jobs)))]
            while len(results) < len(jobs):
                for idle in [worker for worker in workers if not worker.job][: len(waiting)]:
                    idle.start(waiting.pop(0))
                working = {worker.job.name: worker for worker in workers if worker.job}
                if stopped.wait(POLL_SECONDS):
                    raise Interrupted(
                        f"stopped at {', '.join(working)}; saved work is safe, and the same command resumes it"
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
    """Turn Ctrl-C, SIGTERM and SIGHUP into a flag, which the caller checks at a safe point."""
    stopped = threading.Event()
    before = _handle(lambda number, frame: stopped.set())
    try:
        yield stopped
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def raise_on_stop_signals() -> None:
    """Treat SIGTERM and SIGHUP like Ctrl-C: outside of training, no state must be saved first."""
    _handle(signal.default_int_handler)


def ignore_stop_signals() -> None:
    """Ignore stop signals in a process that is about to end."""
    _handle(signal.SIG_IGN)


def _handle(handler: Callable[[int, Any], Any] | signal.Handlers) -> dict[int, Any]:
    """Set a handler for the stop signals and return the old handlers; only the main thread can do so.

    An ignored SIGHUP stays ignored: a process started with ``nohup`` must outlive its terminal.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    hang_up = getattr(signal, "SIGHUP", None)
    handled = [stop for stop in STOP_SIGNALS if stop != hang_up or signal.getsignal(stop) != signal.SIG_IGN]
    return {number: signal.signal(number, handler) or signal.SIG_DFL for number in handled}
