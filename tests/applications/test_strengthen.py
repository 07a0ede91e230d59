import numpy as np
import pytest
import torch

from ganforge.applications import strength_measures
from ganforge.applications.found_files import Found
from ganforge.applications.latent_search import Explorer
from ganforge.applications.learner import checked_learner
from ganforge.applications.strength_measures import CORRUPTED, LIKE, TEST, measures_of
from ganforge.applications.strength_verdict import best_arm, in_words, table_of
from ganforge.applications.strengthen import (
    ARMS,
    BEFORE,
    BOTH,
    FAKES,
    FOUND,
    MOVED,
    REAL,
    SAME,
    arm_pictures,
    extra_pictures,
    fine_tuner,
    strengthen,
)
from ganforge.applications.strengthen_task import _learned_from
from ganforge.errors import UserError
from ganforge.evaluation.user_classifier import of_callable
from weak_digits import NAMES, digits, generator, readers, splits


def linear():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))


@pytest.fixture
def found():
    pictures = digits(20, 7)
    numbers = torch.zeros(20, dtype=torch.int64)
    return Found(pictures.images, pictures.labels, numbers, numbers, 0, splits().fingerprint, NAMES)


@pytest.fixture
def explorer():
    return Explorer(generator(), of_callable("linear", linear()), readers())


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(strength_measures, "FRESH_DRAWS", 50)
    monkeypatch.setattr(strength_measures, "CORRUPTED_PICTURES", 20)
    monkeypatch.setattr(strength_measures, "OTHER_DIGITS", ())


def test_every_arm_adds_as_many_pictures(found, explorer):
    base = splits().train
    extras = extra_pictures(explorer.classifier, found, explorer, base)
    assert {name: len(extra) for name, extra in extras.items()} == {FOUND: 20, FAKES: 20, REAL: 20}
    sizes = {arm: len(arm_pictures(arm, base, extras, 0)) for arm in ARMS}
    assert sizes == {SAME: 400, FAKES: 533, MOVED: 533, FOUND: 533, REAL: 533, BOTH: 666}
    moved = arm_pictures(MOVED, base, extras, 0)
    assert torch.equal(moved.images, arm_pictures(MOVED, base, extras, 0).images)
    assert torch.equal(moved.images[:400], base.images) and moved.class_names == NAMES
    seen = readers().judge.look(moved.images[400:])
    assert (seen.classes == moved.labels[400:]).float().mean() > 0.9


def test_the_real_control_takes_training_pictures_of_the_least_margin(found, explorer):
    real = extra_pictures(explorer.classifier, found, explorer, splits().train)[REAL]
    error = (explorer.classifier.probabilities(real.images, 10).argmax(1) != real.labels).float().mean()
    whole = explorer.classifier.probabilities(splits().train.images, 10).argmax(1) != splits().train.labels
    assert error >= whole.float().mean()


def test_a_module_is_trained_in_all_arms_and_stays_as_it_was(found, explorer, few):
    start = explorer.classifier.module
    before = {name: value.clone() for name, value in start.state_dict().items()}
    measures = measures_of(splits(), found, explorer)

    def run():
        return strengthen(
            *(explorer.classifier, fine_tuner("0..1"), start, splits().train, found, explorer, measures),
            *(splits().train,),
            steps=40,
            seeds=1,
        )

    result = run()
    assert list(result.errors) == [BEFORE, *ARMS]
    assert all(torch.equal(value, before[name]) for name, value in start.state_dict().items())
    assert all(result.errors[arm][0][TEST] < 0.5 < result.errors[BEFORE][0][TEST] for arm in ARMS)
    assert run().errors == result.errors
    header, rows = table_of(result.errors)
    assert len(rows) == 7 and all(len(row) == len(header) for row in rows)
    assert best_arm(result.errors) in ARMS


def test_an_own_learner_gets_what_the_contract_says(found, explorer, few):
    calls = []

    def learner(images, labels, *, steps, seed, start=None):
        calls.append((images.dtype, tuple(images.shape[1:]), labels.dtype, steps, seed, start))
        return lambda pixels: np.zeros(len(pixels), np.int64)

    measures = measures_of(splits(), found, explorer)
    arguments = (splits().train, found, explorer, measures, splits().train)
    strengthen(explorer.classifier, learner, "start", *arguments, steps=5, seeds=2)
    assert set(calls) == {(torch.uint8, (1, 28, 28), torch.int64, 5, seed, "start") for seed in (0, 1)}
    for bad, why in {(lambda *_, **__: 1 / 0): "mine failed", (lambda *_, **__: 3): "mine: returned int"}.items():
        with pytest.raises(UserError, match=why):
            strengthen(explorer.classifier, checked_learner("mine", bad), None, *arguments, steps=5, seeds=1)


def errors(**of_arms):
    usual = {SAME: 0.09, FAKES: 0.09, MOVED: 0.09, FOUND: 0.09, BOTH: 0.09, REAL: 0.09}
    values = usual | {{"fakes": FAKES, "moved": MOVED, "found": FOUND, "real": REAL}[k]: v for k, v in of_arms.items()}
    return {
        arm: [{LIKE: value + noise, TEST: 0.01, CORRUPTED: 0.1} for noise in (0.0, 0.001, 0.002)]
        for arm, value in values.items()
    }


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (errors(found=0.0899), "no gain beyond noise"),
        (errors(found=0.02), "steered to where the model is weak"),
        (errors(found=0.02, fakes=0.02), "not the search"),
        (errors(found=0.02, moved=0.02), "moved originals do as much"),
        (errors(found=0.02, real=0.01), "picked by the same search, do more"),
        (errors(found=0.12), "the found pictures harm"),
    ],
)
def test_the_words_say_what_the_errors_say(measured, words):
    for number, of_seed in enumerate(measured[FOUND]):  # paired differences that are all equal have no noise
        of_seed[LIKE] += 0.0003 * number
    assert words in in_words(measured)[0]


def test_one_seed_is_no_evidence():
    measured = {arm: of_seeds[:1] for arm, of_seeds in errors(found=0.02).items()}
    assert "no gain beyond noise" in in_words(measured)[0] and "one seed" in in_words(measured)[-1]


def test_what_the_found_pictures_and_moving_cost_is_said():
    measured = errors(found=0.02)
    for number in range(3):
        measured[FOUND][number][TEST] = 0.02 + 0.0001 * number
        measured[MOVED][number][CORRUPTED] = 0.15 + 0.0001 * number
    words = " ".join(in_words(measured))
    assert "whole test error rises" in words and "moving alone raises" in words


def test_a_classifier_that_has_seen_test_pictures_is_refused(tmp_path):
    test, train = splits().test, splits().train
    seen = torch.cat([train.images[:50], test.images[:2]]).numpy()
    labels = torch.cat([train.labels[:50], test.labels[:2]]).numpy()
    np.savez(tmp_path / "seen.npz", images=seen[:, 0], labels=labels)
    with pytest.raises(UserError, match="2 of its pictures are test pictures"):
        _learned_from(tmp_path / "seen.npz", splits())
    np.savez(tmp_path / "own.npz", images=seen[:50, 0], labels=labels[:50])
    own = _learned_from(tmp_path / "own.npz", splits())
    assert sorted(own.labels.tolist()) == sorted(labels[:50].tolist())
