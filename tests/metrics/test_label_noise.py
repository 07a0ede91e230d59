import pytest
import torch

from ganforge.metrics.label_noise import cross_validated_scores, wrong_labels
from ganforge.randomness import random_generator


def blobs(count, classes, distance, seed=0):
    random = random_generator("blobs", seed)
    labels = torch.randint(classes, (count,), generator=random)
    centres = distance * torch.eye(classes, 12)
    return centres[labels] + torch.randn(count, 12, generator=random), labels


def estimate(features, labels, classes):
    return wrong_labels(cross_validated_scores(features, labels, classes), labels)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_share_of_random_labels_is_estimated(classes, share):
    features, labels = blobs(4000, classes, 8.0)
    random = random_generator("share", classes)
    changed = torch.rand(len(labels), generator=random) < share
    given = torch.where(changed, torch.randint(classes, labels.shape, generator=random), labels)
    wrong = float((given != labels).float().mean())
    assert estimate(features, given, classes).wrong == pytest.approx(wrong, abs=0.06)


def test_classes_that_are_hard_to_tell_are_not_wrong():
    features, labels = blobs(4000, 10, 2.0)
    found = estimate(features, labels, 10)
    assert found.disagreement > 0.3
    assert found.wrong < 0.1
    assert found.n == 400


def test_the_scores_of_a_sample_do_not_depend_on_its_own_label():
    features, labels = blobs(200, 3, 1.0)
    changed = labels.clone()
    changed[::4] = (changed[::4] + 1) % 3  # one fold
    one, other = (cross_validated_scores(features, given, 3)[::4] for given in (labels, changed))
    assert torch.allclose(one, other, atol=1e-4)


def test_the_scores_are_those_of_ridge_regression():
    features, labels = blobs(80, 3, 1.0)
    scores = cross_validated_scores(features, labels, 3, folds=2, ridge=0.5)
    x = torch.cat([(features - features.mean(0)) / (features.std(0) + 1e-4), torch.ones(80, 1)], 1).double()
    y = torch.nn.functional.one_hot(labels, 3).double()
    weights = torch.linalg.solve(x[1::2].T @ x[1::2] + 0.5 * 80 * torch.eye(13), x[1::2].T @ y[1::2])
    assert torch.allclose(scores[::2].double(), x[::2] @ weights, atol=1e-4)
