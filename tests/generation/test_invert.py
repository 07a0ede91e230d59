import pytest
import torch

import ganforge
from conftest import needs_mnist
from ganforge.data.load import load
from ganforge.errors import UserError
from ganforge.generation.invert import invert
from ganforge.judge.shipped import load_judge


@pytest.fixture(scope="module")
def generator():
    return ganforge.load("mnist")


def test_pictures_of_the_generator_are_found_again(generator):
    pictures = generator.sample(labels=[3, 7], seed=5)
    found = invert(generator, pictures)
    psnr = 10 * torch.log10(255**2 / found.error[:, 0])
    assert psnr.min() > 20
    assert load_judge().look(found.images[:, 0]).classes.tolist() == [3, 7]
    assert torch.equal(found.images[:, 0], generator.draw(found.latent[:, 0], found.condition[:, 0]))
    assert (found.error.diff(dim=1) >= 0).all()


def test_only_visible_pixels_count(generator):
    picture = generator.sample(labels=[4], seed=1)
    visible = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    visible[..., :14, :] = True
    other = picture.clone()
    other[..., 14:, :] = 255 - other[..., 14:, :]
    first, second = (invert(generator, one, visible=visible, steps=10, starts=2) for one in (picture, other))
    assert torch.equal(first.latent, second.latent)


def test_descent_comes_nearer_than_the_start(generator):
    picture = generator.sample(labels=[8], seed=9)
    before, after = (invert(generator, picture, steps=steps, starts=2).error[0, 0] for steps in (0, 40))
    assert after < 0.8 * before


def test_other_shapes_are_refused(generator):
    with pytest.raises(UserError, match="the generator draws 1×28×28"):
        invert(generator, torch.zeros(1, 1, 20, 20, dtype=torch.uint8))


@pytest.mark.slow
@needs_mnist
def test_real_digits_are_found(generator):
    digits = load("mnist").validation.select(slice(0, 12))
    found = invert(generator, digits.images)
    assert (10 * torch.log10(255**2 / found.error[:, 0])).mean() > 20
