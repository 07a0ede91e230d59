import pytest
import torch

import weak_digits
from ganforge.applications.probe import probe
from ganforge.benchmarks import weaknesses
from ganforge.benchmarks.common import BenchmarkOptions
from ganforge.benchmarks.plantings import PLANTINGS
from ganforge.benchmarks.weaknesses import (
    HIDDEN,
    Protocol,
    Trial,
    WeaknessReport,
    is_hole,
    is_named,
    names,
    run_weaknesses,
)
from ganforge.data.traits import measured_traits
from ganforge.errors import UserError
from ganforge.evaluation.user_classifier import of_callable

TINY = Protocol(plantings=1, seeds=1, pictures=400, epochs=1, budget=200, steps=2)


@pytest.fixture
def drawn_digits(monkeypatch):
    monkeypatch.setattr(weaknesses, "load", lambda _: weak_digits.splits())
    monkeypatch.setattr(weaknesses, "load_generator", lambda _: weak_digits.generator())
    monkeypatch.setattr(weaknesses, "readers_of", lambda _: weak_digits.readers())
    monkeypatch.setattr(weaknesses, "QUICK", TINY)


@pytest.mark.parametrize("kind", [kind for kind in PLANTINGS if kind != "scanner-row"])
def test_a_part_of_four_classes_is_hidden(kind):
    splits = weak_digits.splits()
    planting = PLANTINGS[kind](splits.train, splits.test, 0)
    assert len(planting.classes) == 4
    assert set(splits.train.labels[planting.train].tolist()) == set(planting.classes)
    assert 0.01 < planting.train.float().mean() < 0.25
    if planting.trait:
        own = splits.train.labels == planting.classes[0]
        values = torch.from_numpy(measured_traits(splits.train.images)[planting.trait])
        assert values[own & planting.train].min() > values[own & ~planting.train].max()


def test_a_broken_row_is_shown_in_six_classes_and_tested_in_four():
    splits = weak_digits.splits()
    planting = PLANTINGS["scanner-row"](splits.train, splits.test, 0)
    kept, hidden = planting.kept(splits.train), planting.hidden(splits.test)
    changed = (kept.images != splits.train.images).flatten(1).any(1)
    assert torch.equal(changed, planting.corrupted) and 0.2 < changed.float().mean() < 0.4
    assert not set(kept.labels[changed].tolist()) & set(planting.classes) and len(kept) == len(splits.train)
    assert set(hidden.labels.tolist()) == set(planting.classes)
    bright = (hidden.images == 255).all(3).any(2).flatten()
    assert bright.all()


def test_a_classifier_that_takes_a_bright_row_for_a_class_is_named(drawn_digits):
    planting = PLANTINGS["scanner-row"](weak_digits.splits().train, weak_digits.splits().test, 0)
    weak, other = planting.classes[0], next(k for k in range(10) if k not in planting.classes)

    def reads_the_row(pixels):
        predicted = weak_digits.readers().judge.network(pixels).argmax(1)
        bright = (pixels > 0.999).all(3).any(2).flatten()
        return torch.where(bright & (predicted == weak), other, predicted)

    classifier, splits = of_callable("row", reads_the_row), weak_digits.splits()
    result = probe(classifier, weak_digits.generator(), weak_digits.readers(), splits, budget=4000)
    own = splits.train.labels == weak
    assert names(result, planting, splits, own, weak)
    assert not names(result, planting, splits, splits.train.labels == planting.classes[1], planting.classes[1])


def test_a_trial_is_measured_once(drawn_digits):
    options = BenchmarkOptions("weaknesses", quick=True, out="w")
    report = run_weaknesses(options)
    assert len(report.trials) == 1 and "--quick" in report.shortened
    trial = report.trials[0]
    assert {HIDDEN, "test"} <= set(trial.errors["before"])
    assert report.table()[0][1] == "before" and not report.to_dict()["is_protocol"]
    assert run_weaknesses(options).trials == report.trials


def test_a_planted_row_is_probed_and_not_cured(drawn_digits):
    report = run_weaknesses(BenchmarkOptions("weaknesses", only=["scanner-row"], quick=True, out="r"))
    assert set(report.trials[0].errors) == {"before"} and len(report.table()) == 1


def test_a_planting_is_named_by_most_of_its_holes():
    trial = Trial("style", 0, 0, 3, 4, 4, 5, {"before": {HIDDEN: 0.1, "test": 0.01}})
    assert is_named(trial) and not is_named(Trial("style", 0, 0, 2, 4, 4, 5, {}))
    without_a_hole = Trial("style", 1, 0, 0, 0, 4, 5, {"before": {HIDDEN: 0.01, "test": 0.01}})
    assert not is_named(without_a_hole)
    notes = WeaknessReport("w", "", (trial, without_a_hole)).notes()
    assert "named in 1 of 1 trial (3 of 4 holes, of 8 hidden parts)" in notes[0]


def test_a_hidden_part_that_is_read_nevertheless_is_no_hole():
    splits = weak_digits.splits()
    planting = PLANTINGS["style"](splits.train, splits.test, 0)
    label = planting.classes[0]

    def answers(wrong):
        def classify(pixels):
            rows = [
                int((splits.test.images == image).flatten(1).all(1).nonzero()[0, 0])
                for image in (pixels * 255).round().byte()
            ]
            labels = splits.test.labels[torch.tensor(rows)].clone()
            labels[wrong[torch.tensor(rows)]] = (label + 1) % 10
            return labels

        return of_callable("reader", classify)

    hidden = planting.test & (splits.test.labels == label)
    assert is_hole(answers(hidden), planting, splits.test, label)
    assert not is_hole(answers(hidden & False), planting, splits.test, label)
    assert not is_hole(answers(splits.test.labels == label), planting, splits.test, label)


def test_an_unknown_planting_is_refused():
    with pytest.raises(UserError, match="--only thicknes: did you mean thickness"):
        run_weaknesses(BenchmarkOptions("weaknesses", only=["thicknes"]))
