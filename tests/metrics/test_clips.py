import numpy as np
import pytest

from ganforge.metrics.clips import frame_error, frame_ssim, sharpness


def test_the_error_is_summed_over_a_frame():
    real = np.zeros((2, 3, 1, 8, 8), np.uint8)
    fake = real.copy()
    fake[0, 1] = 255
    fake[1, 2, 0, 0, :2] = 51
    np.testing.assert_allclose(frame_error(real, fake), [[0, 64, 0], [0, 0, 2 * 0.04]])
    with pytest.raises(ValueError, match="equal shapes"):
        frame_error(real, fake[:1])


def test_ssim_is_that_of_scikit_image_without_further_settings():
    from skimage.metrics import structural_similarity

    real, fake = np.random.default_rng(0).integers(0, 256, (2, 2, 3, 1, 12, 12)).astype(np.uint8)
    similarity = frame_ssim(real, fake)
    assert similarity[1, 2] == pytest.approx(structural_similarity(real[1, 2, 0], fake[1, 2, 0]))
    assert frame_ssim(real, real).min() == pytest.approx(1)


def test_sharpness_by_hand():
    step = np.zeros((1, 1, 3, 3), np.uint8)
    step[..., 2] = 255
    assert sharpness(step) == pytest.approx(0.5)  # one of two neighbours differs by 1
    diagonal = np.array([[[[0, 255], [255, 255]]]], np.uint8)
    assert sharpness(diagonal) == pytest.approx(2**0.5)
    assert sharpness(np.full((2, 3, 4, 4), 9, np.uint8)) == 0
