import json
from dataclasses import asdict

import pytest
import torch

from conftest import needs_mnist
from ganforge.data.images import ImageSet, Splits
from ganforge.data.load import load
from ganforge.errors import UserError
from ganforge.evaluation.evaluator import Evaluator
from ganforge.evaluation.features import FeatureExtractor
from ganforge.judge.shipped import load_judge


@pytest.fixture(scope="module")
def splits():
    return load("digits")


def measure(reals, fake, requested, other_reals):
    """Measure fakes against ``reals``, with as many of ``other_reals`` as reference."""
    fakes = ImageSet(fake, requested, tuple("0123456789")) if requested is not None else ImageSet(fake, no_labels(fake))
    splits = Splits(other_reals, reals, reals)
    return Evaluator(FeatureExtractor(load_judge()), splits, "test", len(fake), reals=reals).measure(fakes)


def no_labels(images):
    return torch.full((len(images),), -1)


def measured(splits, fake, requested=None):
    return measure(splits.train, fake, requested, splits.validation)


def test_reals_measure_as_reals(splits):
    images = splits.train
    found = measured(splits, images.images, images.labels)
    assert found.classes_present == 10
    assert found.within_class_spread == pytest.approx(1)
    assert found.total_spread == pytest.approx(1)
    assert found.frechet_distance == pytest.approx(0, abs=1e-6)
    assert found.label_agreement == found.agreement_on_real > 0.85
    assert (found.n_fake, found.n_real, found.n_real_reference) == (len(images), len(images), len(splits.validation))
    assert sum(found.class_shares) == pytest.approx(found.confident)


def test_one_image_per_class_has_no_spread_but_all_classes(splits):
    predictions = load_judge().look_at_set(splits.train)
    sure = [torch.where((predictions.classes == digit) & (predictions.confidence > 0.95))[0][0] for digit in range(10)]
    measurement = measured(splits, splits.train.images[torch.stack(sure)].repeat(30, 1, 1, 1))
    assert measurement.classes_present == 10
    assert measurement.within_class_spread == pytest.approx(0, abs=1e-6)
    assert measurement.total_spread > 0.2


def test_repeated_images_keep_the_spread_and_lose_recall(splits):
    images = splits.train
    stock = images.select(torch.arange(140).repeat(10))
    measurement = measured(splits, stock.images, stock.labels)
    assert measurement.within_class_spread > 0.7
    assert max(measurement.class_recall) < 0.25
    assert measurement.precision == 1
    whole = measured(splits, images.images, images.labels)
    assert whole.recall == 1 and set(whole.class_recall) == {1}
    assert whole.class_agreement == pytest.approx([1] * 10, abs=0.4)


def test_class_recall_uses_requested_labels_or_predicted_classes(splits):
    images, shifted = splits.train, (splits.train.labels + 1) % 10
    assert max(measured(splits, images.images, shifted).class_recall) < 0.3
    assert max(measured(splits, images.images, shifted).class_agreement) < 0.3
    unasked = measured(splits, images.images)
    assert min(unasked.class_recall) > 0.6
    assert unasked.class_agreement is None


def test_a_class_with_too_few_images_has_no_recall(splits):
    fours = splits.train.images[splits.train.labels == 4]
    found = measured(splits, fours, torch.full((len(fours),), 4))
    assert [index for index, value in enumerate(found.class_recall) if value is not None] == [4]
    assert found.class_recall_real_reference == [None] * 10, "179 other reals are 18 of each class"
    assert found.recall_real_reference is not None
    assert found.class_agreement[:4] == [None] * 4
    few = measured(splits, fours[:49])
    assert (few.precision, few.recall, few.precision_real_reference, few.recall_real_reference) == (None, None) * 2


def test_the_reference_uses_no_more_images_than_fakes(splits):
    fake = splits.train.select(torch.arange(len(splits.train)).roll(1))
    found = measure(splits.train, fake.images[:700], fake.labels[:700], splits.train)
    assert all(recall is not None and recall > 0.5 for recall in found.class_recall_real_reference)


def test_a_single_class_changes_shares_and_distance(splits):
    ones = splits.train.images[splits.train.labels == 1].repeat(3, 1, 1, 1)
    measurement = measured(splits, ones, torch.ones(len(ones), dtype=torch.int64))
    assert measurement.classes_present <= 2
    assert measurement.frechet_distance > 10
    assert measurement.label_agreement > 0.8
    assert measured(splits, ones, torch.zeros(len(ones), dtype=torch.int64)).label_agreement < 0.1


def test_too_few_images_give_no_frechet_distance_and_valid_json(splits):
    found = measured(splits, splits.train.images[:255])
    assert found.frechet_distance is None
    assert found.frechet_real_reference is None
    assert measured(splits, splits.train.images[:256]).frechet_distance is not None
    assert json.loads(json.dumps(asdict(found), allow_nan=False)) == asdict(found)


def test_unlabelled_reals_have_no_agreement(splits):
    bare = ImageSet(splits.train.images, torch.full((len(splits.train),), -1))
    assert measure(bare, splits.train.images[:300], None, splits.validation).agreement_on_real is None


@pytest.mark.parametrize(("count", "asked", "word"), [(1, None, "at least two"), (5, [1, 2], "5 images")])
def test_invalid_input_is_rejected(splits, count, asked, word):
    with pytest.raises(UserError, match=word):
        measured(splits, splits.train.images[:count], None if asked is None else torch.tensor(asked))


@pytest.mark.slow
@needs_mnist
def test_training_digits_measure_like_test_digits():
    mnist = load("mnist")
    fake = mnist.train.select(slice(0, 3000))
    found = measure(mnist.test.select(slice(0, 3000)), fake.images, fake.labels, mnist.validation)
    assert found.frechet_distance < 3 * found.frechet_real_reference
    assert 0.9 < found.within_class_spread < 1.2
    assert found.classes_present == 10
    assert found.confident > 0.98
