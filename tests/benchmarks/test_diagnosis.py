import json
from dataclasses import replace

import pytest

from ganforge.benchmarks import diagnosis, spoiled_data
from ganforge.benchmarks.common import BenchmarkOptions
from ganforge.benchmarks.diagnosis import run_diagnosis
from ganforge.benchmarks.diagnosis_report import DiagnosisReport, Outcome, said_while_training
from ganforge.benchmarks.health import Health
from ganforge.benchmarks.patient_runs import Card
from ganforge.benchmarks.patients import Illness, Setting
from ganforge.diagnosis.case import Case, Facts, Signals
from ganforge.diagnosis.finding import Finding
from ganforge.errors import UserError

WELL = Health(10, 10, 0.99, 3.0, 0.5)


def outcome(planted="label-noise", findings=(), *, said=None, held_out=False, onset=0, health=None, severity="severe"):
    card = Card("illness", planted, ["mode-collapse"], "glyphs", severity, 0, held_out, 100, onset, False, health)
    return Outcome(f"{planted}-{severity}", card, tuple(findings), (), said or {})


def report(*outcomes):
    return DiagnosisReport("folder", "", outcomes)


def rows(*outcomes):
    made = report(*outcomes)
    return {row[:2]: dict(zip(made.header[2:], row[2:], strict=True)) for row in made.table()}


def test_a_patient_is_named_by_its_cause_or_an_accepted_name():
    assert outcome(findings=["narrow", "label-noise"]).named and outcome(findings=["mode-collapse"]).named
    assert not outcome(findings=["narrow"]).named and not outcome().named
    remarked = replace(outcome(), remarks=("label-noise",))
    assert remarked.named and remarked.remarked and not outcome(findings=["label-noise"]).remarked
    assert any("by a remark alone" in note for note in report(remarked).notes())


def test_the_first_step_is_a_share_of_the_run_after_the_onset():
    assert outcome(findings=["label-noise"], said={"label-noise": 25, "narrow": 1}).first_said == 0.25
    assert outcome(findings=["label-noise"], said={"label-noise": 60}, onset=20).first_said == 0.5
    assert outcome(findings=["label-noise"]).first_said == 1
    # an illness that is not named at the end was not named, whatever was said before
    assert outcome(said={"label-noise": 25}).first_said is None
    assert outcome(findings=["label-noise"], onset=None).first_said is None


def test_the_halves_are_counted_apart():
    well = outcome("healthy", health=WELL, onset=None)
    blamed = outcome("healthy", ["label-noise"], health=WELL, onset=None)
    table = rows(
        outcome(findings=["label-noise"], said={"label-noise": 10}),
        outcome(findings=["label-noise"]),
        outcome(),
        outcome(held_out=True),
        *[well] * 3,
        blamed,
    )
    tuned = table["tuning", "label-noise"]
    assert tuned["named"] == "2 of 3" and tuned["sensitivity"] == "67% (21–94)"
    assert tuned["blamed healthy runs"] == "1 of 4" and tuned["specificity"].startswith("75%")
    assert tuned["severe: within 25%"] == "1 of 3" and tuned["first said (median)"] == "0.55"
    assert table["held-out", "label-noise"]["named"] == "0 of 1"
    assert table["held-out", "all"]["specificity"] == "–" and table["tuning", "all"]["named"] == "2 of 3"


def test_a_training_that_did_not_become_healthy_counts_nowhere():
    failed = outcome("healthy", ["rough"], health=Health(10, 10, 0.5, 3.0, 0.5), onset=None)
    made = report(failed, outcome())
    assert made.table()[-1][4] == "0 of 0" and any("1 of 1 trainings" in note for note in made.notes())


def test_notes_name_who_was_missed_and_who_was_blamed():
    made = report(outcome(findings=["narrow"]), outcome("healthy", ["rough"], health=WELL, said={"rough": 5}))
    text = "\n".join(made.notes())
    assert "tuning, not named: label-noise-severe (narrow)" in text
    assert "healthy and blamed: healthy-severe (rough)" in text and "while it trained: healthy-severe" in text
    assert json.loads(json.dumps(made.to_dict()))["patients"][0]["named"] is False


def test_what_was_found_before_the_first_step_was_said_there():
    facts = Facts(recipe={}, class_names=(), n_train=9, shape=(1, 8, 8), steps_per_epoch=1)
    case = Case(facts=facts, signals=[Signals(step=5, seconds=1.0, n=9, features="random")])
    assert said_while_training(case) == {}
    before = (Finding("data-range", 1, "dark"), Finding("few-data", 0, "few"))
    known = Case(facts=Facts(**{**vars(facts), "before": before}), signals=case.signals)
    assert said_while_training(known) == {"data-range": 0}


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(spoiled_data, "MADE", {"train": 200, "validation": 60, "test": 120})
    setting = Setting("vanilla", 3, ("batch_size=20",), "dark", 1 / 12)
    monkeypatch.setattr(
        diagnosis, "ILLNESSES", (Illness("dark", "data-range", (), setting, setting, data=("glyphs",)),)
    )
    monkeypatch.setattr(diagnosis, "HEALTHY", ())


def test_a_quick_benchmark_makes_patients_once_and_names_the_spoiled_data(tiny, monkeypatch):
    options = BenchmarkOptions("diagnosis", quick=True, out="d")
    first = run_diagnosis(options)
    assert [one.name for one in first.outcomes] == ["dark-glyphs-severe-seed-0"] and "--quick" in first.shortened
    assert first.outcomes[0].named and first.outcomes[0].first_said == 0
    monkeypatch.setattr(diagnosis, "make_patient", None)
    assert run_diagnosis(options).to_dict() == first.to_dict()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": 5}, "--steps 5: each patient has its own"),
        ({"recipe": "cgan"}, "--recipe cgan: each patient has its own"),
        ({"data": ["mnst"]}, "--data mnst: did you mean mnist"),
        ({"only": ["darkk"]}, "--only darkk: did you mean dark"),
    ],
)
def test_options_that_fit_no_patient_are_refused(tiny, given, message):
    with pytest.raises(UserError, match=message):
        run_diagnosis(BenchmarkOptions("diagnosis", out="d", **given))
