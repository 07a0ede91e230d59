"""Runs share the cores where they are done sooner so."""

import pytest
import torch

from ganforge.recipes.reading import load_recipe
from ganforge.training import parallelism
from ganforge.training.parallelism import runs_at_once, threads_each
from ganforge.training.step_timer import timed_step

RECIPE = load_recipe("vanilla", ["device=cpu", "generator.hidden=[8]", "discriminator.hidden=[8]"])
SHAPE = (1, 8, 8)


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)


def asked(monkeypatch, runs, steps, every, share):
    monkeypatch.setattr(parallelism, "read", lambda file: {"all": every, "share": share})
    return runs_at_once(RECIPE, SHAPE, 0, runs, steps)


# by hand: one by one runs * steps * all; side by side 2 + turns * steps * 1.1 * share
@pytest.mark.parametrize(
    ("runs", "steps", "every", "share", "answer"),
    [
        (2, 10_000, 0.01, 0.01, 2),  # 200 s; 112 s
        (2, 10_000, 0.01, 0.02, 1),  # 200 s; 222 s
        (3, 10_000, 0.01, 0.012, 2),  # 300 s; two turns: 266 s
        (3, 10_000, 0.01, 0.014, 1),  # 300 s; 310 s
        (2, 100, 0.01, 0.01, 1),  # 2 s; 3.1 s: the second process would not have begun
        (1, 10_000, 0.01, 0.001, 1),
    ],
)
def test_the_earlier_end_is_taken(runs, steps, every, share, answer, two_cores, monkeypatch):
    assert asked(monkeypatch, runs, steps, every, share) == answer


def test_one_core_and_a_gpu_are_not_shared(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert asked(monkeypatch, 8, 10_000, 0.01, 0.001) == 1
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    gpu = RECIPE.model_copy(update={"device": "cuda"})
    assert runs_at_once(gpu, SHAPE, 0, 8, 10_000) == 1


def test_the_real_step_is_measured_once_and_the_threads_are_as_before(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        answer = runs_at_once(RECIPE, SHAPE, 0, 2, 10**7)
        assert torch.get_num_threads() == 2 and threads_each(2) == 1 and threads_each(1) == 2
        monkeypatch.setattr(parallelism, "_time_steps", lambda *_: pytest.fail("measured again"))
        assert runs_at_once(RECIPE, SHAPE, 0, 2, 10**7) == answer
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("precision", ["fp64", "fp32", "bf16"])
def test_a_step_can_be_timed_in_every_precision(precision):
    assert timed_step(RECIPE.model_copy(update={"precision": precision}), SHAPE, 0)() > 0


def test_short_runs_are_not_measured(two_cores, monkeypatch):
    monkeypatch.setattr(parallelism, "_time_steps", lambda *_: pytest.fail("measured"))
    assert runs_at_once(RECIPE, SHAPE, 0, 3, 30) == 1
