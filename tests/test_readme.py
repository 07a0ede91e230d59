"""The claims of the README that can be checked without running anything."""

import re
from pathlib import Path

import pytest

from ganforge.recipes.reading import built_in

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_both_commands_and_the_pip_lines_stand_in_the_first_fifteen_lines():
    top = "\n".join((ROOT / "README.md").read_text().splitlines()[:15])
    for command in ("make demo", "make test", "pip install -c constraints.txt", "ganforge train", "-m pytest"):
        assert command in top


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_picture_is_there(page):
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    assert [target for target in targets if "://" not in target and not (page.parent / target).exists()] == []


def test_every_recipe_is_in_the_table_of_systems():
    text = (ROOT / "README.md").read_text()
    assert [name for name in built_in() if f"| `{name}`" not in text] == []


def test_the_tree_names_every_room():
    text = (ROOT / "README.md").read_text()
    rooms = [path.name for path in (ROOT / "src" / "ganforge").iterdir() if path.is_dir() and path.name[0] != "_"]
    assert [room for room in rooms if f"      {room}/" not in text] == []
