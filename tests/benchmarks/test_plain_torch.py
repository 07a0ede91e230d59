"""The protocols in plain PyTorch: three steps from the same weights give the same weights."""

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet
from ganforge.data.synthetic import ring
from ganforge.recipes.reading import load_recipe
from ganforge.training.noise import NoiseSource
from ganforge.training.state import new_state
from ganforge.training.step import adversarial_step

CPU, ROUNDS = torch.device("cpu"), 3


class Greatest(nn.Module):
    def forward(self, x):
        return x.view(len(x), 5, -1).max(1).values


def plane():
    layers = []
    for inputs in (2, 400, 400, 400):
        layers += [nn.Linear(inputs, 400, bias=False), nn.BatchNorm1d(400), nn.ReLU()]
    generator = nn.Sequential(*layers, nn.Linear(400, 2), nn.Unflatten(1, (2, 1, 1)))
    maxout = [layer for inputs in (2, 200, 200) for layer in (nn.Linear(inputs, 1000), Greatest())]
    return generator, nn.Sequential(nn.Flatten(), *maxout, nn.Linear(200, 1))


def grow(inputs, outputs, kernel, more):
    return [
        nn.BatchNorm2d(inputs),
        nn.ReLU(),
        nn.ConvTranspose2d(inputs, outputs, kernel, stride=2, padding=kernel // 2, output_padding=more),
    ]


def halve(inputs, outputs, kernel, slope, norm):
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=2, padding=kernel // 2)
    return [convolution, *([nn.BatchNorm2d(outputs)] if norm else []), nn.LeakyReLU(slope)]


def stacked():
    generator = nn.Sequential(
        nn.Linear(100, 2048),
        nn.Unflatten(1, (512, 2, 2)),
        *grow(512, 256, 5, 1),  # 2 -> 4
        *grow(256, 128, 5, 0),  # 4 -> 7
        *grow(128, 64, 5, 1),  # 7 -> 14
        *grow(64, 3, 5, 1),  # 14 -> 28
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        *halve(3, 64, 5, 0.2, norm=False),
        *halve(64, 128, 5, 0.2, norm=True),
        *halve(128, 256, 5, 0.2, norm=True),
        *halve(256, 512, 5, 0.2, norm=True),
        nn.Flatten(),
        nn.Linear(2048, 1),
    )
    return generator, discriminator


def tiny(planes):
    generator = nn.Sequential(
        nn.Linear(256, 1024),
        nn.Unflatten(1, (64, 4, 4)),
        *grow(64, 32, 3, 0),  # 4 -> 7
        *grow(32, 16, 3, 1),  # 7 -> 14
        *grow(16, 8, 3, 1),  # 14 -> 28
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 3, 3, padding=1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        *halve(3, planes, 3, 0.3, norm=True),
        *halve(planes, 2 * planes, 3, 0.3, norm=True),
        *halve(2 * planes, 4 * planes, 3, 0.3, norm=True),
        nn.Flatten(),
        nn.Linear(64 * planes, 1),
    )
    return generator, discriminator


def adam(module, lr, beta1, beta2):
    return torch.optim.Adam(module.parameters(), lr, (beta1, beta2))


def descend(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def d_loss(discriminator, real, fake):
    return (softplus(-discriminator(real)) + softplus(discriminator(fake.detach()))).mean()


def g_loss(discriminator, fake):
    return softplus(-discriminator(fake)).mean()


def at_once(generator, discriminator, rounds):
    g_adam, d_adam = adam(generator, 1e-4, 0.8, 0.999), adam(discriminator, 1e-4, 0.8, 0.999)
    for real, z in rounds:
        fake = generator(z)
        slopes = torch.autograd.grad(g_loss(discriminator, fake), list(generator.parameters()))
        descend(d_adam, d_loss(discriminator, real, fake))
        for parameter, slope in zip(generator.parameters(), slopes, strict=True):
            parameter.grad = slope
        g_adam.step()


def in_turn(generator, discriminator, rounds, g_lr, beta2, g_updates):
    g_adam, d_adam = adam(generator, g_lr, 0.5, beta2), adam(discriminator, 2e-4, 0.5, beta2)
    for real, z in rounds:
        descend(d_adam, d_loss(discriminator, real, generator(z)))
        for _ in range(g_updates):
            descend(g_adam, g_loss(discriminator, generator(z)))


CASES = {
    "gan-2d": (plane, lambda g, d, rounds: at_once(g, d, rounds)),
    "dcgan-stacked": (stacked, lambda g, d, rounds: in_turn(g, d, rounds, 2e-4, 0.999, 2)),
    "dcgan-tiny-quarter": (lambda: tiny(2), lambda g, d, rounds: in_turn(g, d, rounds, 1e-4, 0.99, 1)),
    "dcgan-tiny-half": (lambda: tiny(4), lambda g, d, rounds: in_turn(g, d, rounds, 1e-4, 0.99, 1)),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "dcgan-stacked" else ()) for name in CASES]
)
def test_three_rounds_by_hand_end_in_the_same_weights(name):
    recipe = load_recipe(name, ["batch_size=4", "run.precision=fp64"])
    if name == "gan-2d":
        data, shape = ring().points(100, 0), (2, 1, 1)
    else:
        random = torch.Generator().manual_seed(0)
        pixels = torch.randint(256, (100, 3, 28, 28), dtype=torch.uint8, generator=random)
        data, shape = ImageSet(pixels, torch.full((100,), -1)), (3, 28, 28)
    streams = {"real": Batches(data, 4, recipe.pixel_range, seed=0, labels=False, device=CPU, dtype=torch.float64)}
    draws = NoiseSource(recipe, 0, CPU, torch.float64)
    state = new_state(recipe, shape, 0, 0, CPU)
    nets, play = CASES[name]
    generator, discriminator = (net.double() for net in nets())
    sides = (generator, state.generator), (discriminator, state.discriminator)
    for plain, ours in sides:
        for mine, theirs in zip(plain.parameters(), ours.parameters, strict=True):
            mine.data.copy_(theirs.data)
    rounds = [(streams["real"][k].images, draws.latent(4, "discriminator", k, 0)) for k in range(ROUNDS)]
    before = [parameter.clone() for parameter in state.generator.parameters]
    for _ in range(ROUNDS):
        adversarial_step(state, recipe, streams, draws)
    play(generator, discriminator, rounds)
    for plain, ours in sides:
        for mine, theirs in zip(plain.parameters(), ours.parameters, strict=True):
            # the gradient of a bias before batch norm is rounding error, which Adam turns into steps
            if mine.ndim > 1 or "dcgan" not in name:
                assert torch.allclose(mine, theirs, rtol=1e-7, atol=1e-9)
    assert not any(torch.equal(a, b) for a, b in zip(before, state.generator.parameters, strict=True) if a.ndim > 1)
