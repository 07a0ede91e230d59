import numpy as np
import pytest

from ganforge.benchmarks.common import BenchmarkOptions
from ganforge.benchmarks.other_data_report import Method, SetResult
from ganforge.benchmarks.registry import run_benchmark
from ganforge.errors import UserError
from ganforge.evaluation.use_of_samples import SampleUse


def use(learned, apart=0.6, nearer=0.5):
    return SampleUse(learned, apart, nearer, 0.0)


def result(*simple):
    methods = (Method("real training data", (use(0.97),)), *(Method(name, (found,)) for name, found in simple))
    return SetResult("waves", "signals", 100, 1000, 10, "forge-signal", (use(0.95),), methods)


def test_a_simple_model_that_does_as_well_is_recommended_by_name():
    words = result(("Gaussian", use(0.80)), ("Gaussian copula", use(0.94))).verdict()
    assert words.startswith("take the Gaussian copula")


def test_a_copyist_is_not_recommended():
    words = result(("SMOTE", use(0.97, nearer=0.99)), ("Gaussian", use(0.80))).verdict()
    assert (
        words.startswith("the GAN does better")
        and "Gaussian 80.0%" in words
        and words.endswith("repeats training data: SMOTE")
    )


def test_signals_are_trained_measured_and_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    labels = np.arange(60) % 2
    waves = np.where(labels[:, None], 1, -1) * np.sin(np.linspace(0, 6, 24)) + 0.1 * random.normal(size=(60, 24))
    np.savez(tmp_path / "waves.npz", signals=waves, labels=labels)
    options = BenchmarkOptions("other-data", data=(str(tmp_path / "waves.npz"),), steps=2, out=tmp_path / "out")
    report = run_benchmark(options)
    rows = report.to_dict()["sets"][0]["methods"]
    assert next(iter(rows)) == "real training data" and list(rows)[-1] == "GAN: forge-signal, 2 steps"
    assert rows["real training data"][0]["learned"] == 1
    assert any(line.startswith("verdict: ") for line in report.notes())
    assert run_benchmark(options).to_dict() == report.to_dict()


def test_pictures_and_an_empty_machine_are_refused(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="neither sounds nor signals"):
        run_benchmark(BenchmarkOptions("other-data", data=("digits",), out=tmp_path / "out"))
    monkeypatch.setenv("GANFORGE_DATA", str(tmp_path))
    with pytest.raises(UserError, match="no sounds and no signals are on this machine"):
        run_benchmark(BenchmarkOptions("other-data", task="sound", out=tmp_path / "out"))
    with pytest.raises(UserError, match="no task is called 'smell'"):
        run_benchmark(BenchmarkOptions("other-data", task="smell", out=tmp_path / "out"))
