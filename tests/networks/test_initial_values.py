"""Initial values of weights."""

import pytest
import torch
from torch import nn

from ganforge.networks.blocks import Init
from ganforge.networks.normalisation import BatchNorm
from ganforge.randomness import random_generator


def initialised(**settings):
    layer = nn.Linear(400, 500)
    Init(**settings).draw(layer, random_generator("test"))
    return layer


def test_normal_init():
    layer = initialised(scheme="normal", std=0.01)
    assert layer.weight.std().item() == pytest.approx(0.01, rel=0.01)
    assert layer.bias.abs().max() == 0


def test_truncated_normal_is_within_two_standard_deviations_and_fills_biases():
    layer = initialised(scheme="truncated-normal", std=0.1, biases=True)
    assert 0.19 < layer.weight.abs().max() <= 0.2
    assert 0.15 < layer.bias.abs().max() <= 0.2
    # The standard deviation of N(0, 1) cut at ±2 is 0.8796.
    assert layer.weight.std().item() == pytest.approx(0.08796, rel=0.01)


def test_std_without_a_scheme_means_a_normal_distribution():
    assert initialised(std=0.3).weight.std().item() == pytest.approx(0.3, rel=0.01)
    assert Init(std=0.3) == Init(scheme="normal", std=0.3)
    assert Init.model_validate(Init(biases=True).model_dump()) == Init(biases=True, scheme="glorot-uniform")


def test_glorot_uniform_bound():
    layer = initialised(scheme="glorot-uniform")
    bound = (6 / 900) ** 0.5
    assert 0.99 * bound < layer.weight.abs().max() <= bound
    assert layer.bias.abs().max() == 0


def test_class_std_gives_every_class_its_own_gains_and_offsets():
    net = nn.Sequential(nn.Linear(4, 400), BatchNorm(400, 10), BatchNorm(400))
    Init(class_std=0.3).draw(net, random_generator("test"))
    assert net[1].weight.mean().item() == pytest.approx(1, abs=0.02)
    assert [x.std().item() for x in (net[1].weight, net[1].bias)] == pytest.approx([0.3, 0.3], rel=0.05)
    assert net[1].bias.mean().item() == pytest.approx(0, abs=0.02)
    assert (net[2].weight == 1).all() and (net[2].bias == 0).all()
    same = nn.Sequential(nn.Linear(4, 400), BatchNorm(400, 10))
    Init().draw(same, random_generator("test"))
    assert (same[1].weight == 1).all() and torch.equal(same[0].weight, net[0].weight)
