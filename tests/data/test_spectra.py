import numpy as np
import pytest
import torch

from ganforge.data.kinds import Sound
from ganforge.data.spectra import LOUDNESS, PEAK, even_loudness, to_pictures, to_sounds
from ganforge.metrics.loudness import loudness

KIND = Sound(rate=8000, hop=160, window=512)


def tones(*frequencies):
    time = torch.arange(KIND.samples) / KIND.rate
    return torch.stack([0.5 * torch.sin(2 * torch.pi * f * time) for f in frequencies])


def test_a_tone_is_a_line_at_its_mel_band_and_a_higher_tone_lies_above():
    pictures = to_pictures(tones(300, 1000, 3000), KIND)
    assert pictures.shape == (3, 1, 32, 32) and pictures.dtype == torch.uint8
    rows = pictures[:, 0, :, 16].argmax(1)
    bands = 2595 * np.log10(1 + np.array([300, 1000, 3000]) / 700) / (2595 * np.log10(1 + 4000 / 700)) * 33 - 1
    assert np.abs((31 - rows.numpy()) - bands).max() <= 1
    assert (pictures.amax((1, 2, 3)) == 255).all()


def test_silence_is_black_and_comes_back_as_silence():
    assert not to_pictures(torch.zeros(2, KIND.samples), KIND).any()
    assert not to_sounds(torch.zeros(2, 1, 32, 32, dtype=torch.uint8), KIND).any()


def test_loudness_is_not_in_the_picture():
    assert torch.equal(to_pictures(tones(500), KIND), to_pictures(0.01 * tones(500), KIND))


def test_the_way_back_and_forth_keeps_a_picture_and_the_same_seed_gives_the_same_sound():
    pictures = to_pictures(tones(300, 1000, 3000), KIND)
    sounds = to_sounds(pictures, KIND)
    assert (to_pictures(sounds, KIND).float() - pictures.float()).abs().mean() < 12
    assert torch.equal(sounds, to_sounds(pictures, KIND))
    assert not torch.equal(sounds, to_sounds(pictures, KIND, seed=1))
    measured = loudness(sounds)
    assert measured.clipped == measured.silent == 0 and measured.peak <= PEAK + 1e-6


def test_even_loudness_by_hand():
    sounds = even_loudness(torch.tensor([[1.0, -1.0, 1.0, -1.0], [0.0, 0.0, 0.0, 0.0]]))
    assert sounds[0].tolist() == pytest.approx([LOUDNESS, -LOUDNESS, LOUDNESS, -LOUDNESS])
    assert not sounds[1].any()
    click = even_loudness(torch.nn.functional.one_hot(torch.tensor([3]), 4000).float())
    assert float(click.abs().max()) == pytest.approx(PEAK)
