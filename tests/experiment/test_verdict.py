"""The verdict on real digits: it must find what is known to be wrong."""

import json

import pytest
import torch

import ganforge
from conftest import needs_mnist
from ganforge.data.images import ImageSet


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@needs_mnist
def test_the_tutorials_conditional_gan_collapses_and_the_verdict_says_so(tmp_path, two_threads):
    run = ganforge.train("cgan-tutorial", data="mnist", epochs=2, out="run")
    assert run.verdict is not None
    assert run.verdict.findings[0].name == "mode-collapse"
    assert "mode collapse" in run.verdict.words
    measured = run.verdict.measured
    assert measured.n_fake == 10_000
    assert measured.total_spread < 0.01
    assert measured.label_agreement == pytest.approx(0.1, abs=0.05)
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text())
    assert line["step"] == 1100
    assert line["measured"]["judge"] == measured.judge


@needs_mnist
def test_images_that_are_no_digits_get_no_verdict():
    noise = torch.randint(0, 256, (400, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    data = ImageSet(noise, torch.arange(400) % 10, tuple("0123456789"), "noise")
    assert ganforge.train("vanilla", data=data, steps=2, out="run").verdict is None


def test_built_in_digits_get_a_verdict():
    run = ganforge.train("vanilla", data="digits", steps=5, out="run")
    assert run.verdict is not None
    assert "digits appear" in run.verdict.figures
    assert run.verdict.findings[0].name != "healthy"
