"""A treatment: remedies beside a control, in run folders of their own, with the same number of further steps."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import ganforge
from conftest import small_images
from ganforge.data.load import load
from ganforge.diagnosis.finding import Finding, Remedy
from ganforge.errors import Interrupted, RunFailed, UserError
from ganforge.experiment import treatment, treatment_outcome
from ganforge.experiment.diagnosis import Diagnosis
from ganforge.experiment.experiment import ProgressListener
from ganforge.experiment.treatment import treat
from ganforge.experiment.treatment_figures import Comparison, Measured
from ganforge.experiment.treatment_outcome import Arm, judge_treatment
from ganforge.runs.checkpoint import read_tensors
from ganforge.runs.folder import RunFolder

TINY = ("latent.dim=6", "batch_size=8", "generator.hidden=[16]", "discriminator.hidden=[16]")
SLOWER = Remedy("slower", ("discriminator_lr=2e-5", "averaging.half_life=100"), name="slower-discriminator")
WIDER = Remedy("wider", ("generator.hidden=[24]",), anew=True, name="larger-generator")
ILL = Finding("discriminator-won", 2, "it won", remedies=(SLOWER, WIDER))


@pytest.fixture
def data(tmp_path):
    images = small_images(600)
    np.savez(tmp_path / "bars.npz", images=images.images[:, 0].numpy(), labels=images.labels.numpy())
    return tmp_path / "bars.npz"


@pytest.fixture
def run(data, no_verdict):
    return ganforge.train("vanilla", data=data, steps=8, out="run", changes=TINY).folder


@pytest.fixture
def ill(monkeypatch):
    """Let each run have these findings, by the name of its folder; all others are healthy."""
    findings = {"run": (ILL,)}

    def diagnose(path):
        saved = RunFolder(path).read_run()
        known = findings.get(Path(path).name, (Finding("healthy", 0, "fine"),))
        return Diagnosis(Path(path), "vanilla", "bars", saved["step"], 0.1, saved["status"], known)

    monkeypatch.setattr(treatment, "diagnose", diagnose)
    monkeypatch.setattr(treatment_outcome, "diagnose", diagnose)
    return findings


class Heard(ProgressListener):
    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def content(folder):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.rglob("*") if file.is_file()}


def weights(folder):
    return read_tensors(folder / "generator.safetensors")[0]


def test_remedies_and_a_control_make_the_same_further_steps_and_the_run_is_only_read(run, ill, tmp_path):
    before = content(run)
    shutil.copytree(run, tmp_path / "copy")
    result = treat(run, steps=5)
    assert content(run) == before
    assert [outcome.run.name for outcome in result.outcomes][-1] == "run-control"
    steps = {outcome.run.name: outcome.step for outcome in result.outcomes}
    assert steps == {"run-treated-1": 13, "run-treated-2": 5, "run-control": 13}

    # the control is the run, trained on
    ganforge.resume("copy", steps=13)
    control, resumed = weights(tmp_path / "run-control"), weights(tmp_path / "copy")
    assert all(torch.equal(control[name], resumed[name]) for name in resumed)
    assert (tmp_path / "run-control" / "evolution.webp").exists()

    # a treated run is an ordinary run
    saved = json.loads((tmp_path / "run-treated-1" / "run.json").read_text())
    assert saved["treatment"] == {
        **{"of": "run", "step": 8, "steps": 5, "minutes": None, "remedy": "slower-discriminator", "anew": False}
    }
    assert ganforge.resume(tmp_path / "run-treated-1", steps=15).step == 15


def test_complete_trials_are_taken_as_they_are_and_none_is_overwritten(run, ill, tmp_path):
    treat(run, steps=3)
    before = content(tmp_path / "run-treated-1")
    heard = Heard()
    treat(run, steps=3, watcher=heard)
    assert content(tmp_path / "run-treated-1") == before and not any("training" in line for line in heard.lines)
    assert not (tmp_path / "run-treated-3").exists()
    treat(run, steps=4)
    assert content(tmp_path / "run-treated-1") == before
    assert (tmp_path / "run-treated-3").exists() and (tmp_path / "run-control-2").exists()


def test_a_stopped_treatment_goes_on_with_the_same_steps(run, ill, tmp_path, monkeypatch):
    resumed = []

    def stop_at_the_second(path, **options):
        resumed.append(Path(path).name)
        if len(resumed) == 2:
            raise Interrupted("stopped at step 0")
        return ganforge.resume(path, **options)

    monkeypatch.setattr(treatment, "_steps_in", lambda *_: 4)
    with monkeypatch.context() as patched:
        patched.setattr(treatment, "resume", stop_at_the_second)
        with pytest.raises(Interrupted, match="the same command goes on with the treatment"):
            treat(run, minutes=0.1)
    monkeypatch.setattr(treatment, "_steps_in", lambda *_: 99)
    result = treat(run, minutes=0.1)
    assert result.steps == 4 and {outcome.run.name for outcome in result.outcomes} == {
        *("run-treated-1", "run-treated-2", "run-control"),
    }


def test_a_trial_that_diverges_ends_alone_and_a_full_disk_ends_all(run, ill, monkeypatch):
    status = "diverged"

    def fail_at_the_first(path, **options):
        if Path(path).name == "run-treated-1":
            RunFolder(path).update_run(status=status)
            raise RunFailed("failed")
        return ganforge.resume(path, **options)

    monkeypatch.setattr(treatment, "resume", fail_at_the_first)
    outcomes = {outcome.run.name: outcome for outcome in treat(run, steps=3).outcomes}
    assert outcomes["run-treated-1"].faults == ("diverged",) and outcomes["run-treated-2"].status == "finished"
    status = "running"
    RunFolder(run.parent / "run-treated-1").update_run(status=status)
    with pytest.raises(RunFailed):
        treat(run, steps=3)


def test_minutes_become_steps_by_measured_speed(run, ill):
    assert (
        treatment._steps_in(0.01, [ganforge.load_recipe("vanilla", (*TINY, "run.device=cpu"))], load(small_images(600)))
        > 1
    )


def test_what_cannot_be_treated_is_said(run, ill, tmp_path):
    ill["run"] = (Finding("few-data", 1, "few", remedies=(Remedy("more images"),)),)
    heard = Heard()
    assert treat(run, steps=3, watcher=heard) is None
    assert "no treatment" in heard.lines[-1] and not list(tmp_path.glob("run-*"))
    ill["run"] = (ILL,)
    with RunFolder(run).locked(), pytest.raises(UserError, match="is being trained"):
        treat(run, steps=3)
    with pytest.raises(UserError, match="one of"):
        treat(run, steps=3, minutes=1)


def test_to_train_on_is_a_treatment_of_its_own(run, ill, tmp_path):
    ill["run"] = (Finding("undertrained", 1, "too short", remedies=(Remedy("train longer", name="longer"),)),)
    result = treat(run, steps=3)
    assert [outcome.run.name for outcome in result.outcomes] == ["run-control"]


# What counts as a cure


def arms(tmp_path, *names):
    folders = []
    for name in names:
        (tmp_path / name).mkdir()
        entries = {"recipe": "vanilla", "seed": 0, "data": {"name": "bars", "source": None}, "fingerprint": ""}
        RunFolder(tmp_path / name).update_run(**entries, steps_per_epoch=1, status="finished", step=9)
        folders.append(Arm(RunFolder(tmp_path / name), None if name == "run-control" else SLOWER))
    return folders


def figure(value, noise=0.1):
    return Measured(value, tuple(value + noise * (-1) ** k for k in range(10)))


def judged(tmp_path, ill, value=5.0, control=9.0, before=9.0, noise=0.1, **findings):
    ill |= findings
    runs = tuple(map(figure, (before, value, control), (noise, noise, -noise)))
    trials = arms(tmp_path, "treated", "run-control")
    return judge_treatment(trials, "narrow", 9, Comparison("Fréchet distance", runs))


NARROW = Finding("narrow", 1, "")


def test_a_run_is_cured_if_the_finding_is_gone_and_it_is_better_than_the_control(tmp_path, ill):
    result = judged(tmp_path, ill, **{"run-control": (NARROW,)})
    assert result.cured and result.winner.run.name == "treated" and result.outcomes[1].faults[0].startswith("narrow")
    assert result.outcomes[0].better_by.low > 3
    assert f"go on with the winner: ganforge resume {tmp_path / 'treated'}" in result.words
    assert "Fréchet distance before: 9" in result.words and "better than the control by" in result.words
    assert json.loads(json.dumps(result.to_dict()))["winner"] == str(tmp_path / "treated")


@pytest.mark.parametrize(
    ("findings", "fault"),
    [((NARROW,), "narrow is still there"), ((Finding("unstable", 2, ""),), "unstable is there")],
)
def test_a_finding_speaks_against_a_cure(tmp_path, ill, findings, fault):
    result = judged(tmp_path, ill, **{"treated": findings, "run-control": (NARROW,)})
    assert not result.cured and result.outcomes[0].faults == (fault,)
    assert "nothing cured the run" in result.words


def test_a_gain_within_noise_is_no_cure(tmp_path, ill):
    result = judged(tmp_path, ill, value=8.9, noise=3.0, **{"run-control": (NARROW,)})
    assert result.outcomes[0].faults == ("not better than the control beyond noise",)


def test_training_on_may_cure(tmp_path, ill):
    result = judged(tmp_path, ill, value=5.0, control=4.0)
    assert result.winner.run.name == "run-control"


def test_a_label_that_is_not_followed_is_no_cure(tmp_path, ill, monkeypatch):
    def diagnose(path):
        return Diagnosis(Path(path), "cgan", "bars", 9, 1.0, "finished", (), followed=0.4)

    monkeypatch.setattr(treatment_outcome, "diagnose", diagnose)
    result = judged(tmp_path, {})
    assert result.outcomes[0].faults == ("the label is followed in 40% only",)


def test_the_most_serious_finding_is_treated_and_a_foretold_one_last():
    def treated(*findings):
        finding = treatment._treated(Diagnosis(Path("run"), "vanilla", "bars", 9, 1.0, "finished", findings))
        return finding and finding.name

    foretold = Finding("recipe", 2, "", remedies=(SLOWER,))
    narrow, plateau = (Finding(name, 1, "", remedies=(SLOWER,)) for name in ("narrow", "plateau"))
    words = Finding("memorising", 2, "", remedies=(Remedy("more images"),))
    assert treated(foretold, narrow, plateau, words) == "narrow"
    assert treated(foretold, narrow, ILL) == "discriminator-won"
    assert treated(foretold) == "recipe"
    assert treated(words) is None and treated(Finding("learning", 0, "", remedies=(SLOWER,))) is None
