"""Findings during a training: said once, never on a single examination."""

from dataclasses import replace

from diagnosis_cases import FACTS, examined
from ganforge.diagnosis.finding import Finding
from ganforge.diagnosis.live import Watch
from ganforge.diagnosis.moments import until

RUNNING = replace(FACTS, status="running")
NOTHING = examined(facts=RUNNING, count=0)


def said(case, watch=None):
    watch = watch or Watch(NOTHING)
    return [(s.step, finding.name) for s in case.signals for finding in watch.look(until(case, s.step))]


def test_a_finding_is_said_once_at_the_second_examination_that_shows_it():
    assert said(examined(facts=RUNNING, repetition=lambda step: 0.5 if step >= 1000 else 0.01)) == [
        (1200, "repetition")
    ]


def test_a_single_examination_is_noise():
    assert said(examined(facts=RUNNING, repetition=lambda step: 0.5 if step in (200, 600, 1000) else 0.01)) == []


def test_a_healthy_run_is_not_disturbed_nor_told_that_it_is_too_short():
    assert said(examined(facts=RUNNING)) == []
    assert said(examined(facts=RUNNING, frechet=lambda step: 40_000 / step)) == []


def test_a_resumed_run_says_nothing_twice():
    case = examined(facts=RUNNING, repetition=0.5)
    assert Watch(until(case, 1000)).look(until(case, 1200)) == []
    assert [finding.name for finding in Watch(until(case, 200)).look(until(case, 400))] == ["repetition"]


def test_a_finding_made_before_step_1_is_not_said_again():
    noted = replace(RUNNING, before=(Finding("discriminator-weak", 1, "few weights", "more filters"),))
    assert said(examined(facts=noted), Watch(examined(facts=noted, count=0))) == []
