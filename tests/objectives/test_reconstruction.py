import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from ganforge.objectives.reconstruction import Reconstruction, bernoulli, kl_to_standard_normal, squared

IMAGES = torch.tensor([[[[0.0, 1.0], [0.25, 0.5]]], [[[1.0, 0.0], [0.0, 0.75]]]])
LOGITS = torch.tensor([[[[-1.0, 2.0], [0.5, 0.0]]], [[[-3.0, 1.0], [0.0, 4.0]]]])


def test_bernoulli_is_the_formula_summed_over_pixels():
    expected = []
    for image, logits in zip(IMAGES.flatten(1).tolist(), LOGITS.flatten(1).tolist(), strict=True):
        pixels = [1 / (1 + math.exp(-logit)) for logit in logits]
        expected.append(-sum(x * math.log(y) + (1 - x) * math.log(1 - y) for x, y in zip(image, pixels, strict=True)))
    assert bernoulli(IMAGES, LOGITS).tolist() == pytest.approx(expected, rel=1e-5)


def test_bernoulli_by_hand():
    """Logit 0 is y = ½: the loss is log 2 for every pixel value."""
    assert bernoulli(IMAGES, torch.zeros_like(LOGITS)).tolist() == pytest.approx([4 * math.log(2)] * 2)


def test_bernoulli_has_its_minimum_at_the_image_where_it_is_the_entropy():
    grey = torch.tensor([[[[0.2, 0.7]]]])
    minimum = bernoulli(grey, grey.logit())
    entropy = -sum(x * math.log(x) + (1 - x) * math.log(1 - x) for x in (0.2, 0.7))
    assert minimum.item() == pytest.approx(entropy, rel=1e-5)
    for change in (-0.1, 0.1):
        assert bernoulli(grey, grey.logit() + change) > minimum


@pytest.mark.parametrize("logit", [-1000.0, -50.0, 50.0, 1000.0])
def test_a_confident_wrong_pixel_keeps_its_gradient(logit):
    wrong = torch.full((1, 1, 1, 1), float(logit < 0))
    logits = torch.full((1, 1, 1, 1), logit, requires_grad=True)
    loss = bernoulli(wrong, logits)
    assert loss.item() == pytest.approx(abs(logit), rel=1e-5)
    loss.sum().backward()
    assert logits.grad.item() == pytest.approx(math.copysign(1, logit), rel=1e-5)


def test_squared_by_hand():
    """y = ½, ½, ½, ½ and y = sigmoid(log 3) = ¾."""
    assert squared(IMAGES, torch.zeros_like(LOGITS)).tolist() == pytest.approx(
        [0.5 * (0.25 + 0.25 + 0.0625), 0.5 * (0.25 * 3 + 0.0625)]
    )
    logits = torch.full_like(LOGITS, math.log(3))
    assert squared(IMAGES, logits)[0].item() == pytest.approx(0.5 * (0.5625 + 0.0625 + 0.25 + 0.0625))


@pytest.mark.parametrize(
    ("mean", "sigma", "expected"),
    [
        ([0.0, 0.0], [1.0, 1.0], 0.0),
        ([2.0, 0.0], [1.0, 1.0], 2.0),  # ½μ²
        ([0.0, 0.0], [math.e, 1.0], 0.5 * (math.e**2 - 1) - 1),  # ½(σ² - 1) - log σ
        ([1.0, -2.0], [0.5, 3.0], 0.5 * (1 + 0.25 - 1 + math.log(4)) + 0.5 * (4 + 9 - 1 - math.log(9))),
    ],
)
def test_the_kl_divergence_by_hand(mean, sigma, expected):
    kl = kl_to_standard_normal(torch.tensor([mean]), 2 * torch.tensor([sigma]).log())
    assert kl.shape == (1,) and kl.item() == pytest.approx(expected, abs=1e-6)


def test_the_kl_divergence_equals_torchs_and_a_sampled_estimate():
    random = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(3, 5, generator=random), torch.randn(3, 5, generator=random)
    code = Normal(mean, torch.exp(0.5 * log_variance))
    torchs = kl_divergence(code, Normal(0, 1)).sum(1)
    assert torch.allclose(kl_to_standard_normal(mean, log_variance), torchs, rtol=1e-5)
    z = mean + torch.exp(0.5 * log_variance) * torch.randn(100_000, 3, 5, generator=random)
    ratio = (code.log_prob(z) - Normal(0, 1).log_prob(z)).sum(2).mean(0)
    assert torch.allclose(ratio, torchs, rtol=0.02)


def test_the_gradient_of_the_kl_divergence_by_hand():
    mean, log_variance = torch.tensor([[0.7]], requires_grad=True), torch.tensor([[0.4]], requires_grad=True)
    kl_to_standard_normal(mean, log_variance).sum().backward()
    assert mean.grad.item() == pytest.approx(0.7)
    assert log_variance.grad.item() == pytest.approx(0.5 * (math.exp(0.4) - 1))


def test_a_kl_weight_makes_codes_distributions():
    assert not Reconstruction().variational and Reconstruction(kl_weight=0.5).variational
    assert torch.equal(Reconstruction(loss="squared")(IMAGES, LOGITS), squared(IMAGES, LOGITS))
    assert torch.equal(Reconstruction()(IMAGES, LOGITS), bernoulli(IMAGES, LOGITS))
