"""Where files may be written is asked before the work is done."""

import pytest

from ganforge.errors import RunFailed, UserError
from ganforge.files import place_for, write_atomically


def test_a_place_that_can_be_written_gets_its_folder_and_nothing_else(tmp_path):
    file = tmp_path / "new" / "folder" / "a.PNG"
    assert place_for(file, [".png"]) == file
    assert file.parent.is_dir() and not list(file.parent.iterdir())


def test_a_place_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for place, why in ((tmp_path / "file" / "judge", "exists"), (tmp_path, "it is a folder")):
        with pytest.raises(UserError, match=f"cannot be written .*{why}.*name another place$"):
            place_for(place)
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="or set GANFORGE_CACHE"):
        place_for(tmp_path / "file" / "judge")
    with pytest.raises(UserError, match=r"must end in \.png or \.webp"):
        place_for(tmp_path / "a.jpg", [".png", ".webp"])


def test_what_cannot_be_written_leaves_what_stood_there(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(RunFailed, match="could not write"):
        write_atomically(tmp_path / "taken", b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["taken"]
