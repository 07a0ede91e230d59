import json

import pytest
import torch

import ganforge.benchmarks.augmentation as bench
from conftest import small_images
from ganforge.applications import augment_sets as sets
from ganforge.benchmarks.augmentation import RARE, SETTINGS, Trial
from ganforge.benchmarks.common import BenchmarkOptions
from ganforge.data.images import Splits
from ganforge.errors import UserError


def run(**options):
    return bench.run_augmentation(BenchmarkOptions("augment", **options))


def trial(**changes):
    values = {
        **{"setting": "mnist-50", "draw": 0, "network": "LeNet", "chosen": "small moves", "validation": {}},
        **{"test": {"nothing": 0.2, "small moves": 0.1}, "regret": 0.01, "allowed": 0.02},
        "beside_nothing": {"nothing": (0, 0, 0), "small moves": (-0.1, -0.2, 0)},
        **{"steps": 1, "generator_steps": 1},
    }
    return Trial(**values | changes)


def test_a_trial_is_measured_kept_and_reported(monkeypatch, no_verdict):
    splits = Splits(small_images(60, seed=1), small_images(40, seed=2), small_images(40, seed=3))
    monkeypatch.setattr(bench, "load", lambda name: splits)
    monkeypatch.setitem(SETTINGS, "glyphs-100", bench.Setting("digits", 12))
    monkeypatch.setattr(bench, "QUICK_GENERATOR_STEPS", 1)
    monkeypatch.setattr(sets, "ENOUGH", 48)
    report = run(quick=True, steps=1, out="bench")
    (result,) = report.trials
    assert result.setting == "glyphs-100" and result.regret >= 0 and len(result.test) == 9
    assert min(result.test.values()) == pytest.approx(result.test[result.chosen] - result.regret, abs=1e-6)
    assert len(report.table()) == 9 and "of 1 trial" in report.notes()[0]
    assert json.loads(json.dumps(report.to_dict()))["trials"][0]["chosen"] == result.chosen
    file = next(report.folder.glob("glyphs-*.json"))
    file.write_text(file.read_text().replace(f'"chosen": "{result.chosen}"', '"chosen": "kept"'))
    assert run(quick=True, steps=1, out="bench").trials[0].chosen == "kept"


def test_a_choice_is_right_within_twice_the_standard_error():
    assert trial().is_right and not trial(regret=0.03).is_right
    report = bench.AugmentReport((trial(), trial(draw=1, regret=0.03, chosen="nothing")), bench.Path("x"), False)
    assert report.notes()[0].startswith("right choices: 1 of 2 trials")
    assert [row[-1] for row in report.table()] == ["1 of 2", "1 of 2"]
    assert report.table()[1][4] == "-10.0 points, -10.0 to -10.0"  # equal in both draws
    assert bench.AugmentReport((trial(),), bench.Path("x"), True).table()[1][4] == "-10.0 points, -20.0 to +0.0"


def test_an_option_that_some_trials_lack_is_shown_for_the_others():
    more = trial(
        draw=1,
        test={"nothing": 0.2, "small moves": 0.1, "GAN alone": 0.3},
        beside_nothing={"nothing": (0, 0, 0), "small moves": (-0.1, -0.2, 0), "GAN alone": (0.1, 0, 0.2)},
    )
    rows = bench.AugmentReport((trial(), more), bench.Path("x"), False).table()
    assert [row[2] for row in rows] == ["nothing", "small moves", "GAN alone"] and rows[2][3] == "30.00%"


def test_three_classes_are_rare():
    splits = Splits(*(small_images(6000, classes=10, seed=seed) for seed in (1, 2, 3)))
    parts = SETTINGS["mnist-rare"].parts(splits, 0)
    assert parts.unlabelled is None
    counts = torch.bincount(parts.labelled.labels).tolist()
    assert [number for number, count in enumerate(counts) if count == 20] == list(RARE) and max(counts) == 500


def test_an_unknown_setting_is_refused():
    with pytest.raises(UserError, match="--only mnist-51: did you mean mnist-50"):
        run(only=["mnist-51"], out="bench")
