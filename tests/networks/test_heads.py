"""Heads of discriminators, weight norm, virtual batch norm and noise layers."""

import pytest
import torch
from torch import nn

from ganforge.networks.blocks import GaussianNoise
from ganforge.networks.dcgan import DcganDiscriminatorSettings, DcganGeneratorSettings
from ganforge.networks.heads import Heads, HeadSettings, HeadSpec
from ganforge.networks.mlp import MlpDiscriminatorSettings, MlpGeneratorSettings
from ganforge.networks.normalisation import BatchNorm, WeightNormLinear, data_dependent_init
from ganforge.networks.registry import build_discriminator, build_generator
from ganforge.networks.strided import StridedDiscriminatorSettings, StridedGeneratorSettings
from ganforge.networks.subpixel import SubpixelDiscriminatorSettings, SubpixelGeneratorSettings

SHAPE = (1, 12, 12)
D = {
    "mlp": MlpDiscriminatorSettings(hidden=(9,), classifier="auxiliary", label="none"),
    "dcgan": DcganDiscriminatorSettings(family="dcgan", filters=4, classifier="auxiliary", label="none"),
    "strided": StridedDiscriminatorSettings(family="strided", planes=(4, 6), classifier="auxiliary", label="none"),
    "subpixel": SubpixelDiscriminatorSettings(family="subpixel", filters=4, classifier="auxiliary", label="none"),
}
G = {
    "mlp": MlpGeneratorSettings(hidden=(9,), batch_norm=True, virtual_batch_norm=5),
    "dcgan": DcganGeneratorSettings(family="dcgan", filters=4, virtual_batch_norm=5),
    "strided": StridedGeneratorSettings(family="strided", planes=(4, 6), virtual_batch_norm=5),
    "subpixel": SubpixelGeneratorSettings(family="subpixel", filters=4, virtual_batch_norm=5),
}


@pytest.mark.parametrize("family", D)
def test_every_family_predicts_classes_and_codes_without_the_label(family):
    net = build_discriminator(D[family], SHAPE, 7, HeadSpec(7, 4))
    images = torch.rand(5, *SHAPE)
    output = net(images, torch.arange(5))
    assert output.logits.shape == (5,) and output.class_logits.shape == (5, 7) and output.codes.shape == (5, 4)
    assert torch.equal(output.logits, net(images, torch.zeros(5, dtype=torch.int64)).logits)
    assert torch.equal(output.logits, net(images, None).logits)


def test_heads_outside_the_spec_are_not_built():
    output = build_discriminator(MlpDiscriminatorSettings(), SHAPE, 0)(torch.rand(5, *SHAPE))
    assert output.class_logits is None and output.codes is None


def test_instead_of_a_logit_fake_is_one_more_class_whose_logit_is_zero():
    heads = Heads(6, 0, HeadSettings(classifier="k_plus_one"), HeadSpec(3)).double()
    output = heads(torch.randn(8, 6, dtype=torch.float64))
    all_logits = torch.cat([output.class_logits, torch.zeros(8, 1, dtype=torch.float64)], 1)
    real_probability = all_logits.softmax(1)[:, :3].sum(1)
    torch.testing.assert_close(output.logits.sigmoid(), real_probability)
    assert heads.logit is None


def test_a_joint_output_is_split_in_every_field():
    net = build_discriminator(D["mlp"], SHAPE, 7, HeadSpec(7, 4))
    first, second = torch.rand(3, *SHAPE), torch.rand(5, *SHAPE)
    for part, whole in zip(net(torch.cat([first, second])).split([3, 5]), (net(first), net(second)), strict=True):
        for name in ("logits", "features", "class_logits", "codes"):
            torch.testing.assert_close(getattr(part, name), getattr(whole, name))


def test_weight_norm_by_hand_and_initialised_from_a_batch():
    layer = WeightNormLinear(5, 3).double()
    layer.gain.normal_(), nn.init.normal_(layer.bias), nn.init.normal_(layer.weight)
    x = torch.randn(50, 5, dtype=torch.float64)
    expected = torch.stack(
        [x @ (g * v / v.norm()) + b for v, g, b in zip(layer.weight, layer.gain, layer.bias, strict=True)]
    )
    torch.testing.assert_close(layer(x), expected.T)
    before = layer(x)
    with torch.no_grad():
        layer.weight *= 7
    torch.testing.assert_close(layer(x), before)  # only the direction of a row counts
    assert "gain" not in dict(layer.named_parameters())  # a learned gain would outgrow the noise
    layer.init_from_batch(x)
    output = layer(x)
    torch.testing.assert_close(output.mean(0), torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(output.std(0), torch.ones(3, dtype=torch.float64))


def test_weight_norm_layers_are_initialised_one_after_the_other():
    net = nn.Sequential(WeightNormLinear(5, 9), nn.ReLU(), WeightNormLinear(9, 4)).double()
    x = torch.randn(200, 5, dtype=torch.float64)
    data_dependent_init(net, lambda: net(x))
    for layer, inputs in ((net[0], x), (net[2], net[1](net[0](x)))):
        torch.testing.assert_close(layer(inputs).std(0), torch.ones(layer.out_features, dtype=torch.float64))
    before = net(x)
    net(5 * x)  # the hooks are gone
    torch.testing.assert_close(net(x), before)


def test_a_discriminator_with_weight_norm_has_a_classifier_with_learned_gains():
    settings = MlpDiscriminatorSettings(hidden=(9, 8), weight_norm=True, classifier="k_plus_one", label="none")
    net = build_discriminator(settings, SHAPE, 0, HeadSpec(4))
    images = torch.rand(60, *SHAPE)
    data_dependent_init(net, lambda: net(images))
    output = net(images).class_logits
    torch.testing.assert_close(output.std(0), torch.ones(4), atol=1e-4, rtol=1e-4)
    assert isinstance(net.heads.classifier, WeightNormLinear)
    assert {name for name, _ in net.named_parameters() if name.endswith("gain")} == {"heads.classifier.gain"}
    plain = build_discriminator(settings.model_copy(update={"weight_norm": False}), SHAPE, 0, HeadSpec(4))
    assert type(plain.heads.classifier) is nn.Linear


def test_noise_only_in_training_and_the_same_for_the_same_seed():
    layer, x = GaussianNoise(0.5), torch.zeros(2000, 10)
    layer.random = torch.Generator().manual_seed(3)
    first, second = layer(x), layer(x)
    assert not torch.equal(first, second)
    assert first.std().item() == pytest.approx(0.5, rel=0.03)
    layer.random.manual_seed(3)
    assert torch.equal(layer(x), first)
    assert torch.equal(layer.eval()(x), x)


@pytest.mark.parametrize("family", G)
@pytest.mark.parametrize("training", [True, False])
def test_with_a_reference_batch_an_image_does_not_depend_on_the_others(family, training):
    net = build_generator(G[family], 6, SHAPE, 0).train(training)
    nn.init.normal_(net.latent)
    z = torch.randn(9, 6)
    images = net(z)
    assert images.shape == (9, *SHAPE)
    for k in (0, 4):
        torch.testing.assert_close(net(z[k : k + 1])[0], images[k], rtol=1e-3, atol=1e-5)


def test_virtual_batch_norm_by_a_slow_loop():
    """Each example is normalised by mean and variance of the reference batch plus itself."""
    norm = BatchNorm(3).double()
    norm.reference = 4
    nn.init.normal_(norm.weight), nn.init.normal_(norm.bias)
    x = torch.randn(7, 3, 2, 5, dtype=torch.float64)
    output = norm(x)
    for i in range(4, 7):
        batch = torch.cat([x[:4], x[i : i + 1]])
        mean, var = batch.mean((0, 2, 3)), batch.var((0, 2, 3), correction=0)
        expected = (x[i] - mean[:, None, None]) / (var + norm.eps).sqrt()[:, None, None]
        torch.testing.assert_close(output[i], expected * norm.weight[:, None, None] + norm.bias[:, None, None])
    plain = BatchNorm(3).double()
    plain.load_state_dict(norm.state_dict())
    torch.testing.assert_close(output[:4], plain(x[:4]))


def test_the_reference_batch_has_every_class_in_turn():
    settings = SubpixelGeneratorSettings(family="subpixel", filters=4, label="batch-norm", virtual_batch_norm=6)
    net = build_generator(settings, 5, SHAPE, 3)
    assert net.labels.tolist() == [0, 1, 2, 0, 1, 2]
    z, labels = torch.randn(3, 5), torch.tensor([2, 0, 1])
    torch.testing.assert_close(net(z, labels), net(z, torch.eye(3)[labels]))
