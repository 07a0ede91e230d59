import math

import pytest
import torch
from torch import nn

from ganforge.errors import UserError
from ganforge.networks.blocks import MIXING, Init, MinibatchStd
from ganforge.networks.conditioning import LatentClassGenerator
from ganforge.networks.dcgan import DcganDiscriminatorSettings, DcganGeneratorSettings
from ganforge.networks.heads import HeadSpec, Logit, MinibatchDiscrimination
from ganforge.networks.memory_layout import DepthToSpace, SpaceToDepth
from ganforge.networks.mlp import FourierFeatures, Maxout, MlpDiscriminatorSettings, MlpGeneratorSettings, MlpSettings
from ganforge.networks.normalisation import BatchNorm, measure_batch_statistics
from ganforge.networks.registry import build_discriminator, build_generator
from ganforge.networks.signal import SignalDiscriminatorSettings, SignalGeneratorSettings
from ganforge.networks.strided import StridedDiscriminatorSettings, StridedGeneratorSettings
from ganforge.networks.subpixel import SubpixelDiscriminatorSettings, SubpixelGeneratorSettings
from ganforge.randomness import random_generator

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 8, 12), (1, 29, 23), (3, 64, 64), (2, 1, 50)]
FAMILIES = {
    "mlp": (MlpGeneratorSettings, MlpDiscriminatorSettings, {"hidden": (32, 16)}),
    "mlp with batch norm": (MlpGeneratorSettings, MlpDiscriminatorSettings, {"hidden": (32, 16), "batch_norm": True}),
    "mlp with maxout": (MlpGeneratorSettings, MlpDiscriminatorSettings, {"hidden": (32, 16), "activation": "maxout"}),
    "strided": (StridedGeneratorSettings, StridedDiscriminatorSettings, {"family": "strided", "planes": (8, 4)}),
    "dcgan": (DcganGeneratorSettings, DcganDiscriminatorSettings, {"family": "dcgan", "filters": 4}),
    "subpixel": (SubpixelGeneratorSettings, SubpixelDiscriminatorSettings, {"family": "subpixel", "filters": 4}),
    "signal": (SignalGeneratorSettings, SignalDiscriminatorSettings, {"family": "signal", "filters": 4}),
}


def players(shape=(1, 28, 28), classes=0, family="mlp", g_label=None, d_label=None, **settings):
    generator_settings, discriminator_settings, defaults = FAMILIES[family]
    settings = {**defaults, **settings}
    generator = generator_settings(**settings, **({"label": g_label} if g_label else {}))
    discriminator = discriminator_settings(**settings, **({"label": d_label} if d_label else {}))
    built = build_generator(generator, 16, shape, classes), build_discriminator(discriminator, shape, classes)
    for player, settings in zip(built, (generator, discriminator), strict=True):
        settings.init.draw(player, random_generator("test", family))
    return built


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_feature_maps_of_a_discriminator_are_channels_last_also_after_one_channel(channels, dtype):
    """Otherwise every later layer copies its input or uses the slower layout: half the speed."""
    net = build_discriminator(DcganDiscriminatorSettings(family="dcgan", filters=4), (channels, 28, 28), 0)
    strides = []
    for layer in net.layers:
        layer.register_forward_hook(lambda _, __, out: strides.append(out.stride(1)))
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        net(torch.rand(5, channels, 28, 28))
    assert set(strides) == {1}


def test_fourier_features_by_hand_and_in_a_discriminator():
    features = FourierFeatures(3)(torch.tensor([[0.5, -2.0]], dtype=torch.float64))[0].tolist()
    phases = [k * x for x in (0.5, -2.0) for k in (1, 2, 4)]
    assert features == pytest.approx([0.5, -2.0, *map(math.sin, phases), *map(math.cos, phases)])
    net = build_discriminator(MlpDiscriminatorSettings(hidden=(8,), fourier_features=3), (2, 1, 1), 0)
    assert net.layers[1].in_features == 14
    assert net(torch.rand(5, 2, 1, 1)).logits.shape == (5,)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("classes", [0, 10])
@pytest.mark.parametrize("family", FAMILIES)
def test_shapes_and_gradients_reach_every_parameter(shape, classes, family):
    if family == "dcgan" and min(shape[1:]) == 1:
        with pytest.raises(UserError, match="train forge-signal"):
            players(shape, classes, family)
        return
    generator, discriminator = players(shape, classes, family)
    labels = torch.arange(16) % classes if classes else None
    images = generator(torch.randn(16, 16), labels)
    assert images.shape == (16, *shape)
    logits = discriminator(images, labels).logits
    assert logits.shape == (16,)
    logits.square().sum().backward()
    for name, parameter in [*generator.named_parameters(), *discriminator.named_parameters()]:
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("dcgan", {"filters": 2}),
        ("subpixel", {"filters": 2}),
        ("strided", {"planes": (2, 2, 2, 2), "kernel": 3}),
    ],
)
def test_convolutions_fit_every_size(family, settings):
    for side in range(8, 65):
        generator, discriminator = players((1, side, 8), family=family, **settings)
        images = generator(torch.randn(2, 16))
        assert images.shape == (2, 1, side, 8)
        assert discriminator(images).logits.shape == (2,)


def test_the_classic_dcgan_for_mnist_has_the_layers_of_its_description():
    generator, discriminator = players(family="dcgan", filters=64)
    shapes = [tuple(p.shape) for name, p in generator.named_parameters() if p.ndim > 1]
    assert shapes == [(128 * 7 * 7, 16), (128, 64, 4, 4), (64, 1, 4, 4)]
    shapes = [tuple(p.shape) for name, p in discriminator.named_parameters() if p.ndim > 1]
    assert shapes == [(64, 1, 4, 4), (128, 64, 4, 4), (1, 128 * 7 * 7)]
    assert isinstance(discriminator.layers[1], nn.LeakyReLU)  # no batch norm on the input layer


LABELLINGS = [
    (family, g_label, d_label)
    for family, d_labels in {
        "mlp": ("one-hot", "embedding", "projection"),
        "mlp with batch norm": ("one-hot", "embedding", "projection"),
        "dcgan": ("embedding", "projection"),
        "subpixel": ("projection",),
        "strided": ("projection",),
    }.items()
    for g_label in ("one-hot", "embedding", "batch-norm")
    for d_label in d_labels
    if not (family == "mlp" and g_label == "batch-norm")
]


@pytest.mark.parametrize(("family", "g_label", "d_label"), LABELLINGS)
def test_the_label_changes_the_image_and_the_logits(family, g_label, d_label):
    generator, discriminator = players(classes=10, family=family, g_label=g_label, d_label=d_label)
    if g_label == "batch-norm":  # its gains start equal for all classes
        for layer in generator.modules():
            if isinstance(layer, BatchNorm):
                nn.init.normal_(layer.weight)
    generator.eval()  # in training mode the effect of a single class would be subtracted with the batch mean
    z = torch.randn(8, 16)
    zero, one = (generator(z, torch.full((8,), label)) for label in (0, 1))
    assert not torch.equal(zero, one)
    logits = [discriminator(zero, torch.full((8,), label)).logits for label in (0, 1)]
    assert not torch.equal(*logits)
    weights = torch.eye(10)[torch.full((8,), 1)]
    assert torch.allclose(one, generator(z, weights), atol=1e-6)
    between = generator(z, (weights + torch.eye(10)[0]) / 2)
    assert not torch.allclose(between, one) and not torch.allclose(between, zero)


def test_each_label_belongs_to_its_image():
    """Permuting images and labels together permutes the logits."""
    for family in FAMILIES:
        _, discriminator = players(classes=10, family=family)
        images, labels, order = torch.rand(12, 1, 28, 28), torch.arange(12) % 10, torch.randperm(12)
        expected = discriminator(images, labels).logits[order]
        assert torch.allclose(discriminator(images[order], labels[order]).logits, expected, atol=1e-5)


def test_projection_is_the_inner_product_with_the_class_embedding():
    logit = Logit(5, classes=3)
    Init(scheme="normal", std=1.0).draw(logit, random_generator("test"))
    features, labels = torch.randn(7, 5), torch.tensor([0, 1, 2, 2, 1, 0, 0])
    expected = [
        f @ logit.linear.weight[0] + logit.linear.bias[0] + f @ logit.table.weight[y]
        for f, y in zip(features, labels, strict=True)
    ]
    logits, projections = logit(features, labels)
    assert torch.allclose(logits, torch.stack(expected), atol=1e-6)
    assert torch.allclose(projections, features @ logit.table.weight.T, atol=1e-6)
    assert Logit(5)(features)[1] is None


def test_a_classifier_by_projection_uses_the_class_embeddings_of_the_logit():
    for family, (_, settings, fields) in FAMILIES.items():
        chosen = settings(**fields, label="projection", classifier="projection", init=Init(scheme="normal", std=0.2))
        net = build_discriminator(chosen, (1, 28, 28), 10, HeadSpec(10))
        chosen.init.draw(net, random_generator("test"))
        images, labels = torch.rand(6, 1, 28, 28), torch.arange(6)
        output = net(images, labels)
        others = torch.stack([net(images, torch.full((6,), k)).logits for k in range(10)], 1)
        assert output.class_logits.shape == (6, 10), family
        differences = output.class_logits - output.class_logits[:, :1]  # they equal those of the conditional logits
        assert torch.allclose(others - others[:, :1], differences, atol=1e-5), family


def test_minibatch_std_is_that_of_the_batch_and_zero_for_equal_images():
    x = torch.randn(6, 4, 3, 3, dtype=torch.float64)
    output = MinibatchStd()(x)
    assert torch.equal(output[:, :4], x)
    expected = torch.stack([x[:, c].std(0, correction=0) for c in range(4)]).mean(0)
    assert torch.allclose(output[:, 4], expected.expand(6, 3, 3), atol=1e-5)
    assert MinibatchStd()(x[:1].expand(6, 4, 3, 3))[:, 4].max() < 2e-3


def test_gains_and_offsets_by_class():
    norm = BatchNorm(4, classes=3)
    nn.init.normal_(norm.weight), nn.init.normal_(norm.bias)
    x, labels = torch.randn(9, 4, 5, 5), torch.arange(9) % 3
    plain = BatchNorm(4)(x)
    for i, label in enumerate(labels):
        expected = plain[i] * norm.weight[label][:, None, None] + norm.bias[label][:, None, None]
        assert torch.allclose(norm(x, labels)[i], expected, atol=1e-6)
    with pytest.raises(ValueError, match="batch_norm = true"):
        MlpGeneratorSettings(label="batch-norm")


def test_a_generator_draws_classes_with_their_frequencies_unless_a_condition_is_given():
    net = LatentClassGenerator(lambda z, condition: torch.cat([z, condition[:, None]], 1), 4)
    net.shares.copy_(torch.tensor([0.5, 0.0, 0.3, 0.2]))
    z = torch.randn(40_000, 3, generator=torch.Generator().manual_seed(0))
    output = net(z)
    assert torch.equal(output[:, :2], z[:, 1:])
    frequencies = torch.bincount(output[:, 2].long(), minlength=4) / len(z)
    assert frequencies.tolist() == pytest.approx([0.5, 0.0, 0.3, 0.2], abs=0.01) and frequencies[1] == 0
    assert output[:, 2][z[:, 0].argsort()].diff().min() >= 0  # the class depends on the first number alone
    assert net(torch.tensor([[9.0, 0.0, 0.0], [-9.0, 0.0, 0.0]]))[:, 2].tolist() == [3, 0]
    labels = torch.arange(len(z)) % 4
    assert torch.equal(net(z, labels)[:, 2].long(), labels)


def test_maxout_returns_the_maximum_piece():
    x = torch.tensor([[1.0, -2.0, 5.0, -3.0], [0.0, 4.0, -1.0, 4.5]])
    assert Maxout(2)(x).tolist() == [[5.0, -2.0], [0.0, 4.5]]


def test_maxout_has_torchs_gradients():
    x = torch.randn(6, 5 * 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Maxout(5), x)
    assert torch.autograd.gradgradcheck(lambda x: Maxout(5)(x).square(), x)
    tied = torch.tensor([[2.0, 1.0, 2.0, 3.0, 0.0, 3.0]], requires_grad=True)
    ours, torchs = (torch.autograd.grad(y.sum(), tied)[0] for y in (Maxout(3)(tied), tied.view(1, 3, 2).amax(1)))
    assert ours.tolist() == torchs.tolist() == [[0.5, 0.0, 0.5, 0.5, 0.0, 0.5]]


def test_the_last_layer_of_strided_nets():
    plain, transposed = (
        build_generator(StridedGeneratorSettings(family="strided", planes=(4, 3), last=last), 16, (3, 10, 9), 0)
        for last in ("plain", "transposed")
    )
    assert plain.start == (4, 5, 5) and isinstance(plain.layers[-1], nn.Conv2d)
    assert transposed.start == (4, 3, 3) and isinstance(transposed.layers[-1], nn.ConvTranspose2d)
    assert plain(torch.randn(2, 16)).shape == transposed(torch.randn(2, 16)).shape == (2, 3, 10, 9)


@pytest.mark.parametrize(("output", "low"), [("sigmoid", 0.0), ("tanh", -1.0)])
def test_output_range(output, low):
    generator = build_generator(MlpGeneratorSettings(output=output), 16, (1, 8, 8), 0)
    images = generator(100 * torch.randn(50, 16))
    assert images.min() >= low and images.max() <= 1
    assert images.min() < low + 0.1 and images.max() > 0.9


def test_three_hidden_layers_need_batch_norm_unless_allowed():
    with pytest.raises(ValueError, match="batch_norm = true"):
        MlpSettings(hidden=(8, 8, 8))
    assert MlpSettings(hidden=(8, 8, 8), batch_norm=True)
    assert MlpSettings(hidden=(8, 8, 8), deep_without_batch_norm=True)


def test_a_partial_init_table_keeps_the_other_defaults_of_the_family():
    for family, (generator, discriminator, defaults) in FAMILIES.items():
        for settings in (generator, discriminator):
            whole, part = settings(**defaults).init, settings(**defaults, init={"biases": True}).init
            assert part == whole.model_copy(update={"biases": True}), family


# Batch normalisation


def test_batch_norm_equals_torch_in_training_mode_and_stores_nothing():
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


@pytest.mark.parametrize("family", ["mlp with batch norm", "dcgan", "subpixel"])
def test_an_image_does_not_depend_on_the_others_of_its_batch(family):
    generator, _ = players(family=family)
    z = torch.randn(50, 16)
    measure_batch_statistics(generator, lambda k: generator(torch.randn(64, 16)), batches=3)
    assert torch.allclose(generator(z)[:1], generator(z[:1]), atol=1e-6)


def test_the_discriminator_sees_the_colour_of_a_border_that_all_images_share():
    """Batch norm on the first layer would subtract it, and it would never be learned."""
    _, discriminator = players(hidden=(32, 16), batch_norm=True)
    images = torch.rand(20, 1, 28, 28)
    other = images.clone()
    images[:, :, 0], other[:, :, 0] = 0.0, 1.0
    assert not torch.allclose(discriminator(images).logits, discriminator(other).logits, atol=1e-3)


@pytest.mark.parametrize("shape", [(2, 3, 4, 6), (1, 1, 2, 2), (3, 8, 14, 14)], ids=str)
def test_space_to_depth_equals_torchs_up_to_channel_order_with_first_and_second_gradients(shape):
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    c = shape[1]
    order = torch.arange(4 * c).view(c, 4).T.flatten()  # torch: by channel, then pixel; here: by pixel, then channel
    theirs, ours = torch.nn.functional.pixel_unshuffle(x, 2)[:, order], SpaceToDepth()(x)
    assert ours.equal(theirs) and DepthToSpace()(ours).equal(x)
    weights = torch.randn_like(ours)
    grads = [torch.autograd.grad((y.pow(3) * weights).sum(), x, create_graph=True)[0] for y in (theirs, ours)]
    assert grads[0].equal(grads[1])
    second = [torch.autograd.grad(g.square().sum(), x)[0] for g in grads]
    assert second[0].allclose(second[1], rtol=1e-12)
    assert torch.autograd.gradcheck(DepthToSpace(), ours.detach().requires_grad_())


def test_subpixel_networks_keep_one_memory_layout_forward_and_backward():
    generator, discriminator = players(family="subpixel", classes=10, filters=8)
    mixed = []

    def check_layout(module, inputs, output):
        if isinstance(output, torch.Tensor) and output.ndim == 4 and output.shape[1] > 1:
            stride = output.stride()
            output.register_hook(
                lambda grad: None if grad.stride() == stride else mixed.append((type(module), grad.stride()))
            )

    for player in (generator, discriminator):
        for layer in player.modules():
            layer.register_forward_hook(check_layout)
    labels = torch.arange(16) % 10
    discriminator(generator(torch.randn(16, 16), labels), labels).logits.sum().backward()
    assert mixed == []


def test_minibatch_std_lets_a_subpixel_discriminator_detect_a_batch_of_equal_images():
    torch.manual_seed(0)
    images = torch.rand(6, 1, 28, 28)
    equal = images[:1].expand(6, -1, -1, -1)
    logits = {}
    for enabled in (False, True):
        settings = SubpixelDiscriminatorSettings(family="subpixel", filters=4, minibatch_std=enabled)
        discriminator = build_discriminator(settings, (1, 28, 28), 0)
        Init(scheme="normal", std=0.2).draw(discriminator, random_generator("test"))
        logits[enabled] = discriminator(images).logits[0], discriminator(equal).logits[0]
    assert torch.allclose(*logits[False], atol=1e-5)
    assert not torch.allclose(*logits[True], atol=1e-3)


def test_minibatch_discrimination_equals_a_slow_loop():
    torch.manual_seed(0)
    layer = MinibatchDiscrimination(6, kernels=4).double()
    features = torch.randn(7, 6, dtype=torch.float64)
    output = layer(features)
    m = (features @ layer.tensor.weight.T).view(7, 4, 5)
    for i in range(7):
        for b in range(4):
            expected = sum(torch.exp(-(m[i, b] - m[j, b]).abs().sum()) for j in range(7))
            assert torch.allclose(output[i, b], expected)
    assert torch.allclose(layer(features[:1].expand(7, -1)), torch.full((7, 4), 7.0, dtype=torch.float64))
    assert torch.autograd.gradcheck(layer, (features.requires_grad_(),))


@pytest.mark.parametrize("family", FAMILIES)
def test_minibatch_kernels_make_the_logits_depend_on_the_batch(family):
    torch.manual_seed(0)
    _, settings, fields = FAMILIES[family]
    images = torch.rand(6, 1, 28, 28)
    other_batch = torch.cat([images[:1], torch.rand(5, 1, 28, 28)])
    for kernels in (0, 8):
        plain = {"batch_norm": False} if "batch_norm" in settings.model_fields else {}
        chosen = settings(**{**fields, **plain}, minibatch_kernels=kernels)
        discriminator = build_discriminator(chosen, (1, 28, 28), 0)
        Init(scheme="normal", std=0.05).draw(discriminator, random_generator("test"))
        depends = not torch.allclose(discriminator(images).logits[0], discriminator(other_batch).logits[0], atol=1e-7)
        mixes = any(isinstance(layer, MIXING) for layer in discriminator.modules())
        assert depends == mixes
        assert mixes == bool(kernels) or family == "strided"
