"""A forked child works if torch can work in it, and is refused with one line if it would hang."""

import os
import subprocess
import sys

import pytest

from ganforge import forks
from ganforge.errors import UserError

SCRIPT = """
import os

import torch

import ganforge.generation.generator
from ganforge import forks

def child(name, threads=2):
    if os.fork() == 0:
        torch.set_num_threads(threads)
        for _ in range(2):
            try:
                ganforge.load("mnist").sample(4)
                print(name, "works", flush=True)
            except ganforge.UserError as error:
                print(name, "is refused:", error, flush=True)
                forks.DEADLINE_SECONDS = 1e9  # the result of the first test is kept
        os._exit(0)
    os.wait()

torch.set_num_threads(2)
child("forked before")
torch.ones(1 << 20).exp()
forks.DEADLINE_SECONDS = 0.5
child("forked after")
child("with one thread", 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_works_or_is_refused():
    script = [sys.executable, "-c", SCRIPT]
    lines = subprocess.run(script, capture_output=True, text=True, timeout=120, check=True).stdout.splitlines()
    assert lines[:2] == ["forked before works"] * 2
    assert lines[-2:] == ["with one thread works"] * 2
    if sys.platform == "linux":  # other systems' OpenMP may survive a fork
        assert len(lines) == 6
        assert all("forked after is refused" in line and "'spawn'" in line for line in lines[2:4])


def test_a_gpu_is_not_shared_with_a_forked_child(monkeypatch):
    monkeypatch.setattr(forks, "_untested", True)
    monkeypatch.setattr(forks, "_cuda", True)
    with pytest.raises(UserError, match="GPU"):
        forks.refuse_broken_fork()
