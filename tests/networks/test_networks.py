import pytest
import torch
from torch import nn

from ganforge.networks.blocks import BatchNorm, Init, measure_batch_statistics
from ganforge.networks.catalogue import build_discriminator, build_generator
from ganforge.networks.mlp import MlpGeneratorSettings, MlpSettings
from ganforge.randomness import random_generator

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 8, 12)]


def players(shape=(1, 28, 28), classes=0, **settings):
    generator = build_generator(MlpGeneratorSettings(**settings), 16, shape, classes)
    return generator, build_discriminator(MlpSettings(**settings), shape, classes)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("classes", [0, 10])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_shapes_and_gradients_reach_every_parameter(shape, classes, batch_norm):
    generator, discriminator = players(shape, classes, hidden=(32, 16), batch_norm=batch_norm, activation="leaky-relu")
    Init().draw(generator, random_generator("g"))
    Init().draw(discriminator, random_generator("d"))
    labels = torch.arange(6) % classes if classes else None
    images = generator(torch.randn(6, 16), labels)
    assert images.shape == (6, *shape)
    logits = discriminator(images, labels).logits
    assert logits.shape == (6,)
    logits.square().sum().backward()
    for name, parameter in [*generator.named_parameters(), *discriminator.named_parameters()]:
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(("output", "low"), [("sigmoid", 0.0), ("tanh", -1.0)])
def test_output_range(output, low):
    generator = build_generator(MlpGeneratorSettings(output=output), 16, (1, 8, 8), 0)
    images = generator(100 * torch.randn(50, 16))
    assert images.min() >= low and images.max() <= 1
    assert images.min() < low + 0.1 and images.max() > 0.9


def test_the_label_changes_the_picture_and_the_opinion():
    generator, discriminator = players(classes=10)
    z = torch.randn(1, 16)
    zero, one = (generator(z, torch.tensor([label])) for label in (0, 1))
    assert not torch.equal(zero, one)
    opinions = [discriminator(zero, torch.tensor([label])).logits.item() for label in (0, 1)]
    assert opinions[0] != opinions[1]


def test_class_weights_between_labels_are_between_the_pictures():
    generator, _ = players(classes=3)
    z = torch.randn(1, 16)
    as_label = generator(z, torch.tensor([2]))
    assert torch.equal(as_label, generator(z, torch.tensor([[0.0, 0.0, 1.0]])))
    assert not torch.equal(as_label, generator(z, torch.tensor([[0.0, 0.5, 0.5]])))


def test_three_hidden_layers_need_batch_norm_unless_told():
    with pytest.raises(ValueError, match="batch_norm = true"):
        MlpSettings(hidden=(8, 8, 8))
    assert MlpSettings(hidden=(8, 8, 8), batch_norm=True)
    assert MlpSettings(hidden=(8, 8, 8), deep_without_batch_norm=True)


# Initial values


def drawn(**settings):
    layer = nn.Linear(400, 500)
    Init(**settings).draw(layer, random_generator("test"))
    return layer


def test_normal_init():
    layer = drawn(scheme="normal", std=0.01)
    assert layer.weight.std().item() == pytest.approx(0.01, rel=0.01)
    assert layer.bias.abs().max() == 0


def test_truncated_normal_cuts_at_two_standard_deviations_and_fills_biases():
    layer = drawn(scheme="truncated-normal", std=0.1, biases=True)
    assert 0.19 < layer.weight.abs().max() <= 0.2
    assert 0.15 < layer.bias.abs().max() <= 0.2
    # The standard deviation of N(0, 1) cut at ±2 is 0.8796.
    assert layer.weight.std().item() == pytest.approx(0.08796, rel=0.01)


def test_glorot_uniform_bound():
    layer = drawn(scheme="glorot-uniform")
    bound = (6 / 900) ** 0.5
    assert 0.99 * bound < layer.weight.abs().max() <= bound
    assert layer.bias.abs().max() == 0


# Batch normalisation


def test_batch_norm_equals_torch_in_training_mode_and_keeps_nothing():
    ours, theirs = BatchNorm(5), nn.BatchNorm1d(5)
    x = torch.randn(20, 5) * 3 + 1
    before = [buffer.clone() for buffer in ours.buffers()]
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)
    assert all(torch.equal(a, b) for a, b in zip(before, ours.buffers(), strict=True))


def test_measured_statistics_are_those_of_the_data():
    module = nn.Sequential(nn.Linear(4, 6), BatchNorm(6), nn.ReLU(), nn.Linear(6, 3), BatchNorm(3))
    data = torch.randn(20, 100, 4)
    measure_batch_statistics(module, lambda k: module(data[k]), batches=20)
    hidden = module[0](data).reshape(-1, 6)
    assert torch.allclose(module[1].mean, hidden.mean(0), atol=1e-5)
    assert torch.allclose(module[1].var, hidden.var(0), rtol=0.05)
    out = module(data.reshape(-1, 4))
    assert torch.allclose(out.mean(0), torch.zeros(3), atol=0.05)
    assert torch.allclose(out.std(0), torch.ones(3), atol=0.05)


def test_a_picture_does_not_depend_on_its_neighbours():
    generator, _ = players(hidden=(32, 16), batch_norm=True)
    z = torch.randn(50, 16)
    measure_batch_statistics(generator, lambda k: generator(torch.randn(64, 16)), batches=3)
    assert torch.allclose(generator(z)[:1], generator(z[:1]), atol=1e-6)


def test_the_discriminator_sees_the_colour_of_a_border_that_all_images_share():
    """With batch norm on the layer that sees the pixels it would be subtracted, and never be learned."""
    _, discriminator = players(hidden=(32, 16), batch_norm=True)
    images = torch.rand(20, 1, 28, 28)
    other = images.clone()
    images[:, :, 0], other[:, :, 0] = 0.0, 1.0
    assert not torch.allclose(discriminator(images).logits, discriminator(other).logits, atol=1e-3)
