import numpy as np
import pytest
import torch

from ganforge.metrics import neighbours
from ganforge.metrics.neighbours import (
    coverage,
    density,
    density_coverage,
    neighbourhood,
    precision,
    precision_recall,
    recall,
)

DRAW = np.random.default_rng(1)
REAL = DRAW.normal(size=(300, 6))
FAKE = DRAW.normal(size=(250, 6)) * 0.8 + 0.3
ALL = (precision, recall, density, coverage)
AT_ONCE = (neighbourhood, precision_recall, density_coverage)


def slow(real, fake, k):
    """Compute the definitions pair by pair."""

    def radius(cloud, index):
        return sorted(np.linalg.norm(cloud - cloud[index], axis=1))[k]

    near = np.linalg.norm(real[:, None] - fake[None], axis=2)
    in_real = near <= np.array([[radius(real, i)] for i in range(len(real))])
    in_fake = near <= np.array([radius(fake, j) for j in range(len(fake))])
    return in_real.any(0).mean(), in_fake.any(1).mean(), in_real.sum() / (k * len(fake)), in_real.any(1).mean()


def fast(real, fake, k=5):
    """Compute the four metrics one by one."""
    one_by_one = tuple(figure(real, fake, k) for figure in ALL)
    assert neighbourhood(real, fake, k) == pytest.approx(one_by_one, abs=1e-12)
    return one_by_one


@pytest.mark.parametrize("k", [1, 3, 5])
def test_agree_with_the_definitions_in_both_orders(k):
    assert fast(REAL, FAKE, k) == pytest.approx(slow(REAL, FAKE, k), abs=1e-12)
    assert fast(FAKE, REAL, k) == pytest.approx(slow(FAKE, REAL, k), abs=1e-12)


def test_the_combined_functions_agree_with_the_single_ones():
    four = neighbourhood(REAL, FAKE, 3)
    assert (four.precision, four.recall, four.density, four.coverage) == pytest.approx(slow(REAL, FAKE, 3), abs=1e-12)
    pair = precision_recall(REAL, FAKE, 3)
    assert (pair.precision, pair.recall) == (four.precision, four.recall)
    pair = density_coverage(REAL, FAKE, 3)
    assert (pair.density, pair.coverage) == (four.density, four.coverage)


def test_agree_with_prdc(capsys):
    from prdc import compute_prdc

    for real, fake in ((REAL, FAKE), (FAKE, REAL), (REAL, FAKE + 1)):
        expected = compute_prdc(real, fake, nearest_k=5)
        assert neighbourhood(real, fake)._asdict() == pytest.approx(
            {name: float(value) for name, value in expected.items()}, abs=1e-12
        )
    assert "Num real" in capsys.readouterr().out, "it prints, and nothing else may"


def test_a_collapsed_set_has_high_precision_and_low_recall_and_vice_versa():
    collapsed = REAL[:1] + DRAW.normal(size=(250, 6)) * 1e-3
    assert precision(REAL, collapsed) == 1
    assert recall(REAL, collapsed) <= 1 / 300
    assert precision(collapsed, REAL) <= 1 / 300
    assert recall(collapsed, REAL) == 1
    assert coverage(REAL, collapsed) < 0.05


def test_repeated_images_have_high_precision_and_no_recall():
    stock = REAL[:30].repeat(10, axis=0)
    assert precision(REAL, stock) == 1
    assert recall(REAL, stock) == pytest.approx(30 / 300)
    assert recall(REAL[30:], stock) == 0


def test_a_set_covers_itself_with_copies_and_ties():
    ladder = np.arange(40.0)[:, None] + np.zeros((1, 3))
    for cloud in (REAL, np.ones((20, 3)) * 0.1, ladder, ladder * 0.1 + 1000):
        assert (precision(cloud, cloud), recall(cloud, cloud), coverage(cloud, cloud)) == (1, 1, 1)


def test_a_ladder_of_points_follows_the_count_by_hand():
    real, fake = np.arange(10.0)[:, None], np.arange(10.0)[:, None] + 4.5
    # k = 1: every ball reaches 1 to both sides; 4.5 to 9.5 lie in balls, and 4 to 9 in those of the fakes
    assert precision(real, fake, 1) == recall(real, fake, 1) == 0.6
    # 4.5 to 8.5 lie in two balls each, 9.5 in one
    assert density(real, fake, 1) == pytest.approx(1.1)
    assert coverage(real, fake, 1) == 0.6


def test_distant_sets_give_zero_and_a_common_shift_changes_nothing():
    assert fast(REAL, FAKE + 100) == (0, 0, 0, 0)
    assert fast(REAL + 1e4, FAKE + 1e4) == pytest.approx(fast(REAL, FAKE))


def test_the_block_size_does_not_matter(monkeypatch):
    whole = fast(REAL, FAKE)
    monkeypatch.setattr(neighbours, "BLOCK", 7)
    assert fast(REAL, FAKE) == whole


def test_tensors_and_float32_are_accepted():
    real, fake = torch.tensor(REAL).float(), torch.tensor(FAKE).float()
    assert fast(real, fake) == pytest.approx(slow(real.double().numpy(), fake.double().numpy(), 5))


@pytest.mark.parametrize("figure", ALL + AT_ONCE)
@pytest.mark.parametrize(
    ("real", "fake", "k", "word"),
    [
        (REAL, FAKE[:5], 5, "fake features: a ball that reaches to neighbour 5 needs at least 6 samples, found 5"),
        (REAL[:3], FAKE, 3, "real features: a ball .* at least 4 samples, found 3"),
        (REAL, FAKE[:, :4], 5, "6 columns and fake features 4"),
        (REAL, np.full((9, 6), np.nan), 5, "fake features: 54 values"),
        (np.full((9, 6), np.inf), FAKE, 5, "real features: 54 values"),
        (REAL[0], FAKE, 5, r"real features must be \[N, F\]"),
        (REAL, FAKE, 0, "k = 0"),
    ],
)
def test_invalid_features_are_rejected_in_one_line(figure, real, fake, k, word):
    with pytest.raises(ValueError, match=word) as refusal:
        figure(real, fake, k)
    assert "\n" not in str(refusal.value)
