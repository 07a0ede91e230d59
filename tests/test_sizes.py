"""Sizes that keep the package readable: a function fits a screen, a file holds one idea, few branches a function."""

import ast
from pathlib import Path

import pytest

import ganforge

ROOT = Path(ganforge.__file__).parent
FUNCTION_LINES, FILE_LINES, BRANCHES = 60, 400, 10
"""Largest number of lines of a function with its signature, of lines of a file, and largest cyclomatic complexity."""

FLAGS = "its flags, one a line, are most of it"
LONG_FUNCTIONS = {
    "commands/augment.py augment": FLAGS,
    "commands/evaluate.py evaluate": FLAGS,
}
LONG_FILES: dict[str, str] = {}
BRANCHING_FUNCTIONS: dict[str, str] = {}
"""Exceptions, with their reasons; an exception that is no longer one fails, too."""


def files():
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py")}


def functions():
    for file, text in files().items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{file} {node.name}", node


def lines(function):
    return function.end_lineno - function.lineno + 1


def complexity(function):
    """Cyclomatic complexity as ruff's C901 counts it: 1, and 1 for every branch, loop, handler and inner function."""
    counted = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.match_case, ast.FunctionDef)
    with_else = (ast.For, ast.AsyncFor, ast.While, ast.Try)
    nodes = list(ast.walk(function))
    return sum(isinstance(node, counted) for node in nodes) + sum(
        isinstance(node, with_else) and bool(node.orelse) for node in nodes
    )


def test_functions_fit_a_screen():
    assert {name for name, function in functions() if lines(function) > FUNCTION_LINES} == set(LONG_FUNCTIONS)


def test_files_hold_one_idea():
    assert {name for name, text in files().items() if len(text.splitlines()) > FILE_LINES} == set(LONG_FILES)


def test_functions_have_few_branches():
    assert {name for name, function in functions() if complexity(function) > BRANCHES} == set(BRANCHING_FUNCTIONS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f():\n    return [x for x in y if x]", 1),
        ("def f():\n    if a:\n        b\n    elif c:\n        d\n    else:\n        e", 3),
        ("def f():\n    for a in b:\n        c\n    else:\n        d", 3),
        ("def f():\n    try:\n        a\n    except B:\n        c\n    else:\n        d\n    finally:\n        e", 3),
        ("def f():\n    def g():\n        while a:\n            b\n    return g", 3),
    ],
)
def test_complexity_by_hand(text, expected):
    assert complexity(ast.parse(text).body[0]) == expected
