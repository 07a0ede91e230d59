"""Seeds trained in parallel give the same runs as seeds trained one after another."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

import ganforge
from ganforge.data.load import load
from ganforge.errors import Interrupted, RunFailed, UserError
from ganforge.experiment.experiment import ProgressListener
from ganforge.files import ensure_writable
from ganforge.judge.training import train_and_save
from ganforge.judge.user_judges import kept_file, version_of
from ganforge.runs.folder import RunFolder

SMALL = ("batch_size=16", "latent.dim=8", "generator.hidden=[16]", "discriminator.hidden=[16]")


class Listener(ProgressListener):
    def __init__(self):
        self.messages, self.lines = [], []

    def say(self, text):
        self.messages.append(text)

    def on_line(self, name, line):
        self.lines.append(f"{name}: {line}")


def seeds(count=2, out="both", changes=SMALL, **arguments):
    return ganforge.train_seeds("udacity", count, out=out, changes=changes, **arguments)


def weights(folder):
    return RunFolder(folder).generator.read_bytes()


@pytest.mark.slow
def test_parallel_seeds_have_the_bytes_of_sequential_seeds(bars_file):
    """Three runs in two processes, one of which trains two: neither leaves anything behind for the other."""
    listener = Listener()
    runs = seeds(3, data=bars_file, steps=20, at_once=2, watcher=listener)
    alone = seeds(3, data=bars_file, steps=20, at_once=1, out="alone")
    assert [(run.folder, run.step) for run in runs] == [(Path(f"both/seed-{k}"), 20) for k in range(3)]
    for run, other in zip(runs, alone, strict=True):
        assert weights(run.folder) == weights(other.folder)
        assert RunFolder(run.folder).evolution.read_bytes() == RunFolder(other.folder).evolution.read_bytes()
        assert RunFolder(run.folder).read_run()["status"] == "finished"
    assert len({weights(run.folder) for run in runs}) == 3
    assert any("2 in parallel" in text for text in listener.messages)
    assert any(line.startswith("seed 1: training udacity") for line in listener.lines)


@pytest.mark.slow
def test_parallel_runs_return_their_verdicts(bars_file):
    splits = load(bars_file)
    train_and_save(splits, ensure_writable(kept_file(splits)), version_of(splits), epochs=40, seed=1)
    (one, two) = seeds(data=bars_file, steps=3, at_once=2)
    assert one.verdict and two.verdict and one.verdict.words
    assert one.verdict.measured.n_fake == 10_000
    again = seeds(data=bars_file, steps=3, at_once=2)
    assert [run.step for run in again] == [3, 3]


@pytest.mark.slow
def test_ctrl_c_saves_every_run_and_the_message_tells_how_to_resume(bars_file):
    def stop():
        logs = [Path(f"both/seed-{k}/log.jsonl") for k in (0, 1)]
        while not all(log.exists() for log in logs):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=stop, daemon=True).start()
    try:
        with pytest.raises(Interrupted, match="the same command with --out both resumes"):
            seeds(data=bars_file, steps=10**7, at_once=2)
    finally:
        signal.signal(signal.SIGINT, before)
    for k in (0, 1):
        saved = RunFolder(f"both/seed-{k}").read_run()
        assert saved["status"] == "interrupted" and 0 < saved["step"] < 10**7 and saved["target_step"] == 10**7
        assert not RunFolder(f"both/seed-{k}").has_trainer()


@pytest.mark.slow
def test_a_diverging_seed_is_named(bars_file):
    wild = (*SMALL, "latent.high=3e38")
    with pytest.raises(RunFailed, match=r"seed [01]: diverged at"):
        seeds(data=bars_file, steps=200, at_once=2, changes=wild)


def test_seeds_that_cannot_run_in_parallel_are_refused_or_run_sequentially(bars, bars_file, tmp_path):
    data = (bars.images.numpy(), bars.labels.numpy())
    assert [run.step for run in seeds(data=data, steps=3)] == [3, 3]
    for arguments, words in (
        ({"data": data, "steps": 3}, "--at-once 2: .* data from Python"),
        ({"data": bars_file, "minutes": 1}, "--at-once 2: .* --minutes"),
    ):
        with pytest.raises(UserError, match=words):
            seeds(at_once=2, out="new", **arguments)
        assert not (tmp_path / "new").exists()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "letter.txt").write_text("mine")
    with pytest.raises(UserError, match=r"taken holds other files \(letter\.txt"):
        seeds(data=bars_file, out="taken")
    with pytest.raises(UserError, match="--at-once 0: must be 1 or more"):
        seeds(data=bars_file, at_once=0, out="new")
