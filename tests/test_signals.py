"""Stop signals: training saves first, whichever signal arrives and however often."""

import json
import signal
import subprocess
import sys

import pytest

import ganforge
from ganforge.experiment.experiment import ProgressListener
from ganforge.worker_pool import STOP_SIGNALS, ignore_stop_signals, raise_on_stop_signals, stop_signals

SMALL = {"changes": ["latent.dim=6", "batch_size=8"], "steps": 6, "out": "run"}


@pytest.fixture(autouse=True)
def heed_signals():
    """Reset signals to a shell's defaults for every test, also under nohup."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in STOP_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Hand(ProgressListener):
    """Sends signals at the third step."""

    def __init__(self, *numbers):
        self.numbers = numbers

    def look(self, state, stats):
        if state.step == 3:
            for number in self.numbers:
                signal.raise_signal(number)


needs_hang_up = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")


@needs_hang_up
@pytest.mark.parametrize("names", [("SIGHUP",), ("SIGTERM",), ("SIGHUP", "SIGHUP", "SIGTERM")])
def test_training_saves_before_it_ends(bars_file, tmp_path, names):
    with pytest.raises(ganforge.Interrupted, match="stopped at step 3"):
        ganforge.train("vanilla", data=bars_file, watcher=Hand(*(getattr(signal, name) for name in names)), **SMALL)
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (run["status"], run["step"]) == ("interrupted", 3)


@needs_hang_up
def test_a_process_that_ignores_hang_up_survives_the_terminal(bars_file):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    raise_on_stop_signals()
    assert ganforge.train("vanilla", data=bars_file, watcher=Hand(signal.SIGHUP), **SMALL).step == 6


@needs_hang_up
def test_signals_outside_of_training():
    raise_on_stop_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGHUP)
    with stop_signals() as stopped:
        signal.raise_signal(signal.SIGHUP)
        assert stopped.is_set()
    ignore_stop_signals()
    signal.raise_signal(signal.SIGTERM)  # ignored by now


def test_a_job_whose_owner_is_gone_is_interrupted(bars_file, tmp_path):
    words = ["train", "vanilla", "--data", bars_file, "--steps", 10**6, "--out", "run", "--set", "batch_size=8"]
    worker = subprocess.Popen([sys.executable, "-m", "ganforge", "work"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    worker.stdin.write(json.dumps([*map(str, words)]).encode() + b"\n")
    worker.stdin.flush()
    while not (tmp_path / "run" / "log.jsonl").exists():
        assert worker.poll() is None
    worker.communicate(timeout=60)  # closes standard input, as at the end of its owner
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
