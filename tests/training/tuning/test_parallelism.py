"""Runs go in parallel where that ends earlier."""

import pytest
import torch

from ganforge.recipes.reading import load_recipe
from ganforge.training.tuning import parallelism
from ganforge.training.tuning.parallelism import runs_at_once, threads_each
from ganforge.training.tuning.step_timer import timed_step

RECIPE = load_recipe("vanilla", ["run.device=cpu", "generator.hidden=[8]", "discriminator.hidden=[8]"])
SHAPE = (1, 8, 8)


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)


def runs_with_times(monkeypatch, runs, steps, all_threads, share):
    monkeypatch.setattr(parallelism, "read_cached", lambda file: {"all": all_threads, "share": share})
    return runs_at_once(RECIPE, SHAPE, 0, runs, steps)


# by hand: one after another runs * steps * all; in parallel 2 + rounds * steps * 1.1 * share
@pytest.mark.parametrize(
    ("runs", "steps", "all_threads", "share", "answer"),
    [
        (2, 10_000, 0.01, 0.01, 2),  # 200 s; 112 s
        (2, 10_000, 0.01, 0.02, 1),  # 200 s; 222 s
        (3, 10_000, 0.01, 0.012, 2),  # 300 s; two rounds: 266 s
        (3, 10_000, 0.01, 0.014, 1),  # 300 s; 310 s
        (2, 100, 0.01, 0.01, 1),  # 2 s; 3.1 s: the second process would not have started
        (1, 10_000, 0.01, 0.001, 1),
    ],
)
def test_the_alternative_with_the_earlier_end_is_chosen(
    runs, steps, all_threads, share, answer, two_cores, monkeypatch
):
    assert runs_with_times(monkeypatch, runs, steps, all_threads, share) == answer


def test_runs_on_one_core_or_a_gpu_are_not_parallel(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert runs_with_times(monkeypatch, 8, 10_000, 0.01, 0.001) == 1
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    gpu = RECIPE.with_run(device="cuda")
    assert runs_at_once(gpu, SHAPE, 0, 8, 10_000) == 1


def test_the_step_is_timed_once_and_the_thread_count_is_restored(monkeypatch):
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
    assert timed_step(RECIPE.with_run(precision=precision), SHAPE, 0)() > 0


def test_short_runs_are_not_timed(two_cores, monkeypatch):
    monkeypatch.setattr(parallelism, "_time_steps", lambda *_: pytest.fail("measured"))
    assert runs_at_once(RECIPE, SHAPE, 0, 3, 30) == 1
