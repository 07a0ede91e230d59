import dataclasses

import pytest
import torch

from conftest import small_images
from ganforge.data.images import ImageSet, Splits
from ganforge.errors import UserError
from ganforge.evaluation.evaluator import Evaluator
from ganforge.evaluation.features import FeatureExtractor
from ganforge.files import ensure_writable
from ganforge.judge.shipped import load_judge
from ganforge.judge.training import accuracy, epochs_in, train_and_save, train_judge
from ganforge.judge.user_judges import kept_file, kept_judge, version_of


def three(images: ImageSet) -> Splits:
    return Splits(images.select(slice(0, -80)), images.select(slice(-80, -40)), images.select(slice(-40, None)))


def coloured(side=32, n=300):
    """Return red, green and blue images with a bright spot; mirrored ones keep their class."""
    labels = torch.arange(n) % 3
    draws = torch.Generator().manual_seed(1)
    images = torch.randint(0, 60, (n, 3, side, side + 1), generator=draws, dtype=torch.uint8)
    images[torch.arange(n), labels, side // 4 : side // 2] += 120
    return three(ImageSet(images, labels, ("red", "green", "blue"), "colours"))


@pytest.fixture(scope="module")
def bars_splits():
    return three(small_images(600))


@pytest.fixture(scope="module")
def trained(bars_splits, tmp_path_factory):
    file = tmp_path_factory.mktemp("judge") / "bars.safetensors"
    return train_and_save(bars_splits, file, version_of(bars_splits), epochs=12, seed=1), file


@pytest.fixture
def judge_file(bars_splits, trained):
    file = ensure_writable(kept_file(bars_splits))
    file.write_bytes(trained[1].read_bytes())
    return file


def test_a_judge_of_bars_is_accurate_and_survives_its_file(bars_splits, trained, judge_file):
    card, _ = trained
    assert card.test_accuracy > 0.9 and card.validation_accuracy > 0.9
    assert (card.shape, card.classes, card.data) == ((1, 8, 8), tuple("0123"), bars_splits.fingerprint)
    judge = kept_judge(bars_splits)
    assert judge.card == card
    assert judge.noun == "class"
    predictions = judge.look(bars_splits.test.images)
    assert accuracy(judge.network, bars_splits.test) == pytest.approx(card.test_accuracy)
    assert (predictions.features.shape, predictions.spread_features.shape) == ((40, 128), (40, 288))


def test_a_run_that_trains_on_the_validation_images_uses_the_same_judge(bars_splits, judge_file):
    everything = bars_splits.train.concat(bars_splits.validation)
    other = Splits(everything, bars_splits.validation, bars_splits.test)
    assert other.fingerprint != bars_splits.fingerprint
    assert kept_judge(other) is not None


def test_metrics_use_the_judges_own_classes(bars_splits, trained):
    judge = load_judge(trained[1])
    evaluator = Evaluator(FeatureExtractor(judge), bars_splits, "test", 480, reals=bars_splits.train)
    found = evaluator.measure(bars_splits.train)
    assert (found.noun, found.class_names, found.classes_present) == ("class", list("0123"), 4)
    assert found.within_class_spread == pytest.approx(1)
    assert found.class_recall == [1] * 4
    with pytest.raises(UserError, match=r"needs uint8 \[N, 1, 8, 8\]"):
        judge.look(torch.zeros(2, 1, 28, 28, dtype=torch.uint8))


def test_data_without_judge_give_none_and_a_judge_of_other_data_is_rejected(bars_splits, judge_file):
    others = three(small_images(600, seed=1))
    assert kept_judge(others) is None
    named = dataclasses.replace(bars_splits.test, class_names=tuple("abcd"))
    for test in (named, three(small_images(600, side=16)).test):
        wrong = Splits(bars_splits.train, bars_splits.validation, test)
        ensure_writable(kept_file(wrong)).write_bytes(judge_file.read_bytes())
        with pytest.raises(UserError, match="a judge of other data") as refusal:
            kept_judge(wrong)
        assert "\n" not in str(refusal.value)
    judge_file.write_bytes(b"damaged")
    with pytest.raises(UserError, match="is no judge"):
        kept_judge(bars_splits)


@pytest.mark.slow
@pytest.mark.parametrize("side", [8, 20])
def test_colour_images_of_other_sizes_are_learned_with_mirroring(side):
    splits = coloured(side)
    network = train_judge(splits, epochs=25, flip=True)
    assert accuracy(network, splits.test) > 0.9


def test_the_same_seed_gives_the_same_judge_with_mirroring_too(tmp_path):
    files = [tmp_path / name for name in "ab"]
    cards = [train_and_save(coloured(16), file, "c", epochs=2, seed=1, flip=True) for file in files]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert cards[0].flip and cards[0].architecture == "conv 32 | 64 | 128-128 | 256, dense 128"


def test_minutes_give_epochs_within_bounds(bars_splits):
    assert epochs_in(bars_splits, 1e-6, flip=False) == 1
    assert epochs_in(bars_splits, 1e6, flip=False) == 750, "3,000 steps of 4 an epoch"
