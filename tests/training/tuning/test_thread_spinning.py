"""Sleeping threads start and stop with the load of other processes, and results do not depend on them."""

import os
import sys
import threading
import time

import pytest
import torch

import ganforge
from ganforge.training.tuning import thread_spinning
from ganforge.training.tuning.thread_spinning import Sleepers, Usage, considerate_spinning

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc/stat is on Linux only")


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    for name in thread_spinning.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(thread_spinning, "INTERVAL", 0.01)
    yield
    torch.set_num_threads(before)


def threads():
    """Return the number of threads of this process, including those of libgomp."""
    return len(os.listdir("/proc/self/task"))


def wait_for(condition):
    """Wait until the condition is true."""
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


STAT = """cpu  900 0 900 900 0 0 0 0 0 0
cpu0 {0} 10 20 5000 600 1 2 3 0 0
cpu1 40 0 0 9000 0 0 0 0 0 0
cpu10 7000 0 0 0 0 0 0 0 0 0
intr 1 2 3
"""


def test_usage_is_that_of_others_on_our_cores(tmp_path, monkeypatch):
    file = tmp_path / "stat"
    monkeypatch.setattr(thread_spinning, "STAT", file)
    file.write_text(STAT.format(100))
    tick = os.sysconf("SC_CLK_TCK")
    assert Usage.now({0, 1}).busy * tick == pytest.approx(100 + 10 + 20 + 1 + 2 + 3 + 40)
    assert Usage(8.0, 9.0, 3.0).other_cores_since(Usage(6.0, 5.0, 2.0)) == 1.5  # 4 s busy, 1 s ours, in 2 s


def test_sleepers_outnumber_the_cores_and_end():
    torch.empty(2**20).fill_(0)  # the main thread has its team
    before, sleepers = threads(), Sleepers()
    sleepers.start(2, 4)
    wait_for(lambda: threads() == before + 6)  # three teams of two: five threads of libgomp, more than four cores
    sleepers.stop()
    wait_for(lambda: threads() == before)
    assert not sleepers.active


def test_sleepers_start_when_others_use_the_cores_and_stop_when_cores_are_free(monkeypatch):
    calls = []
    start, stop = Sleepers.start, Sleepers.stop
    monkeypatch.setattr(Sleepers, "start", lambda *arguments: calls.append("start") or start(*arguments))
    monkeypatch.setattr(Sleepers, "stop", lambda self: calls.append("stop") or stop(self))
    monkeypatch.setattr(Usage, "other_cores_since", lambda *_: 9.0)
    with considerate_spinning():
        wait_for(lambda: calls == ["start"])
        monkeypatch.setattr(Usage, "other_cores_since", lambda *_: 0.0)
        wait_for(lambda: calls == ["start", "stop"])
        monkeypatch.setattr(Usage, "other_cores_since", lambda *_: 9.0)
        wait_for(lambda: calls == ["start", "stop", "start"])
    assert calls == ["start", "stop", "start", "stop"]


@pytest.mark.parametrize("name", thread_spinning.SETTINGS)
def test_a_setting_of_the_user_has_precedence(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    before = threading.active_count()
    with considerate_spinning():
        assert threading.active_count() == before


def test_results_do_not_depend_on_sleepers(bars_file, monkeypatch):
    changes = ["latent.dim=6", "batch_size=8", "generator.hidden=[512]"]

    def weights(name):
        run = ganforge.train("vanilla", data=bars_file, steps=30, out=name, changes=changes)
        return (run.folder / "generator.safetensors").read_bytes()

    alone = weights("calm")
    starts = []
    start = Sleepers.start
    monkeypatch.setattr(Sleepers, "start", lambda *arguments: starts.append(arguments) or start(*arguments))
    monkeypatch.setattr(Usage, "other_cores_since", lambda *_: 9.0)
    assert weights("crowded") == alone and starts
