"""Shell completion: ``ganforge --install-completion`` and the completions of TAB."""

import os
import subprocess
import sys

import pytest

from ganforge.commands.completion import complete_recipe, complete_run
from ganforge.recipes.reading import built_in


def test_recipes_are_completed_by_their_names():
    assert complete_recipe("") == sorted(built_in())
    assert complete_recipe("vanilla") == ["vanilla", "vanilla-truncated"]
    assert complete_recipe("nothing") == []


def test_runs_are_completed_by_their_folders(tmp_path):
    for run in ("runs/dcgan-mnist-1", "runs/several/seed-0", "mine"):
        (tmp_path / run).mkdir(parents=True)
        (tmp_path / run / "run.json").write_text("{}")
    (tmp_path / "pictures").mkdir()
    assert complete_run("") == ["mine", "runs/dcgan-mnist-1", "runs/several/seed-0"]
    assert complete_run("runs/s") == ["runs/several/seed-0"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_completions(shell):
    words = {"COMP_WORDS": "ganforge train vanil", "COMP_CWORD": "2"}
    fish_words = {"_TYPER_COMPLETE_ARGS": "ganforge train vanil", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    program = "import sys; from ganforge.commands.main import main; sys.exit(main())"
    process = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **words, **fish_words, "_GANFORGE_COMPLETE": f"complete_{shell}"},
        capture_output=True,
        text=True,
    )
    assert "vanilla-truncated" in process.stdout, process.stderr


def test_the_completion_script_of_a_shell_is_printed(run_command, monkeypatch):
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    code, out, _ = run_command("--show-completion", "bash")
    assert code == 0 and "_GANFORGE_COMPLETE" in out
