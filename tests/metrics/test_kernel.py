import numpy as np
import pytest
import torch

from ganforge.metrics import kernel
from ganforge.metrics.kernel import kernel_distance

DRAW = np.random.default_rng(1)
REAL = DRAW.normal(size=(90, 6))
FAKE = DRAW.normal(size=(70, 6)) * 0.8 + 0.3


def by_definition(real, fake, degree):
    """Compute the definition pair by pair."""

    def k(x, y):
        return (x @ y / len(x) + 1) ** degree

    def within(cloud):
        n = len(cloud)
        return sum(k(cloud[i], cloud[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))

    return within(real) + within(fake) - 2 * np.mean([k(x, y) for x in real for y in fake])


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_agrees_with_the_definition_for_unequal_numbers_in_both_orders(degree):
    assert kernel_distance(REAL, FAKE, degree) == pytest.approx(by_definition(REAL, FAKE, degree), rel=1e-10)
    assert kernel_distance(FAKE, REAL, degree) == pytest.approx(by_definition(REAL, FAKE, degree), rel=1e-10)


@pytest.mark.parametrize("degree", [2, 3])
def test_agrees_with_torchmetrics(degree):
    from torchmetrics.image.kid import poly_mmd

    for scale in (1.0, 20.0):
        one, two = torch.from_numpy(REAL[:70] * scale), torch.from_numpy(FAKE * scale)
        expected = float(poly_mmd(one, two, degree=degree))
        assert kernel_distance(one, two, degree) == pytest.approx(expected, rel=1e-9)


def test_two_numbers_against_two_follow_the_closed_form():
    # k(0, 2) = 1, k(1, 3) = 4^3; k(0, 1) = k(0, 3) = 1, k(2, 1) = 3^3, k(2, 3) = 7^3
    assert kernel_distance([[0.0], [2.0]], [[1.0], [3.0]]) == pytest.approx(1 + 64 - (1 + 1 + 27 + 343) / 2)


def test_degree_one_is_the_squared_shift_of_the_means_without_bias():
    shift = REAL.mean(0) - FAKE.mean(0)
    chance = sum(cloud.var(0, ddof=1).sum() / len(cloud) for cloud in (REAL, FAKE))
    assert kernel_distance(REAL, FAKE, degree=1) == pytest.approx((shift @ shift - chance) / 6)


def test_it_is_unbiased_for_two_samples_of_one_distribution():
    distances = np.array([kernel_distance(*DRAW.normal(size=(2, 30, 4))) for _ in range(400)])
    assert abs(distances.mean()) < 3 * distances.std() / 20
    assert (distances < 0).any()
    assert abs(kernel_distance(REAL, FAKE)) > 5 * abs(distances.mean())


@pytest.mark.parametrize("block", [1, 7, 70, 89])
def test_the_block_size_does_not_matter(monkeypatch, block):
    whole = kernel_distance(REAL, FAKE)
    monkeypatch.setattr(kernel, "BLOCK", block)
    assert kernel_distance(REAL, FAKE) == pytest.approx(whole, rel=1e-10)


def test_the_input_arrays_are_not_modified():
    real, fake = torch.from_numpy(REAL.copy()), torch.from_numpy(FAKE.copy())
    kernel_distance(real, fake)
    assert torch.equal(real, torch.from_numpy(REAL))
    assert torch.equal(fake, torch.from_numpy(FAKE))


@pytest.mark.parametrize(
    ("real", "fake", "degree", "word"),
    [
        (REAL[:1], FAKE, 3, "real features: a pair of rows needs at least 2 samples, found 1"),
        (REAL, FAKE[:, :4], 3, "6 columns and fake features 4"),
        (REAL, np.full((9, 6), np.nan), 3, "fake features: 54 values"),
        (np.zeros((9, 0)), np.zeros((9, 0)), 3, r"real features must be \[N, F\], these are \[9, 0\]"),
        (REAL, FAKE, 0, "degree = 0"),
    ],
)
def test_invalid_features_are_rejected_in_one_line(real, fake, degree, word):
    with pytest.raises(ValueError, match=word) as refusal:
        kernel_distance(real, fake, degree)
    assert "\n" not in str(refusal.value)
