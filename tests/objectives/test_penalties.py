import pytest
import torch

from contexts import discriminator_context
from ganforge.errors import UserError
from ganforge.objectives.penalties import ApproximateR1
from ganforge.recipes.reading import load_recipe, parse


def test_approximate_r1_of_a_linear_discriminator_by_hand():
    """D(x) = w·x: (D(x + σε) - D(x)) / σ = w·ε for all x and σ."""
    w = torch.tensor([3.0, -4.0]).view(1, 2, 1, 1)
    real = torch.randn(5, 2, 1, 1)
    noise = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [2.0, 0.0]]).view(5, 2, 1, 1)

    def logits(x):
        return (w * x).sum((1, 2, 3))

    for sigma in (0.01, 0.5):
        values = ApproximateR1(sigma=sigma)(discriminator_context(logits, real, real, noise))
        torch.testing.assert_close(values, torch.tensor([4.5, 8.0, 0.5, 0.0, 18.0]), rtol=1e-3, atol=1e-3)


def test_approximate_r1_tends_to_half_the_squared_gradient():
    """Compared with R1 by autograd on a nonlinear function of images."""
    torch.manual_seed(0)
    weight = torch.randn(3, 1, 4, 4, dtype=torch.float64)

    def logits(x):
        return (torch.nn.functional.conv2d(x, weight).flatten(1).tanh()).sum(1)

    real = torch.randn(4, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(logits(real).sum(), real)
    r1 = 0.5 * gradient.square().sum((1, 2, 3))
    repeated = real.detach().repeat_interleave(40_000, 0)
    noise = torch.randn(repeated.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    values = ApproximateR1(sigma=1e-4)(discriminator_context(logits, repeated, repeated, noise)).view(4, -1)
    error = values.std(1) / 40_000**0.5
    assert ((values.mean(1) - r1).abs() < 4 * error).all()
    assert (r1 > 20 * error).all()


def test_the_gradient_passes_through_both_logits():
    scale = torch.tensor(2.0, requires_grad=True)
    real = torch.ones(3, 1, 1, 1)

    def logits(x):
        return (scale * x.square()).flatten()

    noise = torch.full_like(real, 1.0)
    ApproximateR1(sigma=0.5)(discriminator_context(logits, real, real, noise)).sum().backward()
    # (s·1.5² - s·1²) / .5 = 2.5 s; ½ its square = 3.125 s²; three images: the derivative at 2 is 37.5
    assert scale.grad.item() == pytest.approx(37.5)


def test_a_recipe_takes_penalties_by_name_and_keeps_them():
    changes = ["penalties.approximate_r1.weight=0.3", "penalties.approximate_r1.every=4"]
    recipe = load_recipe("vanilla", changes)
    assert recipe.penalties.items() == [("approximate_r1", ApproximateR1(weight=0.3, every=4))]
    assert load_recipe("vanilla").penalties.items() == []
    assert parse(recipe.to_dict(), "again") == recipe


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("penalties.r3.weight=1", "penalties.r3: no such field; did you mean r[12] or r[12]"),
        ("penalties.approximate_r1.weigth=1", "penalties.approximate_r1.weigth: no such field; did you mean weight"),
        ("penalties.approximate_r1.weight=0", "penalties.approximate_r1.weight: must be greater than 0"),
        ("penalties.approximate_r1.sigma=2", "sigma: must be less than or equal to 1"),
        ("penalties=3", "penalties: must be a table of fields, found 3"),
        ("penalties.approximate_r1=3", "penalties.approximate_r1: must be a table of fields, found 3"),
    ],
)
def test_an_invalid_penalty_is_named_in_the_error(change, words):
    with pytest.raises(UserError, match=words):
        load_recipe("vanilla", [change])
