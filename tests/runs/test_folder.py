import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ganforge.errors import UserError
from ganforge.runs.folder import RunFolder, claim_folder, claimed_folder, find_runs
from ganforge.runs.log import append_line, cut_back, read_lines, read_log


def test_names_count_up(tmp_path):
    assert claim_folder(tmp_path, "vanilla-mnist").path.name == "vanilla-mnist-1"
    assert claim_folder(tmp_path, "vanilla-mnist").path.name == "vanilla-mnist-2"
    with pytest.raises(UserError, match="cannot write to"):
        claim_folder(Path(__file__), "x")


def test_a_claimed_folder_without_a_run_is_given_back(tmp_path):
    root = tmp_path / "runs"
    with pytest.raises(UserError), claimed_folder(root, "a") as folder, folder.locked():
        raise UserError("no")
    assert not root.exists()
    with pytest.raises(UserError), claimed_folder(root, "a") as folder:
        folder.create()
        raise UserError("no")
    assert (root / "a-1").is_dir()


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"thesis\.tex"):
        RunFolder(tmp_path).create()


def test_a_folder_whose_trainer_died_before_its_first_step_can_be_used_again(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create()
    with folder.locked():
        folder.recipe.write_text("x")
    folder.create()


@pytest.mark.parametrize("place", ["file", "file/run", "file/below/run"])
def test_a_folder_that_cannot_be_written_is_refused(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write to"):
        RunFolder(tmp_path / place).create()


def test_a_second_trainer_is_refused(tmp_path):
    first, second = RunFolder(tmp_path), RunFolder(tmp_path)
    with first.locked(), pytest.raises(UserError, match="another process"), second.locked():
        pass
    with second.locked():
        pass


def test_a_short_check_for_another_trainer_does_not_refuse_a_trainer(tmp_path):
    looking, training = RunFolder(tmp_path), RunFolder(tmp_path)
    with ThreadPoolExecutor() as pool, looking.locked():
        begun = pool.submit(lambda: training.locked().__enter__())
        with pytest.raises(TimeoutError):
            begun.result(timeout=0.02)
    assert begun.exception() is None


MADE = {
    "recipe": "vanilla",
    "seed": 0,
    "data": {"name": "mnist", "source": "mnist"},
    "fingerprint": "f",
    "steps_per_epoch": 5,
}


@pytest.mark.parametrize("content", ["", "{", "[1]", "\x00\x01"])
def test_a_damaged_run_file_is_named(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(UserError, match=r"run\.json is damaged: (it|its content) .*; restore it"):
        RunFolder(tmp_path).read_run()


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="is not a run"):
        RunFolder(tmp_path).read_run()


def test_an_update_of_the_run_file_keeps_the_other_entries(tmp_path):
    folder = RunFolder(tmp_path)
    folder.update_run(**MADE, step=2)
    folder.update_run(step=3)
    assert folder.read_run() == MADE | {"step": 3}
    assert json.loads(folder.run.read_text()) == MADE | {"step": 3}


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        ({}, "no entry recipe"),
        ({name: value for name, value in MADE.items() if name != "fingerprint"}, "no entry fingerprint"),
        (MADE | {"data": {"name": "mnist"}}, r"no entry data\.source"),
    ],
)
def test_a_run_file_of_another_program_is_refused(tmp_path, saved, words):
    (tmp_path / "run.json").write_text(json.dumps(saved))
    with pytest.raises(UserError, match=f"was not written by ganforge .*{words}"):
        RunFolder(tmp_path).read_run()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"step": "12"}, "step must be a whole number"),
        ({"step": None}, "step must be a whole number"),
        ({"step": 10**30}, "step must be less than"),
        ({"data": ["mnist"]}, "data must be an object"),
        ({"data": {"name": 5, "source": None}}, r"data\.name must be a valid string"),
        ({"steps_per_epoch": 0}, "steps_per_epoch must be greater than or equal to 1"),
        ({"seconds": -1.0}, "seconds must be"),
        ({"versions": {"torch": 2}}, r"versions\.torch must be a valid string"),
    ],
)
def test_an_entry_of_another_type_is_named(tmp_path, entry, words):
    (tmp_path / "run.json").write_text(json.dumps(MADE | entry))
    with pytest.raises(UserError, match=rf"run\.json is damaged: {words}.*; restore it"):
        RunFolder(tmp_path).read_run()


def test_entries_of_a_newer_version_are_kept_and_a_byte_order_mark_is_skipped(tmp_path):
    newer = MADE | {"levels": "0..1", "data": MADE["data"] | {"colour": True}}
    (tmp_path / "run.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(newer).encode())
    folder = RunFolder(tmp_path)
    folder.update_run(step=1)
    assert folder.read_run() == newer | {"step": 1}


def test_find_runs(tmp_path):
    for name in ("a", "b"):
        RunFolder(tmp_path / name).path.mkdir()
        RunFolder(tmp_path / name).update_run(x=name)
    (tmp_path / "no-run").mkdir()
    assert {run.path.name for run in find_runs(tmp_path)} == {"a", "b"}


def test_log_is_cut_back_to_the_checkpoint_and_survives_half_a_line(tmp_path):
    log = tmp_path / "log.jsonl"
    for step in (1, 5, 9):
        append_line(log, {"step": step})
    with log.open("a") as file:
        file.write('{"step": 12, "loss')
    assert [line["step"] for line in read_lines(log)] == [1, 5, 9]
    cut_back(log, 5)
    assert log.read_text() == '{"step": 1}\n{"step": 5}\n'


DAMAGES = [b"\xff\xfe\x00", b"5", b"[1]", b'{"step": ', b'{"step": "2"}', b'{"loss": 1}', b"[" * 100_000, b"9" * 5000]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("end", [b"\n", b""])
def test_damaged_lines_are_skipped_and_later_lines_are_read(tmp_path, damage, end):
    log = tmp_path / "log.jsonl"
    append_line(log, {"step": 1})
    log.write_bytes(log.read_bytes() + damage + end)
    assert read_lines(log) == [{"step": 1}]
    append_line(log, {"step": 2})
    assert read_lines(log) == [{"step": 1}, {"step": 2}]
    cut_back(log, 1)
    assert log.read_bytes() == b'{"step": 1}\n'


def test_a_log_of_statistics_holds_numbers_only(tmp_path):
    for line in ({"step": 1, "loss": 0.5}, {"step": 2, "loss": float("nan")}, {"step": 3, "loss": "low"}):
        append_line(tmp_path / "log.jsonl", line)
    assert read_log(tmp_path / "log.jsonl") == [{"step": 1, "loss": 0.5}]
