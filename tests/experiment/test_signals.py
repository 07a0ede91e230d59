"""Examinations during a training: they look, cost little, and leave a line for each step that they saw."""

import json

import numpy as np
import pytest
import torch

import ganforge
from ganforge.data.load import load
from ganforge.experiment.case import case_of
from ganforge.experiment.examiner import Examiner
from ganforge.experiment.experiment import Experiment
from ganforge.experiment.signals_hook import SignalsHook, append_signals, read_signals
from ganforge.recipes.reading import load_recipe
from ganforge.runs.folder import RunFolder
from ganforge.training import loop
from ganforge.training.log_schedule import is_examination
from ganforge.training.step_function import step_function

SMALL = ("batch_size=8", "latent.dim=6", "generator.hidden=[24, 24, 24]", "discriminator.hidden=[24, 24, 24]")
CONVOLUTIONS = ("batch_size=8", "latent.dim=6", "generator.filters=8", "discriminator.filters=8")


def experiment_of(recipe, data, changes):
    recipe = load_recipe(recipe, ["run.device=cpu", "run.precision=fp32", *changes])
    return Experiment(recipe, load(data, images=recipe.data.images), RunFolder("run"), 0)


def after_steps(experiment, steps=3):
    state = experiment.new_state()
    step = step_function(experiment.recipe)
    stop = lambda state: state.step >= steps  # noqa: E731
    loop.train(state, step, experiment.recipe, experiment.streams(), experiment.draws(), stop=stop)
    return state


def test_examinations_are_two_then_three_for_each_doubling():
    steps = [step for step in range(1, 1025) if is_examination(step)]
    assert steps == [16, 23, 32, 46, 64, 91, 128, 182, 256, 323, 407, 512, 646, 813, 1024]


@pytest.mark.parametrize(
    ("recipe", "changes"),
    [
        ("udacity-deep", SMALL),
        ("cgan", SMALL[:2]),
        ("forge-1-unconditional", (*CONVOLUTIONS, "data.clusters=3")),
        ("enlarge-4x", (*CONVOLUTIONS[0:1], *CONVOLUTIONS[2:], "pairs.factor=4")),
        ("vae", SMALL[:2]),
        ("infogan", ("batch_size=8", "latent.normal=6", "generator.filters=8", "discriminator.filters=8")),
        ("dcgan", (*CONVOLUTIONS, "game.packing=2")),
    ],
)
def test_an_examination_changes_nothing(bars_file, recipe, changes):
    experiment = experiment_of(recipe, bars_file, changes)
    state, untouched = after_steps(experiment), after_steps(experiment)
    random = torch.get_rng_state()
    signals = Examiner(experiment).examine(state, 40)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(a, b) for a, b in zip(state.tensors().values(), untouched.tensors().values(), strict=True))
    assert all(p.grad is None or not p.grad.isnan().any() for p in state.generator.parameters)
    assert signals.step == 3 and signals.spread is not None and signals.weight_norm
    assert (signals.logit_held_out is None) == ("discriminator" not in state.others)
    assert (signals.draws_spread is None) == (recipe not in ("enlarge-4x", "infogan"))
    assert (signals.copying_p is None) == (recipe == "enlarge-4x")
    assert (signals.label_agreement is None) == (recipe != "cgan")


def test_two_examinations_of_one_state_agree(bars_file):
    experiment = experiment_of("cgan", bars_file, SMALL[:2])
    state = after_steps(experiment)
    examiner = Examiner(experiment)
    first, second = (examiner.examine(state, 40) for _ in range(2))
    assert (first.change, second.change) == (None, 0)
    assert first == Examiner(experiment).examine(state, 40)


def test_copies_of_the_training_images_are_found(bars_file, monkeypatch):
    experiment = experiment_of("vanilla", bars_file, SMALL[:2])
    state, examiner = after_steps(experiment), Examiner(experiment)
    train = experiment.splits.train
    copies = train.images[torch.arange(256) % len(train)]
    monkeypatch.setattr(examiner, "_pictures", lambda *_: copies)
    signals = examiner.examine(state, 256)
    assert signals.nearer_to_training > 0.97 and signals.copying_p < 1e-4
    assert signals.change is None
    assert signals.spread == pytest.approx(1, abs=0.1)


def test_a_run_keeps_its_examinations_and_a_case_is_read_from_its_folder(bars_file, no_verdict, monkeypatch):
    monkeypatch.setattr("ganforge.experiment.signals_hook.GRACE", 60)
    ganforge.train("cgan", data=bars_file, out="run", steps=35, changes=["batch_size=8"])
    folder = RunFolder("run")
    assert [signals.step for signals in read_signals(folder)] == [16, 23, 32, 35]
    assert all(0 < signals.update_to_weight["generator"] < 1 for signals in read_signals(folder)[:-1])
    ganforge.resume("run", steps=50)
    case = case_of(folder)
    assert [signals.step for signals in case.signals] == [16, 23, 32, 35, 46, 50]
    assert case.facts.n_train == 160 and case.facts.shape == (1, 8, 8) and case.facts.class_names == tuple("0123")
    assert case.facts.status == "finished" and case.log[-1]["step"] == 50 and case.measured is None
    last = case.signals[-1]
    assert last.n > 256 and len(last.class_shares) == 4 and sum(last.class_shares) == pytest.approx(1)


def test_lines_after_the_checkpoint_are_cut_back(bars_file, no_verdict):
    ganforge.train("vanilla", data=bars_file, out="run", steps=20, changes=["batch_size=8"])
    folder = RunFolder("run")
    later = read_signals(folder)[-1]
    append_signals(folder, type(later)(**{**vars(later), "step": 90}))
    ganforge.resume("run", steps=22)
    assert [signals.step for signals in read_signals(folder)][-1] == 22
    assert 90 not in [json.loads(line)["step"] for line in folder.signals.read_text().splitlines()]


def test_weights_that_are_not_finite_leave_a_line_that_can_be_read(bars_file):
    experiment = experiment_of("cgan", bars_file, SMALL[:2])
    state = after_steps(experiment)
    for player in state.players().values():
        player.parameters[0].data.fill_(float("nan"))
    experiment.folder.create()
    append_signals(experiment.folder, Examiner(experiment).examine(state, 20))
    (signals,) = read_signals(experiment.folder)
    assert signals.step == 3 and signals.logit_fake is None and signals.weight_norm == {}


def test_marks_that_would_cost_too_much_are_skipped(bars_file):
    experiment = experiment_of("vanilla", bars_file, SMALL[:2])
    experiment.folder.create()
    seen = []
    hook = SignalsHook(experiment, lambda: 0.0, seen.append)
    state = after_steps(experiment)
    hook._cost = 1.0
    state.step = 16
    hook(state, {})
    assert not seen
    hook._cost = 0.0
    hook(state, {})
    assert [signals.step for signals in seen] == [16]


def test_few_images_leave_out_what_they_cannot_show(tmp_path, no_verdict):
    images = np.random.default_rng(0).integers(0, 256, (10, 8, 8), dtype=np.uint8)
    ganforge.train("vanilla", data=images, out="run", steps=2, changes=["batch_size=4"])
    (signals,) = read_signals(RunFolder("run"))
    assert signals.features == "random" and signals.recall is None and signals.copying_p is None
    assert signals.class_shares == () and signals.real_high > 200
