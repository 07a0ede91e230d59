"""The scripts of tools/ are run rarely: each must at least load, and find its own files."""

import runpy
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools"


@pytest.mark.parametrize("script", sorted(path.name for path in TOOLS.glob("*.py")))
def test_every_tool_loads(script):
    assert runpy.run_path(str(TOOLS / script))["__doc__"]


def test_the_key_of_the_blind_test_names_half_of_the_sheet():
    blind_test = runpy.run_path(str(TOOLS / "blind_test.py"))
    assert blind_test["SHEET"].exists()
    assert blind_test["score"](set(blind_test["PLACES"])) == 0.5


def test_the_makefile_names_tools_that_exist():
    words = (TOOLS.parent / "Makefile").read_text().split()
    named = [word for word in words if word.startswith("tools/")]
    assert named
    assert [name for name in named if not (TOOLS.parent / name).exists()] == []
