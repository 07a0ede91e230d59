"""Real processes for tests: several that start at the same moment, and some that are killed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, which spares loading torch anew")


def together(script: str, *arguments: object, count: int = 4) -> list[str]:
    """Run a Python script in several processes, let all go on at ``wait()`` at once, and return what each printed."""
    wait = "import pathlib, time\ndef wait():\n    print('here', flush=True)\n    input()\n"
    command = [sys.executable, "-c", wait + script, *map(str, arguments)]
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=os.environ | paths())
        for _ in range(count)
    ]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * count, ends
    return [out.strip() for out, _ in ends]


def paths() -> dict[str, str]:
    """Let a process import what this one can."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def forked(do: Callable[[], object]) -> int:
    """Do something in a process of its own; return its id."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        do()
        code = 0
    finally:
        os._exit(code)


def end_of(process: int) -> int:
    """Wait for such a process; return its exit code, negative if a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def kill_after(command: Sequence[str], seconds: float) -> None:
    """Start a program, and kill it so long after the first line that it prints."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | paths()) as process:
        process.stdout.readline()
        time.sleep(seconds)
        process.kill()


def left_in(folder: Path) -> list[str]:
    """List the temporary files and folders below a folder."""
    return sorted(path.name for path in folder.rglob(".*.writing"))
