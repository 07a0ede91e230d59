"""--evaluate-every changes no weight; several seeds make a folder that ``compare`` reads."""

import time

import pytest
from PIL import Image

import ganforge
from ganforge.errors import Interrupted, UserError
from ganforge.experiment.evaluate import read_group
from ganforge.experiment.experiment import ProgressListener
from ganforge.experiment.validation_hook import seconds_to
from ganforge.runs.checkpoint import checkpoints
from ganforge.runs.folder import RunFolder, find_runs
from ganforge.runs.log import read_lines

SMALL = ("batch_size=16", "latent.dim=8", "run.checkpoint_seconds=1000", "averaging.half_life=500.0")


def small(data="digits", **arguments):
    return ganforge.train("udacity", data=data, changes=SMALL, **arguments)


def weights(run):
    folder = RunFolder(run)
    return checkpoints(folder.checkpoints)[0].read_bytes(), folder.generator.read_bytes()


def quality(run):
    """The measurements of each step, without the seconds, which vary."""
    lines = [line for line in read_lines(RunFolder(run).metrics) if "quality" in line]
    return [(line["step"], line["quality"]) for line in lines]


@pytest.mark.slow
def test_measuring_changes_no_weight_and_keeps_the_best(no_verdict):
    small(out="plain", steps=45)
    small(out="measured", steps=45, evaluate_every=20)
    assert weights("plain") == weights("measured")
    measurements = quality("measured")
    assert [step for step, _ in measurements] == [20, 40, 45]
    best = min(measurements, key=lambda line: line[1]["frechet_distance"])[0]
    assert ganforge.load("measured/best.safetensors").note["step"] == best
    assert {"recall", "kernel_distance", "class_spread"} <= set(measurements[0][1])
    with Image.open("measured/quality.png") as picture:
        assert picture.size[0] > 400
    assert not RunFolder("plain").best.exists()


@pytest.mark.slow
def test_a_resumed_run_has_the_same_measurements(no_verdict):
    class Stopping(ProgressListener):
        def look(self, state, stats):
            if state.step == 30:
                import signal

                signal.raise_signal(signal.SIGINT)

    small(out="straight", steps=45, evaluate_every=10)
    with pytest.raises(Interrupted):
        small(out="stopped", steps=45, evaluate_every=10, watcher=Stopping())
    ganforge.resume("stopped")
    assert quality("stopped") == quality("straight")
    assert RunFolder("stopped").best.read_bytes() == RunFolder("straight").best.read_bytes()


def test_no_measurement_counts_as_seconds_of_training(no_verdict, monkeypatch):
    def compute(self, fakes):
        time.sleep(0.5)
        return {"frechet_distance": 1.0}

    monkeypatch.setattr("ganforge.experiment.validation_hook.Evaluator.compute", compute)
    small(out="measured", steps=5, evaluate_every=2)
    first, second, last = [line for line in read_lines(RunFolder("measured").metrics) if "quality" in line]
    assert first["measuring"] >= 0.5 and first["measuring"] + 0.5 <= second["measuring"]
    assert last["measuring"] == second["measuring"], "the clock stands still after the last step"
    trained = RunFolder("measured").read_run()["seconds"] - last["measuring"]
    assert first["seconds"] <= second["seconds"] <= last["seconds"] == pytest.approx(trained, abs=0.1)


def test_a_run_without_judge_or_validation_images_is_refused_before_anything_is_written(bars_file, tmp_path):
    for arguments, words in (
        ({"data": bars_file, "evaluate_every": 5}, "needs a judge"),
        ({"data": "digits", "evaluate_every": 0}, "1 step or more"),
        ({"data": "digits", "evaluate_every": 5, "changes": ["data.images=all"]}, "trains on the validation images"),
    ):
        with pytest.raises(UserError, match=words):
            ganforge.train("vanilla", out="run", steps=5, **arguments)
        assert not (tmp_path / "run").exists()


def test_a_figure_counts_after_two_successive_measurements():
    points = [(1.0, 9.0), (2.0, 3.0), (3.0, 5.0), (4.0, 3.0), (5.0, 2.0)]
    assert seconds_to(points, 4.0) == 4.0
    assert seconds_to(points, 5.0) == 2.0
    assert seconds_to(points, 2.0) is None


def test_several_seeds_are_single_runs_in_a_folder(tmp_path, bars_file):
    runs = ganforge.train_seeds("udacity", 2, seed=3, data=bars_file, changes=SMALL, steps=8, out="both")
    assert [run.folder.name for run in runs] == ["seed-3", "seed-4"]
    small(out="alone", steps=8, seed=4, data=bars_file)
    assert weights("both/seed-4") == weights("alone")
    assert weights("both/seed-3") != weights("alone")
    assert {run.path.name for run in find_runs(tmp_path)} == {"alone", "seed-3", "seed-4"}
    with pytest.raises(UserError, match="has no evaluation yet"):
        read_group(tmp_path / "both")
    with pytest.raises(UserError, match="seed-3 is at step 8 already: give at least as many"):
        ganforge.train_seeds("udacity", 2, seed=3, data=bars_file, changes=SMALL, steps=5, out="both")
    before = weights("both/seed-3")
    again = ganforge.train_seeds("udacity", 3, seed=3, data=bars_file, changes=SMALL, steps=8, out="both")
    assert [run.step for run in again] == [8, 8, 8]
    assert weights("both/seed-3") == before
    longer = ganforge.train_seeds("udacity", 2, seed=3, data=bars_file, changes=SMALL, steps=12, out="both")
    assert [run.step for run in longer] == [12, 12]
    small(out="straight", steps=12, seed=4, data=bars_file)
    assert weights("both/seed-4") == weights("straight")


def test_seeds_are_refused_in_a_folder_of_another_run(tmp_path, bars_file):
    small(out="one", steps=2, data=bars_file)
    with pytest.raises(UserError, match="is a single run"):
        ganforge.train_seeds("udacity", 2, data=bars_file, changes=SMALL, steps=2, out="one")
    with pytest.raises(UserError, match="must be 1 or more"):
        ganforge.train_seeds("udacity", 0, data=bars_file, changes=SMALL, steps=2, out="none")
    ganforge.train_seeds("udacity", 1, data=bars_file, changes=SMALL, steps=2, out="few")
    with pytest.raises(UserError, match="another recipe"):
        ganforge.train_seeds("udacity", 1, data=bars_file, changes=("batch_size=8",), steps=2, out="few")
