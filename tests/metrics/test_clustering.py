import itertools

import numpy as np
import pytest

from ganforge.metrics import clustering_accuracy


def test_accuracy_equals_the_best_of_all_permutations():
    random = np.random.default_rng(0)
    classes, clusters = random.integers(0, 4, 60), random.integers(0, 4, 60)
    best = max(np.mean(np.array(naming)[clusters] == classes) for naming in itertools.permutations(range(4)))
    assert clustering_accuracy(classes, clusters) == pytest.approx(best)


def test_cluster_indices_do_not_matter_and_unmatched_clusters_are_errors():
    classes = np.arange(30) % 3
    assert clustering_accuracy(classes, np.array([5, 0, 2])[classes]) == 1
    assert clustering_accuracy(classes, np.zeros(30, int)) == pytest.approx(1 / 3)
    assert clustering_accuracy(classes, np.arange(30)) == pytest.approx(3 / 30)  # a cluster for each item


@pytest.mark.parametrize(
    ("classes", "clusters"), [([], []), ([0, 1], [0]), ([0, -1], [0, 0]), ([0.5, 1.0], [0, 1]), ([[0]], [[0]])]
)
def test_invalid_classes_or_clusters_are_rejected(classes, clusters):
    with pytest.raises(ValueError, match="classes and clusters"):
        clustering_accuracy(np.array(classes), np.array(clusters))
