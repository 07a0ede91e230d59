"""An extractor's identity is its code and data, independent of its name and place."""

import math
import os
import subprocess
import sys
import threading
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from ganforge.evaluation.features import FeatureExtractor
from ganforge.evaluation.identity import Unidentified, identity_of


def defined(source, name="f", at="one.py"):
    """Return what a script defines under a name."""
    space = {"torch": torch, "np": np, "math": math, "nn": nn, "partial": partial, "__name__": "script"}
    exec(compile(source, at, "exec"), space)
    return space[name]


BASE = "f = lambda x: x.float().flatten(1) * 2"
OTHERS = [
    "f = lambda x: x.float().flatten(1) * 3",
    "f = lambda x: x.float().flatten(1) + 2",
    "f = lambda x: x.double().flatten(1) * 2",
    "f = lambda x, by=2: x.float().flatten(1) * by",
    "f = lambda x, by=3: x.float().flatten(1) * by",
    "f = lambda x, *, by=3: x.float().flatten(1) * by",
    "by = 2\nf = lambda x: x.float().flatten(1) * by",
    "by = 3\nf = lambda x: x.float().flatten(1) * by",
    "def of(by):\n  return lambda x: x.float().flatten(1) * by\nf = of(2)",
    "def of(by):\n  return lambda x: x.float().flatten(1) * by\nf = of(3)",
    "def of(by):\n  return lambda x: x.float().flatten(1) * by\nf = of(np.array([2.0, 3.0]))",
    "def of(by):\n  return lambda x: x.float().flatten(1) * by\nf = of(np.array([2.0, 4.0]))",
    "def g(x, by): return x.float() * by\nf = partial(g, by=2)",
    "def g(x, by): return x.float() * by\nf = partial(g, by=3)",
    "def g(x, by): return x.float() / by\nf = partial(g, by=3)",
    "def g(x): return x.float() * 2\nf = lambda x: g(x)",
    "def g(x): return x.float() * 3\nf = lambda x: g(x)",
    "f = lambda x: [y for y in x if y > 1]",
    "f = lambda x: [y for y in x if y > 2]",
    "class C:\n  by = 2\n  def __call__(self, x): return x * self.by\nf = C()",
    "class C:\n  by = 3\n  def __call__(self, x): return x * self.by\nf = C()",
    "class C:\n  by = 3\n  def __call__(self, x): return x / self.by\nf = C()",
    "class C:\n  by = 3\n  def __call__(self, x): return x / self.by\nf = C()\nf.by = 5",
    "class C:\n  def look(self, x): return x\nf = C().look",
    "class C:\n  def look(self, x): return x\nf = C()\nf.k = 1\nf = f.look",
    "f = torch.sin",
    "f = torch.cos",
    "f = np.sin",
    "f = np.cos",
    "f = math.sin",
    "torch.manual_seed(0)\nf = nn.Linear(2, 3)",
    "torch.manual_seed(1)\nf = nn.Linear(2, 3)",
    "torch.manual_seed(0)\nf = nn.Sequential(nn.Linear(2, 3), nn.ReLU())",
    "torch.manual_seed(0)\nf = nn.Sequential(nn.Linear(2, 3), nn.GELU())",
    "torch.manual_seed(0)\nclass N(nn.Linear):\n  def forward(self, x): return super().forward(x) * 2\nf = N(2, 3)",
    "torch.manual_seed(0)\nclass N(nn.Linear):\n  def forward(self, x): return super().forward(x) * 3\nf = N(2, 3)",
    "torch.manual_seed(0)\nnet = nn.Linear(2, 3)\n@torch.no_grad()\ndef f(x): return net(x)",
    "torch.manual_seed(1)\nnet = nn.Linear(2, 3)\n@torch.no_grad()\ndef f(x): return net(x)",
    "def f(x): return x * f.by\nf.by = 2",
    "def f(x): return x * f.by\nf.by = 3",
    "class D(dict):\n  def __call__(self, x): return x + 1\nf = D()",
    "class D(dict):\n  def __call__(self, x): return x + 2\nf = D()",
    "class S:\n  __slots__ = ('by',)\n  def __call__(self, x): return x + self.by\nf = S()\nf.by = 1",
    "class S:\n  __slots__ = ('by',)\n  def __call__(self, x): return x + self.by\nf = S()\nf.by = 2",
    "class C:\n  @staticmethod\n  def of(x): return x + 2\n  def __call__(self, x): return self.of(x)\nf = C()",
    "class C:\n  @staticmethod\n  def of(x): return x + 3\n  def __call__(self, x): return self.of(x)\nf = C()",
    "def f(x): return f(x[1:]) if len(x) else 2",
    "def f(x): return f(x[1:]) if len(x) else 3",
]


def test_different_code_or_content_gives_different_identities():
    hashes = [identity_of(defined(source)) for source in [BASE, *OTHERS]]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize("source", [BASE, *OTHERS])
def test_equal_definitions_have_one_identity_in_any_place(source):
    elsewhere = "\n\n# further down\n" + source
    assert identity_of(defined(source)) == identity_of(defined(elsewhere, at="/another/place.py"))


def test_the_name_is_no_part_of_the_identity():
    assert identity_of(defined("def f(x): return x + 1")) == identity_of(defined("def g(x): return x + 1", "g"))


SCRIPT = """
import numpy as np
from ganforge.evaluation.identity import identity_of
WORDS = {"a", "b", "c", "d"}
def f(x): return [y for y in x if y in WORDS or y in {"e", "f", "g"}]
class C:
    def __init__(self): self.seen, self.w = {"one": 1, "two": {3, 4}}, np.ones(3)
    def __call__(self, x): return f(x)
print(identity_of(C()))
"""


def test_the_identity_is_the_same_in_every_process():
    identities = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(identities) == 1 and len(identities.pop().strip()) == 64


def test_unidentified_extractors_never_have_equal_hashes(tmp_path):
    with (tmp_path / "file").open("w") as file:

        def look(x):
            return (file, x)

        for value in (file, iter([1]), (x for x in "ab"), threading.Lock()):
            with pytest.raises(Unidentified):
                identity_of(partial(look, value))
        one, other = FeatureExtractor(extractor=look), FeatureExtractor(extractor=look)
    assert one.hash != other.hash
    assert "compare with no other evaluation" in one.note


def test_an_extractors_hash_depends_on_its_content():
    two, three = (FeatureExtractor(extractor=defined(f"f = lambda x: x.float().flatten(1) * {by}")) for by in (2, 3))
    assert two.name == three.name and two.hash != three.hash
    assert two.hash == FeatureExtractor(extractor=defined(BASE)).hash and two.note == ""
