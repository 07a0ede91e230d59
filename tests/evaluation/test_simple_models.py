import numpy as np
import pytest
import torch

from ganforge.data.images import ImageSet
from ganforge.evaluation.simple_models import (
    MODELS,
    block_bootstrap,
    copula,
    draw_simple,
    gaussian,
    kernel_density,
    smote,
)
from ganforge.evaluation.use_of_samples import measure_use


def cloud(count=400):
    random = np.random.default_rng(1)
    x = random.normal(size=count)
    return np.stack([x, -x + 0.1 * random.normal(size=count), random.exponential(size=count)], 1)


@pytest.mark.parametrize("model", [gaussian, copula, smote, kernel_density])
def test_a_model_keeps_means_and_correlations(model):
    rows = cloud()
    drawn = model(rows, 2000, np.random.default_rng(0))
    assert np.abs(drawn.mean(0) - rows.mean(0)).max() < 0.15
    assert np.corrcoef(drawn.T)[0, 1] < -0.85
    assert abs(np.corrcoef(drawn.T)[0, 2]) < 0.15


def test_a_copula_keeps_the_range_of_each_value_and_a_gaussian_does_not():
    rows, random = cloud(), np.random.default_rng(0)
    assert copula(rows, 2000, random)[:, 2].min() >= 0 > gaussian(rows, 2000, random)[:, 2].min()


def test_smote_lies_between_neighbours_and_a_block_comes_from_one_row():
    rows = np.array([[0.0], [1.0], [10.0]]).repeat(16, 1)
    assert smote(rows, 200, np.random.default_rng(0)).max() <= 10
    drawn = block_bootstrap(rows, 50, np.random.default_rng(0), length=16).reshape(50, 8, 2)
    assert (drawn[..., 0] == drawn[..., 1]).all() and (drawn.std(1) > 0).any()


def two_classes(count, seed):
    """Signals of 24 samples: a wave, or the wave upside down, with noise."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    waves = np.where(labels[:, None], 1, -1) * np.sin(np.linspace(0, 6, 24)) * 80 + 128
    values = np.clip(waves + 8 * random.normal(size=(count, 24)), 0, 255)
    images = torch.from_numpy(values).to(torch.uint8)[:, None, None]
    return ImageSet(images, torch.from_numpy(labels), ("down", "up"))


def test_samples_of_every_model_have_the_asked_classes_and_the_same_seed_gives_the_same():
    train = two_classes(60, 0)
    for name in MODELS:
        drawn = draw_simple(name, train, 30)
        assert drawn.shape == train.shape and drawn.labels.tolist() == [0, 1] * 15
        assert torch.equal(drawn.images, draw_simple(name, train, 30).images)
        assert drawn.images[drawn.labels == 1, 0, 0, 6].float().mean() > 150


def test_use_finds_copies_and_noise():
    train, test = two_classes(60, 0), two_classes(40, 1)
    same = measure_use(train, train, test)
    assert same.learned == 1 and same.copies == 1 and same.nearer > 0.99
    noise = ImageSet(torch.randint(0, 256, (60, 1, 1, 24), dtype=torch.uint8), train.labels, train.class_names)
    bad = measure_use(noise, train, test)
    assert bad.told_apart > 0.9 and bad.nearer < 0.1 and bad.copies == 0 and bad.frechet is None
