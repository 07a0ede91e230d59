"""Real processes for tests: several that start simultaneously, and some that are killed."""

import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, which spares loading torch anew")


def together(script: str, *arguments: object, count: int = 4) -> list[str]:
    """Run a Python script in several processes that pass ``wait()`` simultaneously; return the output of each."""
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
    """Give a subprocess the import path of this process."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def forked(do: Callable[[], object]) -> int:
    """Run a function in a child process; return its id."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        do()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def forked_at_once(do: Callable[[], object], count: int = 4) -> None:
    """Run a function in several processes that start simultaneously; all must finish."""
    read_end, write_end = os.pipe()

    def wait_and_do() -> None:
        os.close(write_end)
        os.read(read_end, 1)  # returns when the last process closes it
        do()

    processes = [forked(wait_and_do) for _ in range(count)]
    os.close(read_end), os.close(write_end)
    assert [end_of(process) for process in processes] == [0] * count


def end_of(process: int) -> int:
    """Wait for a child process; return its exit code, negative after a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def kill_after(command: Sequence[str], seconds: float) -> None:
    """Start a program, and kill it some seconds after its first line of output."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | paths()) as process:
        process.stdout.readline()
        time.sleep(seconds)
        process.kill()


def left_in(folder: Path) -> list[str]:
    """List the temporary files and folders in a folder."""
    return sorted(path.name for path in folder.rglob(".*.writing"))
