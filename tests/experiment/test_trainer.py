"""The end of a training, and the clock that counts its seconds."""

import threading
import time
from types import SimpleNamespace

from ganforge.experiment.length import StopCondition
from ganforge.experiment.trainer import Stopwatch, stop_at


def at(step):
    return SimpleNamespace(step=step)


def test_the_shortest_time_trains_one_step():
    stop = stop_at(StopCondition(seconds=1e-9), threading.Event())
    time.sleep(0.001)  # start-up before the first step does not count
    assert not stop(at(0))
    assert stop(at(1))


def test_a_step_that_is_reached_or_a_signal_needs_no_further_step():
    stopped = threading.Event()
    assert stop_at(StopCondition(5), stopped)(at(5)) and not stop_at(StopCondition(5), stopped)(at(4))
    stopped.set()
    assert stop_at(StopCondition(5), stopped)(at(4))


def test_a_stopwatch_counts_only_while_it_runs():
    watch = Stopwatch(3.0, runs=False)
    time.sleep(0.002)
    assert watch.seconds() == 3.0
    with watch.running():
        time.sleep(0.002)
    counted = watch.seconds()
    assert counted > 3.0
    time.sleep(0.002)
    assert watch.seconds() == counted
