import shutil

import pytest
import torch

from conftest import needs_mnist
from ganforge.data.images import scale
from ganforge.data.load import load
from ganforge.errors import UserError
from ganforge.judge import shipped
from ganforge.judge.augmentation import no_class_images
from ganforge.judge.files import read_judge
from ganforge.judge.shipped import DIGITS_FILE, DIGITS_HASH, load_judge
from ganforge.randomness import random_generator


@pytest.fixture(scope="module")
def small():
    return load("digits").train.images[:600]


@pytest.mark.slow
@needs_mnist
def test_the_shipped_judge_reads_mnist():
    test = load("mnist").test
    predictions = load_judge().look(test.images)
    right = (predictions.classes == test.labels).double().mean()
    assert right >= 0.995
    assert right == pytest.approx(load_judge().card.test_accuracy, abs=2e-4)
    assert (predictions.confidence >= 0.8).double().mean() >= 0.98


def test_the_shipped_judge_reads_other_handwriting_too():
    test = load("digits").test
    assert (load_judge().look(test.images).classes == test.labels).double().mean() >= 0.85


def test_images_of_no_class_get_low_confidence(small):
    nonsense = no_class_images(small.float() / 255, 400, random_generator("test", "nonsense"))
    assert (load_judge().look(nonsense.mul(255).byte()).confidence >= 0.8).double().mean() < 0.05


def test_speckled_digits_are_still_classified(small):
    specks = torch.rand(small.shape, generator=random_generator("test", "specks"))
    speckled = torch.where(specks < 0.05, (specks * 20 * 255).byte(), small)
    judge = load_judge()
    clean, worn = judge.look(small), judge.look(speckled)
    assert (worn.classes == clean.classes).double().mean() > 0.9
    assert (worn.confidence >= 0.8).double().mean() > 0.7


def test_predictions_do_not_depend_on_order_and_leave_torch_unchanged(small):
    judge, state, threads = load_judge(), torch.get_rng_state(), torch.get_num_threads()
    predictions, again, turned = judge.look(small), judge.look(small), judge.look(small.flip(0))
    for name in ("classes", "confidence", "features", "spread_features"):
        assert torch.equal(getattr(predictions, name), getattr(again, name))
        assert torch.allclose(getattr(predictions, name), getattr(turned, name).flip(0), atol=1e-4)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_predictions_have_the_documented_types(small):
    predictions = load_judge().look(small[:3])
    assert (predictions.classes.dtype, predictions.confidence.dtype) == (torch.int64, torch.float32)
    assert (predictions.features.shape, predictions.spread_features.shape) == ((3, 128), (3, 288))
    assert len(predictions) == 3


def test_the_spread_features_come_from_stage_1(small):
    judge = load_judge()
    with torch.no_grad():
        stage1 = judge.network.activations(scale(small[:5], "0..1"))["stage1"]
    means = torch.nn.functional.adaptive_avg_pool2d(stage1, 3).flatten(1)
    assert torch.allclose(judge.look(small[:5]).spread_features, means, atol=1e-5)


def test_predictions_of_a_set_are_cached(monkeypatch):
    judge, images = load_judge(), load("digits").validation
    first = judge.look_at_set(images)
    monkeypatch.setattr(judge, "look", lambda _: pytest.fail("looked again"))
    assert judge.look_at_set(images) is first


@pytest.mark.parametrize(
    "images", [torch.zeros(2, 1, 28, 28), torch.zeros(2, 3, 28, 28).byte(), torch.zeros(0, 1, 28, 28).byte()]
)
def test_images_of_another_shape_are_rejected(images):
    with pytest.raises(UserError, match=r"uint8 \[N, 1, 28, 28\]"):
        load_judge().look(images)


def test_a_changed_file_is_rejected(tmp_path, monkeypatch):
    copy = tmp_path / "copy.safetensors"
    shutil.copy(DIGITS_FILE, copy)
    assert read_judge(copy, DIGITS_HASH)[2] == DIGITS_HASH
    content = bytearray(copy.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    monkeypatch.setattr(shipped, "DIGITS_FILE", copy)
    with pytest.raises(UserError, match="SHA-256"):
        load_judge.__wrapped__()


def test_the_file_is_small_and_has_a_card():
    assert DIGITS_FILE.stat().st_size <= 2_000_000
    judge = load_judge()
    assert judge.version == "digits-1"
    assert judge.class_names == tuple("0123456789")
