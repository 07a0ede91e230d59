import json

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

import ganforge.benchmarks.downstream_accuracy as downstream
from conftest import needs_mnist, small_images
from ganforge.benchmarks.common import BenchmarkOptions
from ganforge.errors import UserError
from ganforge.evaluation.downstream import count_correct, nearest_neighbour_hits, train_classifier


def test_the_nearest_neighbour_equals_that_of_scikit_learn():
    train, test = small_images(150, seed=1), small_images(80, seed=2)
    noisy = torch.randint(0, 256, test.images.shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    test = type(test)(torch.where(noisy < 225, noisy, test.images), test.labels, test.class_names)
    judge = KNeighborsClassifier(1).fit(train.images.flatten(1).numpy(), train.labels.numpy())
    right = int((judge.predict(test.images.flatten(1).numpy()) == test.labels.numpy()).sum())
    assert nearest_neighbour_hits(train, test) == right
    assert right < 80


def test_the_classifier_learns_and_is_reproducible():
    train, test = small_images(400, seed=1), small_images(80, seed=2)
    one, other = (train_classifier(train, epochs=6) for _ in range(2))
    assert count_correct(one, test) > 70
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.slow
@needs_mnist
def test_a_quick_run_with_real_and_generated_digits(monkeypatch, no_verdict):
    monkeypatch.setattr(downstream, "QUICK_SAMPLES", 400)
    options = BenchmarkOptions("one-nn", "cgan", quick=True, steps=3, out="bench")
    report = downstream.run_downstream(options)
    (result,) = report.results
    assert result.error > 0.6  # three steps are not enough to learn from
    assert 0.05 < report.floor < 0.4  # 400 real digits do
    assert result.interval.low <= result.error <= result.interval.high
    values = json.loads(json.dumps(report.to_dict()))
    assert not values["is_protocol"] and values["terms"] == "--quick, no protocol: 1 seed, 3 steps"
    methods = [row[0] for row in report.table()]
    assert methods == ["real digits", "GAN", "DCGAN", "real digits (floor)", "ours: cgan"]
    monkeypatch.setattr(downstream, "generate_images", None)
    again = downstream.run_downstream(options)  # nothing is trained again
    assert again.to_dict() == report.to_dict()


def test_an_unconditional_recipe_is_refused(tmp_path):
    with pytest.raises(UserError, match="vanilla is not one"):
        downstream.run_downstream(BenchmarkOptions("train-on-generated", "vanilla", out="bench"))
    assert not (tmp_path / "bench").exists()
