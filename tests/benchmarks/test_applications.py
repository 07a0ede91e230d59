import json

import pytest

from ganforge.benchmarks import applications
from ganforge.benchmarks.application_report import ATTAINABLE, ApplicationsReport, Row, TaskResult
from ganforge.benchmarks.common import BenchmarkOptions
from ganforge.errors import UserError
from ganforge.evaluation.protocol import Protocol
from ganforge.recipes.reading import load_recipe

PROTOCOL = Protocol("judge", "hash", "data", "fingerprint", "test", 10)


def row(*values):
    names = ("frechet_distance", "label_agreement", "psnr")
    return Row("method", tuple(dict(zip(names, value, strict=True)) for value in values))


def verdict(ours, control):
    return TaskResult("enlarge-7x", 1.0, 10, PROTOCOL, row(*ours), row(*control)).verdict()


CONTROL = [(3.0, 0.9, 17), (3.1, 0.9, 17), (3.2, 0.9, 17)]


@pytest.mark.parametrize(
    ("ours", "words"),
    [
        ([(1.0, 0.9, 16.5), (1.1, 0.9, 16.5), (1.2, 0.9, 16.5)], "helps"),
        ([(1.0, 0.8, 16.5), (1.1, 0.8, 16.5), (1.2, 0.8, 16.5)], "harms the content"),
        ([(1.0, 0.9, 15.5), (1.1, 0.9, 15.5), (1.2, 0.9, 15.5)], "at the cost of the truth"),
        ([(3.0, 0.9, 17), (3.15, 0.9, 17), (3.2, 0.9, 17)], "does nothing"),
        ([(5.0, 0.9, 17), (5.1, 0.9, 17), (5.2, 0.9, 17)], "the GAN harms"),
        ([(1.0, 0.9, 17)], "cannot tell"),
    ],
)
def test_the_verdict_in_words(ours, words):
    assert words in verdict(ours, CONTROL)


def test_means_of_draws_stand_beside_those_of_perfect_draws():
    ours = Row("ours", ({"psnr_of_mean": 16.5, "psnr_of_mean_64": 16.9},))
    lines = TaskResult("complete", 1.0, 10, PROTOCOL, ours, Row("l1", ({"psnr": 17.0, "psnr_of_mean_64": 17.1},)))
    first, second = lines.distance_from_control()
    assert "-0.50 dB" in first and "0.51 dB" in first
    assert "-0.20 dB" in second and "0.07 dB" in second


@pytest.fixture
def tiny(monkeypatch, no_verdict):
    """Scikit-learn's digits, tiny networks and short measurements."""
    changes = ["batch_size=8", "latent.dim=6", "generator.filters=8", "discriminator.filters=4", "run.precision=fp32"]
    monkeypatch.setattr(applications, "TASKS", {"enlarge-7x": ("digits", 1.0)})
    monkeypatch.setattr(applications, "QUICK_N", 100)
    monkeypatch.setattr(applications, "load_recipe", lambda name: load_recipe(name, changes))
    monkeypatch.setattr("ganforge.evaluation.translation.MANY_CONDITIONS", 10)


def test_all_rows_of_a_task(tiny, tmp_path):
    options = BenchmarkOptions("applications", task="enlarge-7x", quick=True, steps=2, out=str(tmp_path / "bench"))
    report = applications.run_applications(options)
    assert isinstance(report, ApplicationsReport)
    values = json.loads(json.dumps(report.to_dict()))["tasks"][0]
    rows = {method: seeds[0] for method, seeds in values["rows"].items()}
    ours, control = rows["ours: enlarge-7x"], rows["same U-Net, L1 alone"]
    assert ours.keys() == control.keys()
    assert {"psnr_of_mean_64", "psnr_of_best", "told_apart", "vote", "frechet_distance"} <= ours.keys()
    assert rows["real pictures, unpaired"].keys() == {"frechet_distance", "label_agreement", "told_apart"}
    assert rows[ATTAINABLE].keys() == {"label_agreement"}
    assert rows["nearest training picture, fitted to the input"]["input_error"] <= 1
    assert len(values["protocol"]["id"]) == 12
    notes = "\n".join(report.notes())
    assert f"protocol {values['protocol']['id']}" in notes and "PSNR, mean of 8" in notes
    assert applications.run_applications(options).to_dict() == report.to_dict(), "everything is kept"


def test_an_unknown_task_is_refused():
    with pytest.raises(UserError, match="no task is called 'enlarge'"):
        applications.run_applications(BenchmarkOptions("applications", task="enlarge"))
