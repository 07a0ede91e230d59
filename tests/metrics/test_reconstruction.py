import numpy as np
import pytest
import torch

from ganforge.metrics import relative_mse, sharpness
from ganforge.metrics.reconstruction import laplacian

RANDOM = np.random.default_rng(0)


def test_the_laplacian_by_hand():
    image = np.array([[[[0, 1, 0, 0], [2, 10, 5, 0], [0, 3, 4, 0]]]])
    assert laplacian(image).tolist() == [[[[40 - 1 - 3 - 2 - 5, 20 - 0 - 4 - 10 - 0]]]]
    slope = np.add.outer(3.0 * np.arange(6), 2.0 * np.arange(7))[None, None]
    assert np.abs(laplacian(slope)).max() == 0


def blurred(images):
    return (images + np.roll(images, 1, 2) + np.roll(images, 1, 3) + np.roll(images, (1, 1), (2, 3))) / 4


def test_sharpness_is_a_ratio_that_blur_lowers_and_noise_raises():
    real = np.zeros((5, 1, 12, 12))
    real[:, :, 4:8, 3:9] = 255
    assert sharpness(real, real[:2]) == pytest.approx(1)
    assert sharpness(real, real / 2) == pytest.approx(0.5)
    assert sharpness(real, 255 - real) == pytest.approx(1)
    assert sharpness(real, blurred(real)) < 0.8
    assert sharpness(real, blurred(blurred(real))) < sharpness(real, blurred(real))
    assert sharpness(real, real + RANDOM.normal(0, 30, real.shape)) > 1.2
    assert sharpness(real, np.full_like(real, 7)) == 0
    assert np.isnan(sharpness(np.full_like(real, 7), real))


def test_unsigned_bytes_do_not_wrap():
    real = torch.zeros(2, 1, 5, 5, dtype=torch.uint8)
    real[:, :, 2, 2] = 255
    assert sharpness(real, real.double()) == 1
    assert relative_mse(torch.tensor([[0], [255]], dtype=torch.uint8), torch.tensor([[255], [0]])) == 4


def test_relative_mse():
    real = RANDOM.normal(3, 2, (200, 4, 5))
    assert relative_mse(real, real) == 0
    assert relative_mse(real, np.broadcast_to(real.mean(0), real.shape)) == pytest.approx(1)
    half = real.mean(0) + 0.5 * (real - real.mean(0))
    assert relative_mse(real, half) == pytest.approx(0.25)
    assert relative_mse(real, real[::-1]) > 1.5  # reconstructions of other images
    assert np.isnan(relative_mse(np.ones((3, 2)), np.zeros((3, 2))))


@pytest.mark.parametrize(
    "call",
    [
        lambda: relative_mse(np.ones((3, 2)), np.ones((4, 2))),
        lambda: relative_mse(np.ones((1, 2)), np.ones((1, 2))),
        lambda: relative_mse(np.array([[1.0], [np.nan]]), np.ones((2, 1))),
        lambda: sharpness(np.ones((3, 1, 2, 8)), np.ones((3, 1, 2, 8))),
        lambda: sharpness(np.ones((3, 8, 8)), np.ones((3, 8, 8))),
    ],
)
def test_invalid_input_is_rejected(call):
    with pytest.raises(ValueError):  # noqa: PT011
        call()
