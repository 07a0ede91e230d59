import ast
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import ganforge
from ganforge.json_text import NoJson, parse_json, to_json


def refuse(name):
    raise AssertionError(f"{name} is no JSON")


def test_non_finite_numbers_become_null_at_any_depth():
    values = {
        "a": math.nan,
        "b": [1.5, -math.inf, (math.inf,)],
        "c": {"d": np.float32("nan"), "e": torch.tensor(math.inf)},
    }
    text = to_json(values)
    assert json.loads(text, parse_constant=refuse) == {"a": None, "b": [1.5, None, [None]], "c": {"d": None, "e": None}}


def test_numbers_of_numpy_and_torch_are_numbers():
    values = {
        "i": np.int64(3),
        "f": np.float32(0.5),
        "b": np.bool_(True),
        "t": torch.tensor(2),
        np.int64(7): np.arange(2),
    }
    assert json.loads(to_json(values)) == {"i": 3, "f": 0.5, "b": True, "t": 2, "7": [0, 1]}


def test_the_text_of_plain_values_is_that_of_the_standard_library():
    values = {"z": [1, 2.5e-7, None, True], "a": "é\n"}
    assert to_json(values) == json.dumps(values)
    assert to_json(values, indent=2, sort_keys=True) == json.dumps(values, indent=2, sort_keys=True)
    assert to_json(values, ascii_only=False) == json.dumps(values, ensure_ascii=False)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b'{"a": 1,\n]', "not JSON from line 2, column 1 on"),
        (b"\xff\xfe{\x00}\x00", "not text in UTF-8"),
        (b"[" * 200_000, "nested too deep"),
        (b"9" * 5000, "too many digits"),
    ],
)
def test_invalid_json_is_described_in_a_phrase(content, words):
    with pytest.raises(NoJson, match=words):
        parse_json(content)


def test_a_byte_order_mark_is_skipped_and_non_finite_numbers_are_unknown():
    assert parse_json(b'\xef\xbb\xbf{"a": [NaN, -Infinity, 1e999, 2]}') == {"a": [None, None, None, 2]}


def test_nothing_else_in_ganforge_writes_json():
    """A direct json.dumps would print NaN, which is not JSON."""
    root = Path(ganforge.__file__).parent
    calls = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in ("dump", "dumps")
        and getattr(node.value, "id", "") == "json"
    }
    assert calls == {"json_text.py", "worker_pool.py"}  # the latter writes only strings and exit codes
