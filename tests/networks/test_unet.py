import pytest
import torch
from torch import nn

from ganforge.networks.consistency import KnownPixels
from ganforge.networks.unet import UnetGenerator, UnetGeneratorSettings


def unet(shape=(1, 28, 28), condition_channels=2, consistency=None, **changes):
    settings = UnetGeneratorSettings(**({"family": "unet", "filters": 8} | changes))
    network = UnetGenerator(settings, 6, shape, condition_channels, consistency)
    settings.init.draw(network, torch.Generator().manual_seed(0))
    return network.double()


def inputs(shape, channels, n=4):
    random = torch.Generator().manual_seed(2)
    draw = [torch.rand(n, *size, generator=random, dtype=torch.float64) for size in ((6,), (channels, *shape[1:]))]
    return draw[0] * 2 - 1, draw[1]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 9, 21), (3, 64, 64)])
@pytest.mark.parametrize("halvings", [1, 2])
def test_pictures_have_their_shape_and_range(shape, halvings):
    latent, condition = inputs(shape, 2)
    pictures = unet(shape, halvings=halvings)(latent, condition)
    assert pictures.shape == (4, *shape)
    assert pictures.min() >= 0
    assert pictures.max() <= 1


def test_a_result_does_not_depend_on_its_neighbours():
    network, (latent, condition) = unet(), inputs((1, 28, 28), 2)
    assert torch.allclose(network(latent, condition)[:2], network(latent[:2], condition[:2]), atol=1e-12)


def test_latent_and_condition_both_matter():
    network, (latent, condition) = unet(), inputs((1, 28, 28), 2)
    picture = network(latent, condition)
    assert (picture - network(latent.flip(0), condition)).abs().max() > 1e-3
    assert (picture - network(latent, condition.flip(0))).abs().max() > 1e-3


def test_the_projection_is_applied_last():
    latent, condition = inputs((1, 28, 28), 2)
    condition[:, 1] = 0
    assert torch.equal(unet(consistency=KnownPixels())(latent, condition), condition[:, :1])


def let_layers_average(network):
    """Set all weights so that every layer returns the mean of its inputs: equal pixels stay equal, where taps are."""
    for weight in network.parameters():
        nn.init.constant_(weight, 1 / weight[0].numel() if weight.ndim > 1 else 0)
    return network


@pytest.mark.parametrize("halvings", [1, 2])
def test_every_pixel_has_equally_many_kernel_taps(halvings):
    """Otherwise results have a checkerboard, as those of a transposed convolution of width 3 (Odena et al. 2016)."""
    condition = torch.full((1, 1, 128, 128), 0.8, dtype=torch.float64)
    middle = slice(60, 68), slice(60, 68)  # out of reach of the padding
    network = let_layers_average(unet((1, 128, 128), 1, halvings=halvings))
    pixels = network(torch.zeros(1, 6, dtype=torch.float64), condition)[0, 0][middle]
    assert 0.1 < pixels.mean() < 0.9  # not clamped
    assert pixels.std() < 1e-12
    transposed = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ConvTranspose2d(8, 1, 3, 2, 1, 1)).double()
    assert let_layers_average(transposed)(condition)[0, 0][middle].std() > 0.1
