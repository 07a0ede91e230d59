"""Objectives and penalties: by hand at fixed numbers, by autograd on nonlinear functions; refused recipes."""

import math

import pytest
import torch

from contexts import discriminator_context
from ganforge.errors import UserError
from ganforge.networks.normalisation import normalized, spectral_norm
from ganforge.objectives.adversarial import OBJECTIVES, Hinge, RelativisticPairing, Wasserstein
from ganforge.objectives.penalties import R1, R2, GradientPenalty, squared_gradient
from ganforge.recipes.reading import load_recipe

REAL, FAKE = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([-3.0, 0.0, 4.0])


def softplus(x):
    return math.log1p(math.exp(x))


@pytest.mark.parametrize(
    ("objective", "of_discriminator", "of_generator"),
    [
        (Wasserstein(), [-5.0, 1.0, 3.5], [3.0, 0.0, -4.0]),
        (Hinge(), [0.0, 3.0, 5.5], [3.0, 0.0, -4.0]),
        (
            RelativisticPairing(),
            [softplus(-5), softplus(1), softplus(3.5)],
            [softplus(5), softplus(-1), softplus(-3.5)],
        ),
    ],
)
def test_objectives_by_hand(objective, of_discriminator, of_generator):
    torch.testing.assert_close(objective.discriminator_loss(REAL, FAKE), torch.tensor(of_discriminator))
    torch.testing.assert_close(objective.generator_loss(REAL, FAKE), torch.tensor(of_generator))
    assert not objective.probabilistic


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_have_the_right_sign(name):
    """Higher logits on real images lower D's loss; higher logits on fakes lower G's."""
    objective = OBJECTIVES[name]()
    real, fake = (torch.tensor([0.3, 0.2], requires_grad=True) for _ in range(2))
    objective.discriminator_loss(real, fake).sum().backward()
    assert (real.grad < 0).all() and (fake.grad > 0).all()
    fake.grad = None
    objective.generator_loss(real.detach(), fake).sum().backward()
    assert (fake.grad < 0).all()


def nonlinear_discriminator(weight):
    return lambda x: torch.nn.functional.conv2d(x, weight).flatten(1).tanh().sum(1)


def test_gradient_penalties_of_a_linear_discriminator_by_hand():
    """D(x) = w·x has the gradient w everywhere: ½·25, ½·25 and (5 - 1)²."""
    w = torch.tensor([3.0, -4.0]).view(1, 2, 1, 1)
    real, fake, noise = (torch.randn(4, 2, 1, 1) for _ in range(3))

    def logits(x):
        return (w * x).sum((1, 2, 3))

    for penalty, expected in ((R1(), 12.5), (R2(), 12.5), (GradientPenalty(), 16.0)):
        values = penalty(discriminator_context(logits, real, fake, noise))
        torch.testing.assert_close(values, torch.full((4,), expected))


def test_each_penalty_uses_the_gradient_at_its_images():
    torch.manual_seed(0)
    logits = nonlinear_discriminator(torch.randn(3, 1, 4, 4, dtype=torch.float64))
    real, fake, noise = (torch.randn(5, 1, 4, 4, dtype=torch.float64) for _ in range(3))

    def half_squared_norm(images):
        images = images.clone().requires_grad_()
        return 0.5 * torch.autograd.grad(logits(images).sum(), images)[0].square().sum((1, 2, 3))

    torch.testing.assert_close(R1()(discriminator_context(logits, real, fake, noise)), half_squared_norm(real))
    torch.testing.assert_close(R2()(discriminator_context(logits, real, fake, noise)), half_squared_norm(fake))
    u = torch.special.ndtr(noise[:, 0, 0, 0]).view(-1, 1, 1, 1)
    interpolated = half_squared_norm(u * real + (1 - u) * fake)
    values = GradientPenalty()(discriminator_context(logits, real, fake, noise))
    torch.testing.assert_close(values, ((2 * interpolated).sqrt() - 1).square())
    assert ((u > 0) & (u < 1)).all()


def test_the_gradient_of_one_logit_is_that_of_its_whole_pack():
    """D of two images is w·x + 2w·x': the squared norm of its gradient is 25 + 4·25."""
    w = torch.tensor([3.0, -4.0]).view(1, 2, 1, 1)

    def logits(x):
        products = (w * x).sum((1, 2, 3))
        return products[::2] + 2 * products[1::2]

    images = torch.randn(6, 2, 1, 1, requires_grad=True)
    torch.testing.assert_close(squared_gradient(logits(images), images), torch.full((3,), 125.0))


@pytest.mark.parametrize("penalty", [R1(), R2(), GradientPenalty()])
def test_penalties_have_a_gradient_for_the_weights(penalty):
    weight = torch.randn(2, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    real, fake, noise = (torch.randn(3, 1, 3, 3, dtype=torch.float64) for _ in range(3))

    def loss(w):
        logits = nonlinear_discriminator(w)
        return penalty(discriminator_context(logits, real, fake, noise)).sum()

    assert torch.autograd.gradcheck(loss, (weight,))


def test_spectral_norm_is_the_largest_singular_value_and_has_its_gradient():
    torch.manual_seed(1)
    for shape in ((20, 50), (50, 20), (8, 3, 3, 3), (1, 40), (30, 30)):
        weight = torch.randn(shape, dtype=torch.float64, requires_grad=True)
        exact = torch.linalg.matrix_norm(weight.flatten(1), 2)
        norm = spectral_norm(weight)
        assert norm.item() == pytest.approx(exact.item(), rel=2e-3), shape
        ours, torchs = (torch.autograd.grad(value, weight)[0] for value in (norm, exact))
        assert torch.nn.functional.cosine_similarity(ours.flatten(), torchs.flatten(), dim=0) > 0.98
    assert torch.isfinite(spectral_norm(torch.zeros(4, 5)))


def test_normalized_weights_have_spectral_norm_one_and_biases_stay():
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 3), torch.nn.BatchNorm2d(6), torch.nn.Flatten(), torch.nn.Linear(6, 2)
    )
    weights = normalized(dict(net.named_parameters()))
    assert set(weights) == {"0.weight", "3.weight"}
    for weight in weights.values():
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, rel=2e-3)


@pytest.mark.parametrize(
    ("recipe", "changes", "words"),
    [
        ("vanilla", ["game.packing=3"], "packing = 3 must divide batch_size = 100"),
        ("cgan", ["game.packing=2"], "each with its own label"),
        ("vanilla", ["game.adversarial_weight=0"], "without a loss"),
        ("minimax", ["objective.label_smoothing=0.1"], "label_smoothing"),
        ("vanilla", ["objective.name=hinge", "objective.label_smoothing=0.1"], "no such field"),
        ("vanilla", ["terms.feature_matching.wieght=1"], "did you mean weight"),
        ("vanilla", ["terms.features.weight=1"], "feature_matching"),
        ("vanilla", ["schedule.instance_noise=-1"], "instance_noise"),
        ("vanilla", ["schedule.generator_lr_decay_power=2"], "set schedule.lr_decay_start"),
        ("vanilla", ["discriminator.classifier=auxiliary"], "has no loss"),
        ("vanilla", ["terms.classification.weight=1"], "needs conditional = true"),
        ("cgan", ["terms.classification.weight=1"], "classifier = .auxiliary"),
        ("acgan", ["terms={}"], "has no loss"),
        ("forge-2", ["terms={}"], "has no loss"),
        (
            "forge-2",
            ["generator.label=one-hot"],
            "class_std needs conditional = true .or data.clusters. and generator.label = .batch-norm",
        ),
        ("vanilla", ["generator.init.class_std=1"], "class_std needs conditional = true"),
        ("forge-2", ["discriminator.init.class_std=1"], "discriminator.init.class_std: only a generator"),
        ("vae", ["encoder.init.class_std=1"], "encoder.init.class_std: only a generator"),
        (
            "forge-2",
            ["discriminator.classifier=none"],
            "terms.real_classification needs conditional = true .or data.clusters. and",
        ),
        (
            "forge-2",
            ["discriminator.classifier=k_plus_one"],
            "terms.real_classification needs conditional = true .or data.clusters. and",
        ),
        ("forge-2", ["conditional=false"], "terms.real_classification needs conditional = true .or data.clusters. and"),
        ("acgan", ["discriminator.classifier=projection", "terms={supervised={weight=1}}"], "label = .projection"),
        (
            "cgan",
            [
                "discriminator.label=embedding",
                "discriminator.classifier=auxiliary",
                "terms.real_classification.weight=1",
            ],
            "already gets as an input",
        ),
        (
            "acgan",
            ["terms={supervised={weight=1}}", "data.labels=100", "discriminator.label=embedding"],
            "already gets as an input",
        ),
        ("cgan", ["discriminator.label=none"], "ignores the class"),
        ("semi-supervised", ["discriminator.classifier=none"], "classifier = .k_plus_one"),
        ("semi-supervised", ["terms.feature_matching=1"], "terms.feature_matching: must be"),
        ("vanilla", ["discriminator.fourier_features=200"], "less than or equal to 16"),
        ("vanilla", ["data.labels=100"], "terms.supervised, which this recipe lacks"),
        ("vanilla", ["averaging.discriminator=true"], "averaging.half_life above 0"),
        ("vanilla", ["terms.mutual_information.weight=1"], "needs codes"),
        ("infogan", ["game.packing=2"], "codes of its own"),
        ("vanilla", ["terms.invariant_information.weight=1"], "needs categorical logits"),
        ("dcgan", ["generator.virtual_batch_norm=100", "game.packing=2"], "remove one"),
        ("dcgan", ["generator.virtual_batch_norm=1"], "2 or more images"),
        ("vanilla", ["generator.virtual_batch_norm=100"], "batch_norm = true"),
        ("semi-supervised", ["discriminator.batch_norm=true"], "same work"),
        ("semi-supervised", ["penalties.approximate_r1.weight=1"], "input_noise makes them differ"),
        ("vanilla", ["discriminator.hidden_noise=1", "penalties.approximate_r1.weight=1"], "hidden_noise makes them"),
        ("semi-supervised", ["game.spectral_norm=true"], "no effect with discriminator.weight_norm"),
        ("vanilla", ["data.clusters=1"], "separates nothing"),
        ("cgan", ["data.clusters=5"], "unknown class labels: set conditional = false"),
        ("semi-supervised", ["data.clusters=5"], "remove terms.supervised"),
        ("vae", ["data.clusters=5"], "conditions a discriminator"),
        ("udacity", ["data.clusters=5"], "two or more numbers from N"),
        ("vanilla", ["data.clusters=5", "latent.dim=1"], "latent of two or more numbers"),
        ("dcgan", ["data.clusters=5", "generator.virtual_batch_norm=9"], "given classes for its reference batch"),
        ("pacgan", ["data.clusters=5"], "each with its own label: set conditional = false and data.clusters = 0"),
        ("forge-2-unconditional", ["data.clusters=0"], "needs conditional = true .or data.clusters"),
        ("vanilla", ["batch_size=4", "game.packing=4"], "makes one pack of batch_size = 4"),
        ("vanilla", ["game.packing=2", "penalties.gradient_penalty.weight=10"], "interpolates single images"),
        ("acgan", ["discriminator.label=embedding"], "already gets as an input"),
        ("vanilla", ["game.adversarial_weight=0", "terms.historical_averaging.weight=1"], "without a loss"),
        ("dcgan", ["generator.batch_norm=false", "generator.virtual_batch_norm=9"], "batch_norm = true"),
        ("vae", ["schedule.instance_noise_images=1000"], "instance_noise_images belongs to adversarial training"),
        ("vanilla", ["objective.name=[1]"], "is not an objective"),
        ("vanilla", ["generator.family=[1]"], "generator"),
        ("vanilla", ["latent.distribution={a=1}"], "latent"),
    ],
)
def test_invalid_combinations_are_refused(recipe, changes, words):
    with pytest.raises(UserError, match=words):
        load_recipe(recipe, changes)
