import numpy as np
import pytest
import torch
from scipy.io import wavfile

from ganforge.data.kinds import Signals, Sound
from ganforge.errors import UserError
from ganforge.generation.output import Drawing, check_target
from ganforge.generation.plots import HEIGHT, MARGIN, WIDTH, as_pictures

KIND = Sound(rate=8000, hop=160, window=512)


def spectra(count=3):
    images = torch.zeros(count, 1, 32, 32, dtype=torch.uint8)
    images[:, :, 20:22] = 255
    return Drawing(images, 3, "", kind=KIND)


def test_sounds_are_written_as_one_file_or_a_folder_or_arrays(tmp_path):
    drawing = spectra()
    drawing.write(tmp_path / "all.wav")
    rate, samples = wavfile.read(tmp_path / "all.wav")
    assert rate == 8000 and samples.dtype == np.int16 and len(samples) == 3 * (KIND.samples + 2000)
    assert np.abs(samples).max() < 32_000
    check_target(tmp_path / "folder", 3, KIND)
    drawing.write(tmp_path / "folder")
    assert sorted(file.name for file in (tmp_path / "folder").iterdir()) == ["00000.wav", "00001.wav", "00002.wav"]
    drawing.write(tmp_path / "all.npz")
    with np.load(tmp_path / "all.npz") as arrays:
        assert arrays["sounds"].shape == (3, KIND.samples) and int(arrays["rate"]) == 8000
    assert "0.0% clipped, 0.0% silent" in drawing.remark(tmp_path / "all.wav")
    assert drawing.content == "3 sounds" and drawing.remark(tmp_path / "all.npz") == ""


def test_pictures_are_no_sounds(tmp_path):
    for kind in (None, Signals(low=(0.0,), high=(1.0,))):
        with pytest.raises(UserError, match="makes no sounds"):
            check_target(tmp_path / "a.wav", 3, kind)


def test_signals_are_written_in_their_units_and_drawn_as_curves(tmp_path):
    kind = Signals(low=(-10.0, 0.0), high=(10.0, 2.0))
    images = torch.tensor([[[[0, 255, 0, 255]], [[255, 0, 255, 0]]]], dtype=torch.uint8).repeat(2, 1, 1, 4)
    drawing = Drawing(images, 2, "", kind=kind)
    drawing.write(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["signals"][0, :, :2].tolist() == [[-10, 10], [2, 0]]
    pictures = as_pictures(images, kind)
    assert pictures.shape == (2, 3, HEIGHT, WIDTH)
    grey = as_pictures(torch.full((1, 1, 1, 9), 255, dtype=torch.uint8), Signals(low=(0.0,), high=(1.0,)))
    assert grey.shape == (1, 1, HEIGHT, WIDTH) and bool(grey[0, 0, MARGIN, 1:-1].all()) and not grey[0, 0, 10:].any()
    assert drawing.sheet().size[0] > WIDTH
