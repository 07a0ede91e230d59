import pytest
import torch

from conftest import small_images
from ganforge.data.images import scale
from ganforge.data.moves import MOVES, small_moves, strong_moves
from ganforge.randomness import random_generator


@pytest.mark.parametrize("name", MOVES)
def test_moves_keep_shape_and_range_and_are_a_function_of_the_seed(name):
    pixels = scale(small_images(20).images, "0..1").expand(-1, 3, -1, -1)
    one, again, other = (MOVES[name](pixels, random_generator(seed)) for seed in (0, 0, 1))
    assert one.shape == pixels.shape and one.min() >= 0 and one.max() <= 1
    assert torch.equal(one, again) and not torch.equal(one, other) and not torch.equal(one, pixels)


def test_strong_moves_change_more_than_small_ones():
    pixels = scale(small_images(200).images, "0..1")
    small, strong = (move(pixels, random_generator(0)) for move in (small_moves, strong_moves))
    assert (strong - pixels).abs().mean() > 1.5 * (small - pixels).abs().mean() > 0


def test_only_colour_pictures_are_mirrored():
    ramp = torch.linspace(0, 1, 8).expand(100, 1, 8, 8)
    rising = (small_moves(ramp, random_generator(0)).diff(dim=3).mean((1, 2, 3)) > 0).float().mean()
    of_colour = (small_moves(ramp.expand(-1, 3, -1, -1), random_generator(0)).diff(dim=3).mean((1, 2, 3)) > 0).float()
    assert rising == 1 and 0.3 < of_colour.mean() < 0.7
