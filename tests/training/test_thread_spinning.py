"""Threads beside other processes: more of them come and go, and no result depends on it."""

import os
import sys
import threading
import time

import pytest
import torch

import ganforge
from ganforge.training import thread_spinning
from ganforge.training.thread_spinning import Sleepers, Usage, considerate_spinning

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there the system says who uses which core")


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
    """All threads of this process, those of libgomp too."""
    return len(os.listdir("/proc/self/task"))


def soon(condition):
    """Wait until it holds."""
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


def test_sleepers_outnumber_the_cores_and_go():
    torch.empty(2**20).fill_(0)  # the main thread has its team
    before, sleepers = threads(), Sleepers()
    sleepers.start(2, 4)
    soon(lambda: threads() == before + 6)  # three teams of two: five threads of libgomp, more than four cores
    sleepers.stop()
    soon(lambda: threads() == before)
    assert not sleepers.active


def test_they_come_where_others_want_the_cores_and_go_when_there_is_room(monkeypatch):
    done = []
    start, stop = Sleepers.start, Sleepers.stop
    monkeypatch.setattr(Sleepers, "start", lambda *given: done.append("start") or start(*given))
    monkeypatch.setattr(Sleepers, "stop", lambda self: done.append("stop") or stop(self))
    monkeypatch.setattr(Usage, "other_cores_since", lambda *_: 9.0)
    with considerate_spinning():
        soon(lambda: done == ["start"])
        monkeypatch.setattr(Usage, "other_cores_since", lambda *_: 0.0)
        soon(lambda: done == ["start", "stop"])
        monkeypatch.setattr(Usage, "other_cores_since", lambda *_: 9.0)
        soon(lambda: done == ["start", "stop", "start"])
    assert done == ["start", "stop", "start", "stop"]


@pytest.mark.parametrize("name", thread_spinning.SETTINGS)
def test_a_setting_of_the_user_stays(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    before = threading.active_count()
    with considerate_spinning():
        assert threading.active_count() == before


def test_no_result_depends_on_it(bars_file, monkeypatch):
    changes = ["latent.dim=6", "batch_size=8", "generator.hidden=[512]"]

    def weights(name):
        run = ganforge.train("vanilla", data=bars_file, steps=30, out=name, changes=changes)
        return (run.folder / "generator.safetensors").read_bytes()

    calm = weights("calm")
    came = []
    start = Sleepers.start
    monkeypatch.setattr(Sleepers, "start", lambda *given: came.append(given) or start(*given))
    monkeypatch.setattr(Usage, "other_cores_since", lambda *_: 9.0)
    assert weights("crowded") == calm and came
