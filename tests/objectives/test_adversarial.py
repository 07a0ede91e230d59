import math

import pytest
import torch

from ganforge.objectives.adversarial import OBJECTIVES, LeastSquares, Minimax, NonSaturating

REAL, FAKE = torch.tensor([0.0, 2.0], dtype=torch.float64), torch.tensor([0.0, -1.0], dtype=torch.float64)


def nll(p):
    return -math.log(p)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("objective", [Minimax(), NonSaturating()])
def test_discriminator_loss_is_minus_the_value_of_the_game(objective):
    expected = [nll(sigmoid(r)) + nll(1 - sigmoid(f)) for r, f in [(0, 0), (2, -1)]]
    assert objective.discriminator_loss(REAL, FAKE).tolist() == pytest.approx(expected, rel=1e-12)
    assert objective.discriminator_loss(REAL, FAKE)[0].item() == pytest.approx(math.log(4))


def test_generator_losses_by_hand():
    assert NonSaturating().generator_loss(None, FAKE).tolist() == pytest.approx([nll(0.5), nll(sigmoid(-1))])
    assert Minimax().generator_loss(None, FAKE).tolist() == pytest.approx([math.log(0.5), math.log(1 - sigmoid(-1))])


def test_least_squares_by_hand():
    assert LeastSquares().discriminator_loss(REAL, FAKE).tolist() == [0.5 * (1 + 0), 0.5 * (1 + 1)]
    assert LeastSquares().generator_loss(None, FAKE).tolist() == [0.5, 2.0]
    logits = torch.tensor([-20.0], requires_grad=True)
    LeastSquares().generator_loss(None, logits).sum().backward()
    assert logits.grad.item() == -21  # the gradient grows with the discriminator's confidence and never vanishes


def test_label_smoothing_is_cross_entropy_with_a_target_of_nine_tenths_on_reals_only():
    smooth = NonSaturating(label_smoothing=0.1)
    target = torch.full_like(REAL, 0.9)
    on_real = torch.nn.functional.binary_cross_entropy_with_logits(REAL, target, reduction="none")
    on_fake = torch.nn.functional.binary_cross_entropy_with_logits(FAKE, torch.zeros_like(FAKE), reduction="none")
    assert torch.allclose(smooth.discriminator_loss(REAL, FAKE), on_real + on_fake, rtol=1e-12)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("logit", [-50.0, 0.0, 50.0])
def test_losses_stay_finite_at_large_logits(name, logit):
    objective, logits = OBJECTIVES[name](), torch.tensor([logit])
    assert torch.isfinite(objective.discriminator_loss(logits, logits)).all()
    assert torch.isfinite(objective.generator_loss(logits, logits)).all()


def test_only_minimax_loses_its_gradient_with_a_confident_discriminator():
    def gradient(objective):
        logits = torch.tensor([-20.0], requires_grad=True)
        objective.generator_loss(None, logits).sum().backward()
        return logits.grad.item()

    assert gradient(NonSaturating()) == pytest.approx(-1, abs=1e-6)
    assert abs(gradient(Minimax())) < 1e-8


@pytest.mark.parametrize("objective", [Minimax(), NonSaturating(), LeastSquares()])
def test_each_player_descends_in_the_right_direction(objective):
    real, fake = (torch.tensor([0.5], requires_grad=True) for _ in range(2))
    objective.discriminator_loss(real, fake).sum().backward()
    assert real.grad < 0 < fake.grad  # descending raises D(x) and lowers D(G(z))
    fake.grad = None
    objective.generator_loss(None, fake).sum().backward()
    assert fake.grad < 0  # descending raises D(G(z))
