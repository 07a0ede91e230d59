"""The list of runs: status, step and verdict of each, read from its files."""

import json

from ganforge.runs.folder import RunFolder
from ganforge.runs.listing import UNREADABLE, list_runs

SAVED = {
    "recipe": "vanilla",
    "seed": 0,
    "data": {"name": "bars", "source": None},
    "fingerprint": "f",
    "steps_per_epoch": 5,
    "status": "finished",
    "step": 7,
}


def write(folder, *findings, **entries):
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(SAVED | entries))
    if findings:
        (folder / "metrics.jsonl").write_text(json.dumps({"step": 7, "findings": findings}) + "\n")
    return RunFolder(folder)


def listed(root):
    (run,) = list_runs(root)
    return run


def test_a_finished_run_has_the_words_of_its_verdict(tmp_path):
    findings = [
        {"name": name, "severity": 2, "text": text, "remedy": ""} for name, text in (("a", "one"), ("b", "two"))
    ]
    write(tmp_path / "run", *findings, judged=True)
    run = listed(tmp_path)
    assert (run.recipe, run.data, run.status, run.step, run.verdict) == ("vanilla", "bars", "finished", 7, "one; two")
    assert run.to_dict() == SAVED | {
        "judged": True,
        "run": str(tmp_path / "run"),
        "findings": ["a", "b"],
        "words": "one; two",
    }


def test_findings_of_earlier_versions_have_the_names_of_this_one(tmp_path):
    write(tmp_path / "run", {"name": "few-handwritings", "severity": 1, "text": "one", "remedy": ""}, judged=True)
    assert listed(tmp_path).to_dict()["findings"] == ["class-collapse"]


def test_a_run_without_a_judge_has_the_verdict_of_its_examinations(tmp_path):
    write(tmp_path / "run", {"name": "narrow", "severity": 1, "text": "one", "remedy": ""}, no_judge=True)
    assert listed(tmp_path).verdict == "one"


def test_a_run_without_a_verdict_says_why(tmp_path):
    write(tmp_path / "a" / "run")
    assert listed(tmp_path / "a").verdict == "not judged"
    write(tmp_path / "b" / "run", no_judge=True)
    assert listed(tmp_path / "b").verdict == "not judged (no judge)"
    write(tmp_path / "c" / "run", {"name": "a"}, judged=True)  # damaged: a finding without a text
    assert listed(tmp_path / "c").verdict == "not judged"
    write(tmp_path / "d" / "run", status="diverged")
    assert (listed(tmp_path / "d").status, listed(tmp_path / "d").verdict) == ("diverged", "")


def test_a_run_is_running_while_its_folder_is_locked(tmp_path):
    folder = write(tmp_path / "run", status="running")
    assert listed(tmp_path).status == "interrupted"
    assert listed(tmp_path).to_dict()["status"] == "interrupted"
    with folder.locked():
        assert listed(tmp_path).status == "running"


def test_a_damaged_run_is_listed_too(tmp_path):
    write(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text("[]")
    run = listed(tmp_path)
    assert (run.recipe, run.data, run.status, run.step) == ("?", "?", UNREADABLE, 0)
