"""Commands in worker processes: their results, their errors, and how they stop."""

import os
import subprocess
import sys

import pytest

from ganforge.errors import RunFailed, UserError
from ganforge.worker_pool import Job, side_by_side

RECIPES = ("recipes", "--json")


def test_results_are_in_the_order_of_the_jobs(bars_file):
    jobs = [Job("data", ("data", "show", str(bars_file), "--json")), Job("recipes", RECIPES)]
    data, recipes = side_by_side(jobs, 2, 1, lambda name, line: None)
    assert data["counts"]["train"] == 160 and "vanilla" in str(recipes)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("resume", "nowhere", "--json"), UserError, "seed 7: nowhere is not a run"),
        (("--version",), RunFailed, "seed 7: its process ended with code 0 and no message"),
        (("resume", "--nonsense"), UserError, "seed 7: .*nonsense"),
    ],
)
def test_the_message_of_the_first_failed_job_is_raised(arguments, error, words):
    with pytest.raises(error, match=words):
        side_by_side([Job("seed 7", arguments), Job("never", RECIPES)], 1, 1, lambda name, line: None)


def test_one_process_does_one_job_after_the_other(monkeypatch, bars_file):
    started, start = [], subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *words, **more: started.append(words) or start(*words, **more))
    show = ("data", "show", str(bars_file), "--json")
    first, second, third = side_by_side([Job("a", show), Job("b", RECIPES), Job("c", show)], 1, 1, lambda *_: None)
    assert len(started) == 1 and first == third and "vanilla" in str(second)


@pytest.mark.skipif(os.name == "nt", reason="needs a shell script in the place of Python")
def test_the_error_of_a_dead_process_quotes_its_last_line(monkeypatch, tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nread job\necho first words >&2\necho illegal instruction >&2\nexit 132\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    lines = []
    with pytest.raises(RunFailed, match="seed 7: illegal instruction"):
        side_by_side([Job("seed 7", RECIPES)], 1, 1, lambda name, line: lines.append(line))
    assert lines == ["first words", "illegal instruction"]


def test_a_job_that_is_refused_after_another_is_named():
    refused = Job("bad", ("recipes", "show", "nothing", "--json"))
    with pytest.raises(UserError, match=r"bad: .*nothing"):
        side_by_side([Job("good", RECIPES), refused, Job("after", RECIPES)], 1, 1, lambda *_: None)
