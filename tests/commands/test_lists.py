"""The commands that list and show, and their tables."""

import json
from pathlib import Path

import pytest

from ganforge.commands.console import table
from ganforge.recipes.reading import built_in


@pytest.mark.parametrize(("group", "verb"), [("recipes", ""), ("data", "list"), ("judge", "show")])
def test_a_group_without_a_verb_lists(run_command, group, verb):
    result = run_command(group)
    assert result[0] == 0 and result == run_command(group, *verb.split())
    assert isinstance(json.loads(run_command(group, "--json")[1]), dict)


def test_the_list_of_data_names_all_kinds_of_files(run_command):
    last = run_command("data", "list")[1].splitlines()[-1]
    assert all(kind in last for kind in ("folder", "zip", "tar", ".npz", ".npy", "IDX", ".csv", ".tsv", ".parquet"))


def test_a_file_with_the_name_of_a_built_in_recipe_is_shown_itself(run_command, tmp_path):
    text = run_command("recipes", "show", "vanilla")[1]
    (tmp_path / "mine.toml").write_text(text.replace("packing = 1", "packing = 4"))
    assert "packing = 4" in run_command("recipes", "show", "mine.toml")[1]
    assert run_command("recipes", "show", "vanilla")[1] == text


def test_recipes_show_prints_a_file_that_trains(run_command, bars_file, tmp_path):
    for name in built_in():
        code, out, _ = run_command("recipes", "show", name)
        assert code == 0
        (tmp_path / "mine.toml").write_text(out)
        assert run_command("recipes", "show", tmp_path / "mine.toml", "--json")[0] == 0
    (tmp_path / "mine.toml").write_text(built_in()["vanilla"].replace('"vanilla"', '"mine"'))
    code, out, _ = run_command(
        "train", tmp_path / "mine.toml", "--data", bars_file, "--steps", 2, "--set", "batch_size=8"
    )
    assert code == 0 and "runs/mine-bars-1" in out


def write_verdict(run: Path, *texts: str) -> None:
    """Put a verdict into a run that has none."""
    findings = [{"name": "mode-collapse", "severity": 2, "text": text, "remedy": ""} for text in texts]
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 12, "findings": findings}) + "\n")
    saved = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(saved | {"judged": True}))


def test_runs_lists_the_runs_of_a_folder(run_command, trained):
    trained(out="runs/a")
    code, out, _ = run_command("runs")
    assert code == 0 and "runs/a" in out and "finished" in out
    write_verdict(Path("runs/a"), "one picture for all", "D sleeps")
    assert "one picture for all; D sleeps" in run_command("runs")[1]
    assert json.loads(run_command("runs", "--json")[1])["runs"][0]["findings"] == ["mode-collapse", "mode-collapse"]
    Path("runs/a/run.json").write_text("[]")
    assert "unreadable run.json" in run_command("runs")[1]
    Path("empty").mkdir()
    assert "no runs" in run_command("runs", "empty")[1]


LONG = ("runs/a-recipe-of-a-long-name-and-its-data-1", "a-recipe-of-a-long-name", "its-data", "finished", "123,456")
HEADER = ("run", "recipe", "data", "status", "step", "verdict")


def test_a_table_in_a_pipe_has_whole_lines(capsys):
    table([(*LONG, "mode-collapse, discriminator-won")], HEADER)
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == list(HEADER) and row.split() == [*LONG, "mode-collapse,", "discriminator-won"]


def test_a_table_on_a_terminal_of_80_columns_is_not_truncated(capsys, monkeypatch):
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setenv("TERM", "dumb")  # 80 columns, no colours
    table([(*LONG, "mode-collapse, discriminator-won"), (*LONG, "")], HEADER)
    table([("vanilla", "word " * 40)], ("recipe", "what it is"))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    words = out.split()
    assert out.startswith(LONG[0] + "\n") and words.count("word") == 40
    assert all(words.count(word) == 2 for word in LONG) and words.count("discriminator-won") == 1


def test_data_show_draws_a_contact_sheet(run_command, bars_file, tmp_path):
    code, out, _ = run_command("data", "show", bars_file)
    assert code == 0
    assert "160 train" in out and "warning" in out
    assert list(tmp_path.glob("*contact-sheet.png"))


@pytest.mark.parametrize("verb", [("recipes", "show", "vanilla"), ("data", "list"), ("judge", "show")])
def test_json_is_accepted_before_the_second_word(run_command, verb):
    group, *rest = verb
    code, out, _ = run_command(group, "--json", *rest)
    assert code == 0 and out == run_command(*verb, "--json")[1] and json.loads(out)
