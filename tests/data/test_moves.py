import pytest
import torch

from conftest import small_images
from ganforge.data.images import scale
from ganforge.data.moves import BLOCK, MOVES, larger_moves, moved_pictures, small_moves, strong_moves
from ganforge.randomness import random_generator


@pytest.mark.parametrize("name", MOVES)
def test_moves_keep_shape_and_range_and_are_a_function_of_the_seed(name):
    pixels = scale(small_images(20).images, "0..1").expand(-1, 3, -1, -1)
    one, again, other = (MOVES[name](pixels, random_generator(seed)) for seed in (0, 0, 1))
    assert one.shape == pixels.shape and one.min() >= 0 and one.max() <= 1
    assert torch.equal(one, again) and not torch.equal(one, other) and not torch.equal(one, pixels)


def test_each_kind_of_moves_changes_more_than_the_one_before():
    pixels = scale(small_images(200).images, "0..1")
    kinds = (small_moves, larger_moves, strong_moves)
    small, larger, strong = ((move(pixels, random_generator(0)) - pixels).abs().mean() for move in kinds)
    assert strong > 1.5 * small > 0 and larger > 1.2 * small


def test_pictures_are_moved_in_blocks_and_the_arguments_determine_the_result():
    images = small_images(BLOCK + 1).images
    moved = moved_pictures(images, small_moves, 3, "a name")
    assert moved.shape == images.shape and moved.dtype == torch.uint8
    assert torch.equal(moved, moved_pictures(images, small_moves, 3, "a name"))
    assert torch.equal(moved[:BLOCK], moved_pictures(images[:BLOCK], small_moves, 3, "a name"))
    for other in (moved_pictures(images, small_moves, 4, "a name"), moved_pictures(images, small_moves, 3, "b")):
        assert not torch.equal(moved, other)


def test_only_colour_pictures_are_mirrored():
    ramp = torch.linspace(0, 1, 8).expand(100, 1, 8, 8)
    rising = (small_moves(ramp, random_generator(0)).diff(dim=3).mean((1, 2, 3)) > 0).float().mean()
    of_colour = (small_moves(ramp.expand(-1, 3, -1, -1), random_generator(0)).diff(dim=3).mean((1, 2, 3)) > 0).float()
    assert rising == 1 and 0.3 < of_colour.mean() < 0.7
