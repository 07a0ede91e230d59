import numpy as np
import pytest
import scipy.linalg
import torch
from torch import nn

from ganforge.metrics.frechet import frechet_distance

DRAW = np.random.default_rng(1)


def cloud(n=300, f=6, scale=1.0):
    return DRAW.normal(size=(n, f)) @ DRAW.normal(size=(f, f)) * scale


def exact_cloud(deviations, mean):
    """Return points ± along each axis with exactly this mean and (unbiased, diagonal) covariance."""
    axes = np.diag(deviations) * np.sqrt((2 * len(deviations) - 1) / 2)
    return np.concatenate([axes, -axes]) + mean


def test_a_shift_gives_its_squared_length():
    points, shift = cloud(), np.array([3.0, -4.0, 0.0, 0.0, 12.0, 0.0])
    assert frechet_distance(points, points + shift) == pytest.approx(169.0, rel=1e-9)


def test_diagonal_gaussians_follow_the_closed_form():
    one, two = np.array([1.0, 2.0, 5.0]), np.array([3.0, 0.5, 5.0])
    expected = 7.0**2 + ((one - two) ** 2).sum()
    assert frechet_distance(exact_cloud(one, 0.0), exact_cloud(two, [7.0, 0.0, 0.0])) == pytest.approx(expected)


def test_distance_to_itself_is_zero_even_with_fewer_samples_than_features():
    for points in (cloud(), cloud(n=5, f=40)):
        assert 0 <= frechet_distance(points, points) < 1e-9


def test_the_distance_is_symmetric():
    one, two = cloud(), cloud(scale=2.0)
    assert frechet_distance(one, two) == pytest.approx(frechet_distance(two, one), rel=1e-12)


@pytest.mark.parametrize("n", [300, 8])
def test_agrees_with_the_matrix_root_of_scipy(n):
    one, two = cloud(n=n), cloud(n=n, scale=2.0) + 1
    c1, c2 = np.cov(one.T), np.cov(two.T)
    shift = one.mean(0) - two.mean(0)
    expected = shift @ shift + np.trace(c1 + c2 - 2 * scipy.linalg.sqrtm(c1 @ c2).real)
    assert frechet_distance(one, two) == pytest.approx(expected, rel=1e-6)


def test_few_samples_on_a_line_in_many_dimensions_follow_the_closed_form():
    direction = np.full(50, 0.1)
    ladder = np.arange(5.0)[:, None] * direction
    spread = np.arange(5.0).var(ddof=1) * (direction @ direction)
    shift = 2.0**2 * (direction @ direction) * 4
    assert frechet_distance(ladder, 3 * ladder) == pytest.approx(4 * spread + shift)


@pytest.mark.parametrize(("n", "m"), [(12, 20), (12, 200), (200, 12), (2, 3)])
def test_fewer_samples_than_features_follow_the_closed_form(n, m):
    """For C = AᵀA, the trace of the root of C₁C₂ is the sum of the singular values of A₁A₂ᵀ, [n, m]."""
    one, two = cloud(n, 40), cloud(m, 40, scale=2.0) + 1
    a1, a2 = ((points - points.mean(0)) / np.sqrt(len(points) - 1) for points in (one, two))
    shift = one.mean(0) - two.mean(0)
    expected = shift @ shift + (a1**2).sum() + (a2**2).sum() - 2 * np.linalg.norm(a1 @ a2.T, "nuc")
    assert frechet_distance(one, two) == pytest.approx(expected, rel=1e-7)


def test_agrees_with_torchmetrics():
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Flat(nn.Module):
        num_features = 12

        def forward(self, images):
            return images.flatten(1)

    oracle = FrechetInceptionDistance(feature=Flat(), normalize=True, input_img_size=(3, 2, 2)).set_dtype(torch.float64)
    one, two = (torch.rand(60, 3, 2, 2, generator=torch.Generator().manual_seed(seed)).double() for seed in (1, 2))
    oracle.update(one, real=True)
    oracle.update(two * 0.5, real=False)
    assert frechet_distance(one.flatten(1), two.flatten(1) * 0.5) == pytest.approx(float(oracle.compute()), rel=1e-5)


@pytest.mark.parametrize(
    ("real", "fake", "word"),
    [
        (np.zeros((1, 3)), np.zeros((5, 3)), "at least 2 samples, found 1"),
        (np.zeros((5, 3)), np.zeros((5, 4)), "3 columns and fake features 4"),
        (np.zeros((5, 3)), np.full((5, 3), np.nan), "fake features: 15 values"),
        (np.full((5, 3), np.inf), np.zeros((5, 3)), "real features: 15 values"),
        (np.zeros(5), np.zeros((5, 3)), r"real features must be \[N, F\]"),
    ],
)
def test_invalid_features_are_rejected_in_one_line(real, fake, word):
    with pytest.raises(ValueError, match=word) as refusal:
        frechet_distance(real, fake)
    assert "\n" not in str(refusal.value)
