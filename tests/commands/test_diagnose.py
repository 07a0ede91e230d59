"""``ganforge diagnose``: findings in words and as JSON, treatments, and what is no run."""

import json
import shutil
from pathlib import Path

import pytest

import ganforge
from ganforge.diagnosis.finding import Finding
from ganforge.runs.folder import RunFolder

LEGACY = Path(__file__).parent.parent / "legacy"


def test_a_run_is_diagnosed_in_words_and_as_one_json_object(run_command, trained, no_verdict, tmp_path):
    trained()
    code, out, _ = run_command("diagnose", "run")
    assert code == 0 and out.startswith("run: vanilla on bars, finished at step 12 (epoch ")

    code, out, err = run_command("diagnose", "run", "--json")
    told = json.loads(out)
    assert code == 0 and err.startswith("run: vanilla on bars")
    assert {"run", "recipe", "data", "step", "epoch", "status", "findings", "followed", "treatment"} == told.keys()
    assert told["findings"] and set(told["findings"][0]) >= {"name", "severity", "text", "evidence", "remedies"}
    assert told["treatment"] is None

    diagnosis = ganforge.diagnose(tmp_path / "run")
    assert [finding.name for finding in diagnosis.findings] == [one["name"] for one in told["findings"]]
    assert json.loads(json.dumps(diagnosis.to_dict()))["run"] == str(tmp_path / "run")


def test_a_treatment_is_part_of_the_json_object(run_command, trained, no_verdict, monkeypatch):
    trained()
    ill = Finding("discriminator-weak", 2, "the discriminator is weak")
    monkeypatch.setattr("ganforge.diagnosis.diagnose.diagnose", lambda case: [ill])
    code, out, err = run_command("diagnose", "run", "--treat", "--steps", 2, "--json")
    treatment = json.loads(out)["treatment"]
    assert code == 0 and treatment["steps"] == 2 and not treatment["cured"], err
    assert [one["remedy"] and one["remedy"]["name"] for one in treatment["outcomes"]][-1] is None
    assert "discriminator-weak is still there" in treatment["outcomes"][0]["faults"]
    assert "trial 1 of 4" in err and "nothing cured the run in this time" in err


@pytest.mark.parametrize("status", ["running", "interrupted", "diverged"])
def test_every_status_is_settled(run_command, trained, no_verdict, status):
    trained()
    RunFolder("run").update_run(status=status)
    with RunFolder("run").locked():
        code, out, err = run_command("diagnose", "run")
        assert code == 0, err
        assert out.startswith(f"run: vanilla on bars, {status} at step 12")
    if status == "running":  # no process trains it
        assert run_command("diagnose", "run")[1].startswith("run: vanilla on bars, interrupted at step 12")


@pytest.mark.parametrize("name", ["arrays", "parts", "pictures"])
def test_runs_of_older_versions_are_diagnosed(run_command, tmp_path, name):
    shutil.copytree(LEGACY / name, tmp_path / "old")
    code, out, err = run_command("diagnose", "old", "--json")
    assert code == 0, err
    assert json.loads(out)["findings"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["missing"], "is not a run"),
        (["run/generator.safetensors"], "is a file: name the folder of its run, run"),
        (["."], "name one of them, such as run"),
        (["run", "--minutes", "2"], "--minutes: belongs to --treat"),
        (["run", "--steps", "2"], "--steps: belongs to --treat"),
        (["run", "--treat", "--minutes", "-1"], "must be more than 0"),
        (["run", "--treat", "--minutes", "1", "--steps", "2"], "give one of"),
    ],
)
def test_what_cannot_be_diagnosed_gives_one_line(run_command, trained, no_verdict, arguments, why):
    trained()
    code, out, err = run_command("diagnose", *arguments)
    assert code == 2 and why in err and err.count("\n") == 1, err
    assert not out


def test_an_untrained_run_has_nothing_to_diagnose(run_command, trained, no_verdict):
    trained()
    for name in ("log.jsonl", "signals.jsonl", "metrics.jsonl"):
        Path("run", name).unlink(missing_ok=True)
    code, _, err = run_command("diagnose", "run")
    assert code == 2 and "nothing was measured yet" in err
