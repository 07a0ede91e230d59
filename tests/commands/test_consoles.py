"""Any console: commands do not fail on its encoding, on closed or on full streams."""

import errno
import io
import json
import os
import subprocess
import sys

import pytest

from ganforge.commands.console import print_json, printable
from ganforge.commands.safe_streams import Outlet, loss, outlets

TINY = ("--set", "latent.dim=6", "--set", "batch_size=8")


def ganforge(*arguments, shell="", **environment):
    """Run a command in a subprocess whose standard files are redirected by the shell."""
    words = [sys.executable, "-m", "ganforge", *map(str, arguments)]
    if shell:
        words = ["sh", "-c", f'"$@" {shell}', "sh", *words]
    return subprocess.run(words, capture_output=True, env=os.environ | environment, timeout=60)


@pytest.mark.parametrize("encoding", ["ascii", "cp1251", "cp932", "utf-16"])
def test_characters_outside_an_encoding_are_replaced(run_command, monkeypatch, encoding):
    def output_of(*arguments):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
        monkeypatch.setattr(sys, "stdout", stream)
        assert run_command(*arguments)[0] == 0
        return stream.buffer.getvalue()

    assert "vanilla" in output_of("recipes").decode(encoding)
    assert {recipe["name"] for recipe in json.loads(output_of("recipes", "--json"))["recipes"]} > {"vanilla"}


def test_training_prints_on_an_ascii_console(bars_file):
    process = ganforge(
        "train", "vanilla", "--data", bars_file, "--steps", 2, *TINY, PYTHONIOENCODING="ascii", LC_ALL="C"
    )
    assert process.returncode == 0, process.stderr
    assert b"at step 2" in process.stdout and process.stdout.isascii() and process.stderr.isascii()


needs_a_shell = pytest.mark.skipif(os.name == "nt", reason="closes and fills files as a POSIX shell does")


@needs_a_shell
@pytest.mark.parametrize(
    ("shell", "code"), [(">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0), ("2>/dev/full", 0), (">/dev/full", 3)]
)
def test_closed_and_full_standard_files(shell, code):
    if "full" in shell and not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    process = ganforge("--version", shell=shell)
    assert process.returncode == code
    assert process.stderr.count(b"\n") == (code == 3)
    assert b"No space left" in process.stderr or code == 0


def test_a_closed_pipe_is_no_error():
    read, write = os.pipe()
    os.close(read)
    with open(write, "wb") as pipe:
        process = subprocess.run([sys.executable, "-m", "ganforge", "--version"], stdout=pipe, stderr=subprocess.PIPE)
    assert (process.returncode, process.stderr) == (0, b"")


@needs_a_shell
def test_a_closed_standard_error_leaves_one_object_on_standard_output():
    process = ganforge("nonsense", "--json", shell="2>&-")
    assert process.returncode == 2 and json.loads(process.stdout)["exit_code"] == 2


class Full(io.StringIO):
    def write(self, text):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_training_finishes_when_standard_output_is_full(run_command, bars_file, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Full())
    code, _, err = run_command("train", "vanilla", "--data", bars_file, "--steps", 3, "--out", "run", *TINY)
    assert code == 3 and "standard output: No space left on device" in err
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "finished"


def test_buffered_text_for_a_closed_pipe_is_dropped():
    read, write = os.pipe()
    os.close(read)
    with open(write, "w", encoding="ascii") as pipe:
        outlet = Outlet(pipe)
        outlet.write("é")
        outlet.flush()
        assert outlet.failure is not None and loss(outlet) == ""
        outlet.write("more")  # and closing the pipe below does not fail


@pytest.mark.parametrize("columns", ["0", "-3", "²", "wide", "1"])
def test_a_terminal_may_have_any_width(run_command, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    code, out, err = run_command("recipes")
    assert code == 0 and "vanilla" in out, err


def test_streams_are_restored():
    before = sys.stdout, sys.stderr
    with outlets() as (out, _):
        assert sys.stdout is out
    assert (sys.stdout, sys.stderr) == before


def test_control_characters_in_names_are_escaped(run_command, capsys):
    assert printable("a\x1b[2Jb\x9bc\udcffd\te\n") == "a\\x1b[2Jb\\x9bc\\udcffd\te\n"
    code, _, err = run_command("resume", "no\x1b[31mwhere\n")
    assert code == 2 and "\x1b" not in err and "no\\x1b[31mwhere" in err and err.count("\n") == 1
    name = {"run": "ü\udcff"}  # a file name that is not UTF-8
    print_json(name)
    assert json.loads(capsys.readouterr().out) == name


def test_folders_with_brackets_are_no_markup(monkeypatch):
    from ganforge.commands.progress import TerminalWatcher

    monkeypatch.setattr(sys, "stderr", terminal := io.StringIO())
    monkeypatch.setenv("FORCE_COLOR", "1")
    watcher = TerminalWatcher()
    watcher.reading("looking through [/x]\x1b", 1, 2)
    watcher.downloading("[/y]", 1, 2)
    watcher.end()
    assert "[/x]\\x1b" in terminal.getvalue() and "[/y]" in terminal.getvalue()
