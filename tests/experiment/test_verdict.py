"""The verdict on real digits: it must find known failures."""

import json

import pytest
import torch

import ganforge
from conftest import needs_mnist, small_images
from ganforge.data.images import ImageSet
from ganforge.data.load import load
from ganforge.experiment.experiment import ProgressListener
from ganforge.files import ensure_writable
from ganforge.judge.training import train_and_save
from ganforge.judge.user_judges import kept_file, version_of


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@needs_mnist
def test_the_tutorials_conditional_gan_collapses_and_the_verdict_says_so(tmp_path, two_threads, quick_verdict):
    run = ganforge.train("cgan-tutorial", data=load("mnist").train.select(slice(0, 12_000)), steps=1100, out="run")
    assert run.verdict is not None
    assert [finding.name for finding in run.verdict.findings] == ["discriminator-won", "mode-collapse"]
    assert "mode collapse" in run.verdict.words
    measured = run.verdict.measured
    assert measured.total_spread < 0.01
    assert measured.label_agreement == pytest.approx(0.1, abs=0.05)
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text())
    assert line["step"] == 1100
    assert line["measured"]["judge"] == measured.judge


@needs_mnist
def test_images_other_than_digits_get_no_judgement_but_the_verdict_of_their_examination():
    noise = torch.randint(0, 256, (400, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    data = ImageSet(noise, torch.arange(400) % 10, tuple("0123456789"), "noise")
    verdict = ganforge.train("vanilla", data=data, steps=2, out="run").verdict
    assert verdict.measured is None and verdict.examined.step == 2
    assert verdict.figures.startswith("without a judge, by ") and verdict.findings


@pytest.mark.slow
def test_built_in_digits_get_a_verdict(quick_verdict):
    run = ganforge.train("vanilla", data="digits", steps=5, out="run")
    assert run.verdict is not None
    assert "digits appear" in run.verdict.figures
    assert run.verdict.findings[0].name != "healthy"


class Listener(ProgressListener):
    """Records its messages."""

    def __init__(self):
        self.messages = []

    def say(self, text):
        self.messages.append(text)


@pytest.mark.slow
def test_data_get_a_verdict_once_a_judge_is_trained():
    data, listener = small_images(), Listener()
    assert ganforge.train("vanilla", data=data, steps=2, out="without", watcher=listener).verdict.measured is None
    assert (
        "without a judge: no judge fits these images; train one with 'ganforge judge train FILE'" in listener.messages
    )
    splits = load(data)
    train_and_save(splits, ensure_writable(kept_file(splits)), version_of(splits), epochs=40, seed=1)
    verdict = ganforge.train(
        "cgan-tutorial", data=data, steps=2, out="with", watcher=listener, changes=["batch_size=8"]
    ).verdict
    assert "of 4 classes appear" in verdict.figures and "the requested class in" in verdict.figures
    assert "digit" not in verdict.figures + verdict.words
    assert verdict.measured.class_names == ["0", "1", "2", "3"]
    assert verdict.measured.judge == version_of(splits)


def test_too_few_images_train_no_judge():
    data, listener = small_images(40), Listener()
    ganforge.train("vanilla", data=data, steps=2, out="run", watcher=listener, changes=["batch_size=8"])
    message = next(line for line in listener.messages if line.startswith("without a judge"))
    assert "32 images are too few to train a judge, give 128 or more" in message and "train one with" not in message


def test_images_without_labels_train_no_judge():
    data, listener = small_images(), Listener()
    bare = ImageSet(data.images, torch.full_like(data.labels, -1), (), "bare")
    assert ganforge.train("vanilla", data=bare, steps=2, out="run", watcher=listener).verdict.measured is None
    assert any("none can be trained without labels" in line for line in listener.messages)
