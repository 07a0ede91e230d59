"""Paths of users: ``~`` in every argument, and names that no file can have."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import ganforge
from conftest import small_images
from ganforge.data.load import _data_folder
from ganforge.errors import UserError
from ganforge.files import cache_folder, ensure_writable, user_path

TINY = ("--set", "latent.dim=6", "--set", "batch_size=8")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder next to the working folder, on every system."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    return folder


def test_every_verb_expands_the_home_folder(run_command, home, tmp_path):
    bars = small_images(1000)
    np.savez(home / "bars.npz", images=bars.images[:, 0].numpy(), labels=bars.labels.numpy())
    (home / "mine.toml").write_text(ganforge.load_recipe("vanilla").to_toml())
    for arguments in [
        ("judge", "train", "~/bars.npz", "--epochs", 1, "--out=~/j.safetensors"),
        ("train", "~/mine.toml", "--data", "~/bars.npz", "--steps", 2, "--out=~/one", *TINY),
        ("train", "vanilla", "--data=~/bars.npz", "--steps", 2, "--out=~/two", "--from=~/one", *TINY),
        ("train", "vanilla", "--data=~/bars.npz", "--steps", 1, "--seeds", 1, "--out=~/seeds", *TINY),
        ("resume", "~/one", "--steps", 3),
        ("sample", "~/one", "--out=~/one.png"),
        ("sample", "--model=~/one", "--out=~/two.npz"),
        ("evaluate", "~/one", "--judge=~/j.safetensors", "--data=~/bars.npz", "--n", 100, "--nearest=~/n.png"),
        ("evaluate", "~/two", "--judge=~/j.safetensors", "--data=~/bars.npz", "--n", 100),
        ("compare", "~/one", "~/two"),
        ("data", "show", "~/bars.npz", "--out=~/sheet.png"),
        ("write", "1", "--out=~/w.png"),
        ("recipes", "show", "~/mine.toml"),
        ("runs", "~"),
    ]:
        code, _, err = run_command(*arguments)
        assert code == 0, (arguments, err)
    assert not (tmp_path / "~").exists()
    made = {path.name for path in home.iterdir()}
    assert made > {"j.safetensors", "one", "two", "seeds", "one.png", "two.npz", "n.png", "sheet.png", "w.png"}


def test_python_and_variables_expand_the_home_folder(home, bars_file, monkeypatch, tmp_path):
    run = ganforge.train("vanilla", data=bars_file, steps=1, out="~/run", changes=["latent.dim=6", "batch_size=8"])
    assert run.folder == home / "run" and len(ganforge.load("~/run").sample(1)) == 1
    assert ganforge.resume("~/run", steps=2).step == 2
    assert ensure_writable("~/a/b.png") == home / "a" / "b.png"
    monkeypatch.setenv("GANFORGE_DATA", "~")
    assert _data_folder() == home
    monkeypatch.setenv("GANFORGE_CACHE", "~/c")
    assert cache_folder() == home / "c"
    monkeypatch.delenv("GANFORGE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "~/d")
    assert cache_folder() == home / "d" / "ganforge"
    assert not (tmp_path / "~").exists()
    monkeypatch.setenv("XDG_CACHE_HOME", "x" * 300)
    with pytest.raises(UserError, match=r"^XDG_CACHE_HOME: 'x"):
        cache_folder()


@pytest.mark.parametrize("name", ["", "a" * 300, "b/" * 3000, "a\0b", "~nobody-at-all/x"])
def test_names_that_no_file_can_have(name):
    with pytest.raises(UserError, match=r"cannot be used as a path \(.+\); name another"):
        user_path(name)


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "LONG"),
        ("train", "vanilla", "--data", "LONG"),
        ("train", "vanilla", "--data", "digits", "--out", "LONG"),
        ("train", "vanilla", "--data", "digits", "--out", ""),
        ("train", "vanilla", "--data", "digits", "--from", "LONG"),
        ("resume", "LONG"),
        ("sample", "LONG"),
        ("sample", "--model", "LONG"),
        ("sample", "--model", "mnist", "--out", "LONG"),
        ("write", "1", "--out", "LONG"),
        ("write", "1", "--model", "LONG"),
        ("evaluate", "LONG"),
        ("evaluate", "mnist", "--data", "LONG"),
        ("evaluate", "mnist", "--judge", "LONG"),
        ("compare", "LONG", "LONG"),
        ("judge", "train", "digits", "--out", "LONG"),
        ("benchmark", "ring", "--out", "LONG"),
        ("benchmark", "ring", "--recipe", "LONG"),
        ("recipes", "show", "LONG"),
        ("data", "show", "LONG"),
        ("runs", "LONG"),
    ],
    ids=" ".join,
)
def test_every_verb_refuses_such_a_name_in_one_line(run_command, tmp_path, arguments):
    before = sorted(tmp_path.iterdir())
    code, _, err = run_command(*("x" * 300 if word == "LONG" else word for word in arguments))
    assert code == 2 and "cannot be used as a path" in err and err.count("\n") == 1
    assert len(err) < 250 and sorted(tmp_path.iterdir()) == before


def test_a_file_refused_by_the_system_is_one_line(run_command, monkeypatch):
    from ganforge.commands import main as entry

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", "/some/file")

    monkeypatch.setattr(entry, "app", refuse)
    code, _, err = run_command("train")
    assert code == 3 and err == "ganforge: /some/file: Permission denied; everything saved so far is safe\n"


def test_the_cache_of_a_user_without_a_home_folder(monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    for name in ("GANFORGE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache_folder().is_absolute() and cache_folder().name == "ganforge"


@pytest.mark.skipif(sys.platform != "linux", reason="only there are names of files any bytes")
def test_file_names_that_are_not_unicode(run_command, bars_file, tmp_path):
    name = os.fsdecode(b"caf\xe9\x1b")
    (tmp_path / f"{name}.npz").write_bytes(bars_file.read_bytes())
    code, out, err = run_command(
        "train", "vanilla", "--data", f"{name}.npz", "--steps", 1, "--out", name, "--json", *TINY
    )
    assert code == 0 and json.loads(out)["run"] == name, err
    assert "\x1b" not in err and "caf\\udce9\\x1b" in err
    code, out, err = run_command("runs", ".")
    assert code == 0 and "caf\\udce9\\x1b" in out, err
    assert run_command("sample", name)[0] == 0
