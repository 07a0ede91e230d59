"""Promises of README and docs that can be checked by reading the files."""

import re
from pathlib import Path

import pytest

from ganforge.recipes.reading import built_in

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```.*?^```$|^    [^\n]*$", re.MULTILINE | re.DOTALL)


def page_name(page):
    return str(page.relative_to(ROOT))


def anchors(page):
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_both_commands_and_the_pip_lines_stand_in_the_first_fifteen_lines():
    top = "\n".join(README.read_text().splitlines()[:15])
    for command in ("make demo", "make test", "pip install -c constraints.txt", "ganforge train", "-m pytest"):
        assert command in top


def test_the_readme_has_four_screens():
    text = README.read_text()
    assert len(text.split()) <= 900
    prose = [line for line in BLOCK.sub("", text).splitlines() if not line.startswith("|")]
    assert [line for line in prose if len(line) > 100] == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_link_and_picture_exists(page):
    broken = []
    prose = re.sub(r"`[^`\n]+`", "", BLOCK.sub("", page.read_text()))
    pictures = [(source, "") for source in re.findall(r'<img src="([^"]+)"', prose)]
    for target, anchor in [*pictures, *re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", prose)]:
        if "://" in target:
            continue
        path = page.parent / target if target else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(f"{target}#{anchor}" if anchor else target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_page_is_named_somewhere(page):
    if page != README:
        others = [other for other in PAGES if other != page]
        assert any(re.search(rf"\(([\w./]*/)?{page.name}[#)]", other.read_text()) for other in others)


def test_every_recipe_is_in_the_table_of_systems():
    text = (ROOT / "docs" / "systems.md").read_text()
    assert [name for name in built_in() if f"| `{name}`" not in text] == []


def test_the_readme_counts_the_recipes():
    assert f"[{len(built_in())} recipes]" in README.read_text()


def test_the_architecture_names_every_room():
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = [path.name for path in (ROOT / "src" / "ganforge").iterdir() if path.is_dir() and path.name[0] != "_"]
    assert [room for room in rooms if f" {room}/" not in text] == []


def test_files_named_in_the_architecture_exist():
    text = (ROOT / "docs" / "architecture.md").read_text()
    package = ROOT / "src" / "ganforge"
    named = {name for name in re.findall(r"`((?:[\w-]+/)*[\w-]+\.(?:py|toml|md))", text) if "NAME" not in name}
    files = {path.relative_to(base) for base in (ROOT, package) for path in base.rglob("*.*")}
    names = {path.name for path in files}
    assert [name for name in named if Path(name) not in files and (("/" in name) or name not in names)] == []


def test_pages_named_in_code_exist():
    files = [path for room in ("src", "speed", "docs") for path in (ROOT / room).rglob("*.py")]
    missing = {
        (path.name, page)
        for path in files
        for page in re.findall(r"docs/[\w./-]+?\.md", path.read_text())
        if not (ROOT / page).exists()
    }
    assert missing == set()
