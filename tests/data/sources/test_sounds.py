import io
import math
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from ganforge.data.kinds import Sound
from ganforge.data.load import load
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.sources.decode_image import Unreadable
from ganforge.data.sources.sounds import decode_sound, full_scale, holds_sounds, read_sounds, trimmed
from ganforge.errors import UserError

SPOKEN = Path(os.environ.get("GANFORGE_DATA", "")) / "spoken-digits" / "recordings.zip"


def tone(frequency=400, seconds=0.3, rate=8000, loudness=0.5):
    time = np.arange(round(seconds * rate)) / rate
    return loudness * np.sin(2 * np.pi * frequency * time)


def wav(samples, rate=8000, dtype=np.int16):
    if dtype == np.uint8:
        samples = (samples * 127 + 128).astype(np.uint8)
    elif np.dtype(dtype).kind == "i":
        samples = (samples * np.iinfo(dtype).max).astype(dtype)
    buffer = io.BytesIO()
    wavfile.write(buffer, rate, samples.astype(dtype))
    return buffer.getvalue()


def wav_24(samples, rate=8000):
    """A WAV file of 24 bits, which scipy reads and cannot write."""
    whole = (samples * (2**23 - 1)).astype(np.int32)
    data = whole.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(data),
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        rate,
        rate * 3,
        3,
        24,
        b"data",
        len(data),
    )
    return header + data


@pytest.fixture
def folder(tmp_path):
    """Twelve sounds, six of each of two classes by name."""
    for name, frequency in (("low", 300), ("high", 2000)):
        for number in range(6):
            (tmp_path / f"{name}_{number}.wav").write_bytes(wav(tone(frequency * (1 + 0.02 * number))))
    return tmp_path


def test_sounds_become_pictures_with_classes_by_name_and_their_kind(folder):
    splits = load(str(folder))
    assert splits.train.shape == (1, 32, 32)
    assert splits.train.class_names == ("high", "low")
    assert splits.train.kind == splits.test.kind == Sound(rate=8000, hop=160, window=512)
    rows = [int(image[0, :, 16].argmax()) for image in splits.train.images[splits.train.labels == 1]]
    assert max(rows) > min(int(image[0, :, 16].argmax()) for image in splits.train.images[splits.train.labels == 0])


def test_a_zip_of_class_folders_is_read_alike(folder, tmp_path_factory):
    file = tmp_path_factory.mktemp("zip") / "set.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for sound in sorted(folder.iterdir()):
            archive.write(sound, f"{sound.name.split('_')[0]}/{sound.name}")
    read = read_sounds(file).train
    assert read.class_names == ("high", "low")
    assert torch.equal(read.images, read_sounds(folder).train.images)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.float64, "24 bits"])
def test_every_sample_format_gives_the_same_levels(dtype):
    samples = tone()
    content = wav_24(samples) if dtype == "24 bits" else wav(samples, dtype=dtype)
    rate, read = decode_sound(content, "a.wav")
    assert rate == 8000
    assert np.abs(read - samples).max() < (0.02 if dtype == np.uint8 else 1e-4)


def test_full_scale_by_hand():
    assert full_scale(np.array([0, 128, 255], np.uint8)).tolist() == [-1, 0, 127 / 128]
    assert full_scale(np.array([-32768, 16384], np.int16)).tolist() == [-1, 0.5]


def test_stereo_is_averaged_and_mixed_rates_are_resampled_to_the_lowest(folder):
    samples = tone(300, rate=16_000)
    (folder / "low_7.wav").write_bytes(wav(np.stack([samples, -samples + 0.4], 1), 16_000))
    (folder / "low_8.wav").write_bytes(wav(np.stack([samples, samples], 1), 16_000))
    raw = read_sounds(folder, ReadingRules(skip_bad=True))
    assert raw.train.kind.rate == 8000
    assert any("several channels" in note for note in raw.notes)
    assert any("resampled to 8,000 from 8,000, 16,000 Hz" in note for note in raw.notes)
    plain = read_sounds(folder).train.images[-1]
    assert plain.shape == (1, 32, 32)


def test_fast_sounds_are_resampled_to_16_khz(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.wav").write_bytes(wav(tone(rate=44_100), 44_100))
    assert read_sounds(tmp_path).train.kind == Sound(rate=16_000, hop=320, window=1024)


def test_long_sounds_are_cut_with_a_note_and_ends_are_trimmed(folder):
    (folder / "low_9.wav").write_bytes(wav(tone(300, seconds=2)))
    assert any("1 of 13 sounds are longer than 0.62 s" in note for note in read_sounds(folder).notes)
    silence = np.zeros(800)
    assert len(trimmed(np.concatenate([silence, tone(), silence]), 8000)) == 2400


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "a_1.wav", "no readable WAV"),
        (b"RIFF\0\0\0\0WAVEfmt ", "a_1.wav", "no readable WAV"),
        (wav(tone())[:30], "a_1.wav", "no readable WAV"),
        (wav(np.zeros(0)), "a_1.wav", "holds no sample"),
        (wav(np.zeros(4000)), "a_1.wav", "holds silence alone"),
        (wav(tone(seconds=0.02)), "a_1.wav", "is too short: 0.020 s"),
        (wav(np.full(4000, np.nan), dtype=np.float32), "a_1.wav", "not finite"),
        (wav(np.full(4000, np.inf), dtype=np.float32), "a_1.wav", "not finite"),
        (wav(tone(rate=2000), 2000), "a_1.wav", "has 2000 samples in a second"),
        (b"ID3\x04", "a_1.mp3", 'convert it: ffmpeg -i "a_1.mp3" "a_1.wav"'),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_bad_sound_gives_one_line_or_is_skipped(folder, content, name, message):
    (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=r"a_1\.") as error:
        load(str(folder))
    assert message in str(error.value) and "\n" not in str(error.value)
    splits = load(str(folder), rules=ReadingRules(skip_bad=True))
    assert "1 sounds could not be read and were skipped" in splits.notes


def test_flac_without_soundfile_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    with pytest.raises(Unreadable, match="pip install soundfile"):
        decode_sound(b"fLaC", "a.flac")


def test_a_single_sound_and_options_of_pictures_are_refused(folder):
    with pytest.raises(UserError, match="is a single sound; give the folder"):
        load(str(folder / "low_0.wav"))
    with pytest.raises(UserError, match="--resize: is for pictures"):
        load(str(folder), rules=ReadingRules(resize=32))


def test_pictures_hold_no_sounds(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.wav").write_bytes(b"")
    assert not holds_sounds(tmp_path) and not holds_sounds(tmp_path / "none.zip")


@pytest.mark.skipif(not SPOKEN.exists(), reason="the spoken digits are not on this machine")
def test_spoken_digits_have_the_classes_of_their_names():
    with zipfile.ZipFile(SPOKEN) as archive:
        name = archive.namelist()[0]
        rate, samples = decode_sound(archive.read(name), name)
    assert rate == 8000 and samples.ndim == 1 and math.isfinite(samples.sum()) and holds_sounds(SPOKEN)
