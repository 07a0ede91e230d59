"""The layers of the package: a file imports only from lower layers or from its own package, and never in a circle."""

import ast
import re
from pathlib import Path

import ganforge

ROOT = Path(ganforge.__file__).parent
FLOORS = {
    "errors": 0, "randomness": 0, "settings": 0, "json_text": 0, "whole_batch": 0,
    "forks": 1, "python_arguments": 1,
    "process_state": 2, "files": 2, "worker_pool": 2,
    "networks": 3, "objectives": 3, "metrics": 3,
    "data": 4, "runs": 4,
    "recipes": 5,
    "training": 6,
    "judge": 7,
    "generation": 8, "diagnosis": 8,
    "evaluation": 9,
    "reports": 10,
    "experiment": 11,
    "applications": 12,
    "benchmarks": 13,
    "commands": 14,
}  # fmt: skip
TOP = {"__init__", "__main__"}


def imports(path):
    """The ganforge modules that a file imports, anywhere in it, as dotted names below the package."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path.name}: relative import"
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("ganforge.") for name in modules if name.startswith("ganforge.")}


def files():
    return [path for path in ROOT.rglob("*.py")]


def room(path):
    relative = path.relative_to(ROOT)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def violations(of_file):
    here = room(of_file)
    if here in TOP:
        return []
    return [
        f"{of_file.relative_to(ROOT)} imports {name}"
        for name in imports(of_file)
        if (there := name.split(".")[0]) in FLOORS and there != here and FLOORS[there] >= FLOORS[here]
    ]


def test_every_room_has_a_floor():
    assert {room(path) for path in files()} - TOP == set(FLOORS)


def test_imports_go_downward_only():
    assert [v for path in files() for v in violations(path)] == []


def test_a_wrong_import_is_detected(tmp_path, monkeypatch):
    bad = tmp_path / "data" / "bad.py"
    bad.parent.mkdir()
    bad.write_text("from ganforge.training.step import update\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert violations(bad) == ["data/bad.py imports training.step.update"]


def test_no_circle_inside_a_room():
    graph = {}
    for path in files():
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        names = imports(path)
        graph[module] = {n for n in {*names, *(n.rpartition(".")[0] for n in names)} if n and n != module}

    def reaches_itself(start):
        visited, todo = set(), list(graph[start])
        while todo:
            here = todo.pop()
            if here == start:
                return True
            if here not in visited:
                visited.add(here)
                todo += graph.get(here, ())
        return False

    assert [module for module in graph if reaches_itself(module)] == []


def test_the_step_names_no_recipe():
    from ganforge.recipes.reading import built_in

    text = (ROOT / "training" / "step.py").read_text() + (ROOT / "training" / "loop.py").read_text()
    assert [name for name in built_in() if f'"{name}"' in text] == []


def test_the_page_of_the_architecture_has_the_same_layers():
    page = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^ +(\d+)   (\w+)(?:/|\.py) ", page, re.MULTILINE)
    assert {name: int(layer) for layer, name in rows} == FLOORS
