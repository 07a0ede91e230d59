import pytest
import torch

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
