"""Files are written atomically, also by several or killed writers; their paths are checked before work starts."""

import os
import random
import re
import subprocess
import sys

import pytest

from ganforge.errors import RunFailed, UserError
from ganforge.files import ensure_writable, sweep, temporary, write_atomically
from processes import kill_after, left_in, together


def test_a_check_of_a_writable_path_creates_its_folder_only(tmp_path):
    file = tmp_path / "new" / "folder" / "a.PNG"
    assert ensure_writable(file, [".png"]) == file
    assert file.parent.is_dir() and not list(file.parent.iterdir())


def test_a_path_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for place, why in ((tmp_path / "file" / "judge", "exists"), (tmp_path, "it is a folder")):
        with pytest.raises(UserError, match=f"cannot be written .*{why}.*name another place$"):
            ensure_writable(place)
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="or set GANFORGE_CACHE"):
        ensure_writable(tmp_path / "file" / "judge")
    with pytest.raises(UserError, match=r"must end in \.png or \.webp"):
        ensure_writable(tmp_path / "a.jpg", [".png", ".webp"])


def test_a_failed_write_leaves_the_folder_unchanged(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(RunFailed, match="could not write"):
        write_atomically(tmp_path / "taken", b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["taken"]


def test_a_name_as_long_as_the_file_system_takes_can_be_written(tmp_path):
    file = tmp_path / ("x" * 255)
    write_atomically(file, b"new")
    assert file.read_bytes() == b"new"


def test_writers_of_one_file_at_the_same_time_all_succeed_and_leave_one_whole_file(tmp_path):
    writer = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from ganforge.files import write_atomically\n"
        "file, mine = Path(sys.argv[1]), os.getpid().to_bytes(8, 'little') * 20_000\n"
        "wait()\n"
        "for _ in range(60):\n"
        "    write_atomically(file, mine)\n"
        "    found = file.read_bytes()\n"
        "    assert found == found[:8] * 20_000, len(found)\n"
    )
    together(writer, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_temporary_files_of_a_killed_writer_are_removed_and_the_file_stays_whole(tmp_path):
    """A writer is killed at random moments, ten times."""
    file, chance = tmp_path / "file", random.Random(0)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ganforge.files import write_atomically\n"
        "print('here', flush=True)\n"
        "for k in range(10**6):\n"
        "    write_atomically(Path(sys.argv[1]), bytes([k % 256]) * 3_000_000)\n"
    )
    leftovers = 0
    for _ in range(10):
        kill_after([sys.executable, "-c", script, str(file)], chance.uniform(0.01, 0.08))
        leftovers += len(left_in(tmp_path))
        assert not file.exists() or file.read_bytes() == file.read_bytes()[:1] * 3_000_000
        sweep(tmp_path)
        assert not left_in(tmp_path)
    assert leftovers


def test_only_abandoned_temporary_files_are_removed(tmp_path):
    with temporary(tmp_path) as live:
        live.write_bytes(b"half")
        gone = tmp_path / re.sub(r"-\d+-", f"-{gone_process()}-", live.name)
        gone.mkdir()
        (gone / "pixels").touch()
        elsewhere = tmp_path / re.sub(r"^\.\w{8}-\d+", f".00000000-{gone_process()}", live.name)
        old = elsewhere.with_name(elsewhere.name.replace("00000000", "00000001"))
        strange = tmp_path / ".letter.writing"
        for path in (elsewhere, old, strange):
            path.touch()
        for path in (old, strange):
            os.utime(path, (0, 0))
        sweep(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([live, elsewhere, strange])
    assert not live.exists()


def gone_process() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_a_file_open_in_another_process_is_replaced_a_moment_later(tmp_path, monkeypatch):
    """Windows refuses to replace a file that is open."""
    replace, refusals = os.replace, [1, 2]

    def busy(source, target):
        if refusals:
            refusals.pop()
            raise PermissionError(13, "Permission denied")
        replace(source, target)

    monkeypatch.setattr("ganforge.files.os.replace", busy)
    monkeypatch.setattr("ganforge.files.RENAME_PAUSES", (0.0, 0.0))
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    refusals += [1, 2, 3]
    with pytest.raises(RunFailed, match="Permission denied"):
        write_atomically(tmp_path / "file", b"newer")
    assert (tmp_path / "file").read_bytes() == b"new"
