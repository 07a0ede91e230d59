"""Each finding appears in a run that has its fault, and in no healthy one."""

from dataclasses import replace

import pytest

from diagnosis_cases import (
    EVEN_LINE,
    FACTS,
    LOST_LINE,
    MEASURED,
    examination,
    examinations,
    examined,
    judged,
    log,
)
from ganforge.diagnosis import diagnose as module
from ganforge.diagnosis.case import Case
from ganforge.diagnosis.diagnose import AT_THE_END, CHECKS, EXPLAINS, FOLLOWS, diagnose
from ganforge.diagnosis.finding import NAMES, Finding
from ganforge.diagnosis.moments import current, moments, until
from ganforge.experiment.verdict import Verdict

FAR = {"frechet_distance": 5.0}
LOST = log(LOST_LINE)
GUESSING = log({**EVEN_LINE, "real_logit": 0.01, "fake_logit": 0.0, "d_real": 0.5, "d_fake": 0.5})
COPIED = log({"encoder_loss": 60.0, "generator_loss": 60.0})
DRAWN = log({"encoder_loss": 100.0, "generator_loss": 75.0, "kl": 25.0})
SILENT = log({"encoder_loss": 100.0, "generator_loss": 75.0, "kl": 0.1})
NOTED = Finding("few-data", 1, "there are few pictures", "add pictures")


def names(case):
    return [finding.name for finding in diagnose(case)]


def at(index, value, others=0.9):
    return [others] * index + [value] + [others] * (9 - index)


def before(name):
    return replace(FACTS, before=(replace(NOTED, name=name),))


SICK = {
    "mode-collapse": [
        judged(total_spread=0.001, within_class_spread=None),
        judged(within_class_spread=0.01),
        examined(spread=lambda step: 0.9 if step < 1000 else 0.01),
        Case(facts=FACTS, log=log({**EVEN_LINE, "fake_spread": 0.1})),
    ],
    "class-collapse": [
        judged(class_spread=at(4, 0.01)),
        judged(class_recall=at(4, 0.3)),
        examined(class_spread=tuple(at(4, 0.01))),
    ],
    "missing-classes": [
        judged(class_shares=[0.0, 0.02] + [0.12] * 8, classes_present=8),
        examined(class_shares=(0.0, 0.01) + (0.12,) * 8),
    ],
    "narrow": [
        judged(within_class_spread=0.5, class_spread=[0.5] * 10),
        examined(class_spread=(0.3,) * 10, recall=0.4),
        examined(class_spread=(), class_shares=(), spread=0.5, recall=None),
    ],
    "repetition": [examined(repetition=0.5)],
    "discriminator-won": [judged(LOST, **FAR), examined(LOST, frechet=50.0)],
    "discriminator-weak": [judged(GUESSING, frechet_distance=9.0), examined(GUESSING, frechet=90.0)],
    "discriminator-overfits": [
        examined(logit_held_out=-0.4, recall=lambda step: 0.9 if step < 1000 else 0.4),
        examined(logit_held_out=-0.4, nearer_to_training=0.9, copying_p=1e-9),
    ],
    "label-ignored": [judged(label_agreement=0.11), judged(label_agreement=0.7), examined(label_agreement=0.12)],
    "label-noise": [
        examined(agreement_on_real=0.1),
        judged(facts=before("label-noise")),
        judged(agreement_on_real=0.5, label_agreement=0.45),
    ],
    "memorising": [examined(nearer_to_training=0.9, copying_p=1e-9)],
    "oscillating": [
        examined(change=1.2),
        judged([{**line, "fake_spread": 5.0 + 30.0 * (k % 2)} for k, line in enumerate(log())]),
        examined(class_shares=lambda step: (0.8, 0.2) if step % 400 else (0.2, 0.8), real_class_shares=(0.5, 0.5)),
    ],
    "unstable": [
        judged(total_spread=4.0),
        examined(weight_norm=lambda step: {"generator": step**2 / 1000.0}),
        judged(log({**EVEN_LINE, "real_logit": 90.0, "fake_logit": -60.0}), **FAR),
    ],
    "diverged": [judged(facts=replace(FACTS, status="diverged"))],
    "undertrained": [
        judged(confident=0.1),
        judged(log(last=50), **FAR),
        examined(log(last=90), last=90, recall=0.6),
        examined(frechet=lambda step: 40_000 / step),
        judged(log(last=50), total_spread=0.0, within_class_spread=None),
    ],
    "plateau": [examined(frechet=lambda step: 10.0)],
    "rough": [judged(frechet_distance=9.0), examined(frechet=20.0, count=3)],
    "noise-ignored": [examined(draws_spread=0.001)],
    "posterior-collapse": [judged(SILENT, total_spread=0.001, within_class_spread=None)],
    "few-data": [examined(facts=before("few-data"), nearer_to_training=0.9, copying_p=1e-9)],
    "recipe": [judged(facts=before("recipe"), confident=0.1)],
    "data-range": [judged(facts=before("data-range"))],
    "data-polarity": [judged(facts=before("data-polarity"))],
    "data-duplicates": [judged(facts=before("data-duplicates"))],
    "data-classes": [judged(facts=before("data-classes"))],
    "learning": [judged(frechet_distance=0.6), examined(frechet=8.0, frechet_real_reference=1.0, count=3)],
    "never-drew": [judged(COPIED, confident=0.1, classes_present=0, total_spread=0.01)],
    "healthy": [judged(), judged([]), judged(COPIED), judged(DRAWN), examined(), judged(label_agreement=0.97)],
}


def test_every_name_has_a_patient():
    assert set(SICK) == set(NAMES)
    assert set(CHECKS) | set(AT_THE_END) <= set(NAMES)


@pytest.mark.parametrize(("name", "case"), [(name, case) for name, cases in SICK.items() for case in cases])
def test_each_finding_is_found_in_its_patient(name, case):
    found = {finding.name: finding for finding in diagnose(case)}
    assert name in found
    assert found[name].text and (found[name].remedy or name in ("healthy",))
    assert (found[name].severity == 0) == (name in ("healthy", "learning"))


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("case", SICK["healthy"])
def test_each_check_is_silent_on_healthy_runs(name, case):
    assert CHECKS[name](case) is None


@pytest.mark.parametrize("case", [case for cases in SICK.values() for case in cases])
def test_a_run_that_is_not_healthy_is_not_called_so(case):
    found = names(case)
    assert found == ["healthy"] or "healthy" not in found


def test_a_judge_that_is_unsure_of_the_reals_does_not_accuse_their_labels():
    assert "label-noise" not in names(judged(agreement_on_real=0.5, confident_on_real=0.6))


def test_codes_that_carry_more_and_more_have_not_collapsed():
    lines = [{**line, "kl": 0.4 * line["step"] / 2000} for line in SILENT]
    assert "posterior-collapse" not in names(judged(lines, total_spread=0.2, within_class_spread=None))


def test_findings_are_explained():
    for name, cases in SICK.items():
        for finding in diagnose(cases[0]):
            if finding.name == name and name not in {f.name for f in cases[0].facts.before}:
                assert finding.cause and finding.reconsider
                assert finding.evidence or name == "diverged"


def test_the_tables_of_causes_name_findings_and_have_no_circle():
    for table in (FOLLOWS, EXPLAINS):
        assert set(table) | {name for names in table.values() for name in names} <= set(NAMES)
    both = {name: {*FOLLOWS.get(name, ()), *EXPLAINS.get(name, ())} for name in NAMES}

    def reached(name, path=()):
        assert name not in path, (*path, name)
        for consequence in both[name]:
            reached(consequence, (*path, name))

    for name in NAMES:
        reached(name)


def test_a_cause_stands_before_its_consequences_and_names_them():
    found = diagnose(judged(LOST, total_spread=0.0, within_class_spread=None, label_agreement=0.1, **FAR))
    assert [finding.name for finding in found] == ["discriminator-won", "mode-collapse"]
    assert found[0].text.endswith("(this explains: mode collapse)")
    found = diagnose(judged(LOST, label_agreement=0.1, confident=0.1, **FAR))
    assert [finding.name for finding in found] == ["discriminator-won", "label-ignored"]


def test_a_mild_cause_found_before_step_1_stands_before_its_grave_consequence():
    case = examined(nearer_to_training=0.95, copying_p=1e-9, repetition=0.5, facts=before("few-data"))
    assert names(case) == ["few-data", "memorising"]


def test_a_prediction_that_did_not_come_true_is_a_mere_remark():
    found = diagnose(judged(facts=before("few-data")))
    assert [(finding.name, finding.severity) for finding in found] == [("healthy", 0), ("few-data", 0)]
    assert names(judged(facts=before("data-range"))) == ["data-range"], "seen, not foretold"


def test_a_collapse_leaves_out_what_follows_of_necessity():
    assert names(judged(total_spread=0.0, within_class_spread=None, confident=0.0, label_agreement=0.1)) == [
        "mode-collapse"
    ]


def test_since_is_the_first_examination_of_the_last_unbroken_stretch():
    late = examined(repetition=lambda step: 0.5 if step in (200, 400) or step >= 1200 else 0.01)
    assert {finding.name: finding.since for finding in diagnose(late)} == {"repetition": 1200}
    (judged_only,) = diagnose(judged(label_agreement=0.11, signals=examinations()))
    assert judged_only.since is None


def test_a_run_that_still_trains_is_not_called_healthy_or_too_short():
    running = replace(FACTS, status="running")
    assert names(examined(facts=running)) == ["learning"]
    assert "undertrained" not in names(examined(facts=running, frechet=lambda step: 40_000 / step))


def test_until_shows_the_run_as_it_was():
    case = judged(signals=examinations())
    early = until(case, 600)
    assert (early.signals[-1].step, early.log[-1]["step"], early.measured) == (600, 600, None)
    assert early.facts.status == "running"


def test_an_examination_long_ago_says_nothing_on_the_present():
    case = Case(facts=FACTS, log=log(), signals=examinations(last=100))
    assert moments(until(case, 100)) == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    assert current(until(case, 100)).step == 100
    assert current(case) is None and names(case) == ["learning"]


def test_logs_of_older_runs_need_neither_signals_nor_logits():
    line = {"discriminator_loss": 0.0, "generator_loss": 1.0}
    assert names(judged(log(line))) == ["healthy"]
    assert names(Case(facts=FACTS, log=log(line))) == ["learning"]
    assert names(Case(facts=FACTS)) == ["learning"]
    lost = {"discriminator_loss": 0.33, "generator_loss": 8.9, "d_real": 0.9, "d_fake": 0.0002}
    assert names(Case(facts=FACTS, log=log(lost))) == ["discriminator-won"]


def test_a_new_finding_is_a_function_and_its_name_in_checks(monkeypatch):
    def seldom_sure(case):
        measured = case.measured
        return Finding("seldom-sure", 1, "the judge is seldom sure", "train") if measured.confident < 0.9 else None

    monkeypatch.setattr(module, "CHECKS", {**CHECKS, "seldom-sure": seldom_sure})
    assert names(judged()) == ["healthy"]
    assert names(judged(confident=0.8)) == ["seldom-sure"]
    assert names(judged(confident=0.8, label_agreement=0.11)) == ["label-ignored", "seldom-sure"]
    verdict = Verdict(measured=MEASURED, findings=tuple(diagnose(judged(confident=0.8))))
    assert verdict.words == "the judge is seldom sure. Try: train"


def test_a_verdict_without_a_judge_has_the_figures_of_the_last_examination():
    verdict = Verdict(None, (Finding("healthy", 0, "healthy so far"),), examination(2000))
    assert verdict.figures == (
        "without a judge, by a small classifier of the training images: spread 0.95 of real · the requested class in "
        "97% (real ones: 98%) · Fréchet distance 3.00 (real against real 1.00) · n = 1,000"
    )
    assert Verdict.from_dict(verdict.to_dict()) == verdict
