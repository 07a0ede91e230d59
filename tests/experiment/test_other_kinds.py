import json

import numpy as np
import pytest
from scipy.io import wavfile

import ganforge
from ganforge.commands.main import main
from ganforge.data.kinds import Signals, Sound
from ganforge.data.load import load
from ganforge.errors import UserError
from ganforge.generation.generator import load_generator
from ganforge.judge.training import refuse_what_cannot_be_judged

SMALL = ["generator.filters=4", "discriminator.filters=4", "batch_size=4", "run.precision=fp32"]


def exit_code(arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "tones"
    folder.mkdir()
    for name, frequency in (("low", 300), ("high", 2000)):
        for number in range(6):
            time = np.arange(2400 + 100 * number) / 8000
            samples = 0.5 * np.sin(2 * np.pi * frequency * time)
            wavfile.write(folder / f"{name}_{number}.wav", 8000, (samples * 32_000).astype(np.int16))
    return folder


@pytest.fixture
def signals(tmp_path):
    waves = np.sin(np.linspace(0, 6, 24) + np.arange(20)[:, None]) * 7
    np.savez(tmp_path / "waves.npz", signals=waves, labels=np.arange(20) % 2)
    return tmp_path / "waves.npz"


def test_a_generator_of_sounds_writes_sounds(sounds, tmp_path):
    run = ganforge.train("forge-1", data=sounds, steps=1, out=tmp_path / "run", changes=SMALL)
    kind = Sound(rate=8000, hop=160, window=512)
    assert json.loads((run.folder / "run.json").read_text())["data"]["kind"] == kind.model_dump()
    assert load_generator(run).kind == kind
    assert exit_code(["sample", str(run.folder), "--n", "2", "--out", str(tmp_path / "two.wav")]) == 0
    rate, samples = wavfile.read(tmp_path / "two.wav")
    assert rate == 8000 and len(samples) == 2 * (kind.samples + 2000)
    assert ganforge.resume(run, steps=2).step == 2


def test_signals_get_their_default_recipe_and_come_out_in_their_units(signals, tmp_path):
    run = ganforge.train(data=signals, steps=1, out=tmp_path / "run", changes=SMALL)
    generator = load_generator(run)
    assert generator.recipe.name == "forge-signal" and isinstance(generator.kind, Signals)
    assert exit_code(["sample", str(run.folder), "--n", "4", "--out", str(tmp_path / "more.npz")]) == 0
    with np.load(tmp_path / "more.npz") as arrays:
        assert arrays["signals"].shape == (4, 1, 24) and arrays["labels"].tolist() == [0, 0, 1, 1]
        assert np.abs(arrays["signals"]).max() <= 7
    with pytest.raises(UserError, match="no judge reads signals"):
        refuse_what_cannot_be_judged(load(str(signals)))
    assert exit_code(["sample", str(run.folder), "--out", str(tmp_path / "a.wav")]) == 2
