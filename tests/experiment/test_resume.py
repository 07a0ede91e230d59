"""A stopped run resumes exactly: its bytes are those of an uninterrupted run, whatever stopped it."""

import json
import os
import random
import signal
import time

import numpy as np
import pytest
import torch

import ganforge
from conftest import small_images
from ganforge.data.load import load
from ganforge.errors import Interrupted, RunFailed, UserError
from ganforge.experiment.experiment import Experiment, ProgressListener
from ganforge.experiment.trainer import save_state
from ganforge.recipes.reading import load_recipe
from ganforge.runs.checkpoint import checkpoints
from ganforge.runs.folder import RunFolder
from ganforge.runs.log import read_lines
from ganforge.training import loop
from ganforge.training.step import adversarial_step
from processes import end_of, forked, needs_fork

KILLS = int(os.environ.get("GANFORGE_KILLS", "3"))
SMALL = ("latent.dim=6", "batch_size=8", "run.checkpoint_seconds=0.05", "averaging.half_life=1000.0")
DEEP = (*SMALL, "generator.hidden=[24, 24, 24]", "discriminator.hidden=[24, 24, 24]")
"""For udacity-deep, whose own networks are 20 times as large: batch normalisation needs no width to be resumed."""


class Recorder(ProgressListener):
    def __init__(self):
        self.messages = []

    def say(self, text):
        self.messages.append(text)


def result(run):
    """The files that must be identical: the generator and the last checkpoint."""
    folder = RunFolder(run)
    newest = checkpoints(folder.checkpoints)[0]
    return newest.name, newest.read_bytes(), folder.generator.read_bytes()


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    folder, data = tmp_path_factory.mktemp("straight"), small_images()
    np.savez(folder / "bars.npz", images=data.images[:, 0].numpy(), labels=data.labels.numpy())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANFORGE_CACHE", str(folder / "cache"))
        run = ganforge.train("udacity-deep", data=folder / "bars.npz", out=folder / "run", steps=60, changes=DEEP)
    assert run.step == 60
    return result(run.folder)


def test_hooks_change_no_weight(bars_file, straight):
    """The bare loop, without log, sheets, frames, checkpoints and progress, ends in the same last checkpoint."""
    recipe = load_recipe("udacity-deep", DEEP)
    splits = load(bars_file)
    experiment = Experiment(recipe.with_run(device="cpu"), splits, RunFolder("bare"), 0)
    state = experiment.new_state()
    streams, draws = experiment.streams(), experiment.draws()
    loop.train(state, adversarial_step, experiment.recipe, streams, draws, stop=lambda state: state.step >= 60)
    RunFolder("bare").create()
    save_state(experiment.folder.checkpoints, state)
    experiment.freeze_for_sampling(state).save(RunFolder("bare").generator)
    assert result("bare") == straight


def test_a_finished_run_can_be_continued(bars_file, straight):
    ganforge.train("udacity-deep", data=bars_file, out="run", steps=25, changes=DEEP)
    ganforge.resume("run", steps=60)
    assert result("run") == straight


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(bars_file, straight):
    ganforge.train("udacity-deep", data=bars_file, out="again", steps=60, changes=DEEP)
    assert result("again") == straight
    ganforge.train("udacity-deep", data=bars_file, out="other", steps=60, changes=DEEP, seed=1)
    assert result("other") != straight


def test_epochs_count_from_the_start(bars_file):
    run = ganforge.train("vanilla", data=bars_file, out="run", epochs=2, changes=SMALL)
    assert run.step == 40  # 160 training images, batches of 8
    assert ganforge.resume("run", epochs=3).step == 60
    with pytest.raises(UserError, match="already at step 60"):
        ganforge.resume("run", epochs=3)
    with pytest.raises(UserError, match="already at step 60"):
        ganforge.resume("run")


def test_a_signal_saves_the_state(bars_file, straight):
    class Stopping(ProgressListener):
        def look(self, state, stats):
            if state.step == 17:
                signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted, match=r"stopped at step 17 .*ganforge resume run"):
        ganforge.train("udacity-deep", data=bars_file, out="run", steps=60, changes=DEEP, watcher=Stopping())
    assert RunFolder("run").read_run()["status"] == "interrupted"
    assert ganforge.resume("run").step == 60
    assert result("run") == straight
    assert RunFolder("run").read_run()["status"] == "finished"


def test_log_has_no_gap_and_no_line_twice(bars_file):
    ganforge.train("vanilla", data=bars_file, out="run", steps=30, changes=SMALL)
    with RunFolder("run").log.open("a") as file:
        file.write(json.dumps({"step": 999}) + "\n" + '{"step": 10')
    ganforge.resume("run", steps=60)
    ganforge.train("vanilla", data=bars_file, out="straight", steps=60, changes=SMALL)

    def lines(run):
        return [{k: v for k, v in line.items() if k != "seconds"} for line in read_lines(RunFolder(run).log)]

    assert lines("run") == lines("straight")


def test_after_a_damaged_checkpoint_the_one_before_is_used_with_a_message(bars_file, straight):
    ganforge.train("udacity-deep", data=bars_file, out="run", steps=20, changes=DEEP)
    ganforge.resume("run", steps=40)
    newest, before = checkpoints(RunFolder("run").checkpoints)
    content = bytearray(newest.read_bytes())
    content[-3] ^= 4
    newest.write_bytes(bytes(content))
    watcher = Recorder()
    ganforge.resume("run", steps=60, watcher=watcher)
    assert any("is damaged" in message and before.stem.lstrip("step-0") in message for message in watcher.messages)
    assert result("run") == straight


def test_without_an_intact_checkpoint_nothing_is_overwritten(bars_file):
    ganforge.train("vanilla", data=bars_file, out="run", steps=20, changes=SMALL)
    for path in checkpoints(RunFolder("run").checkpoints):
        path.write_bytes(b"\x80\x04 a pickle")
    before = RunFolder("run").generator.read_bytes()
    with pytest.raises(UserError, match="never loaded"):
        ganforge.resume("run", steps=40)
    assert RunFolder("run").generator.read_bytes() == before


def test_changed_data_are_refused(bars_file):
    ganforge.train("vanilla", data=bars_file, out="run", steps=5, changes=SMALL)
    import numpy as np

    with np.load(bars_file) as data:
        images, labels = data["images"].copy(), data["labels"]
    images[0, 0, 0] ^= 1
    np.savez(bars_file, images=images, labels=labels)
    with pytest.raises(UserError, match="is not the data of run"):
        ganforge.resume("run", steps=10)


def test_data_from_python(bars):
    ganforge.train("vanilla", data=bars, out="run", steps=5, changes=SMALL)
    with pytest.raises(UserError, match="data from Python"):
        ganforge.resume("run", steps=10)
    assert ganforge.resume("run", steps=10, data=bars).step == 10


def test_divergence_names_step_player_and_tensor_and_keeps_the_last_good_state(bars_file):
    with pytest.raises(RunFailed, match=r"diverged at step 1: the loss of the discriminator .* step 0") as caught:
        ganforge.train("vanilla", data=bars_file, out="run", steps=50, changes=[*SMALL, "latent.std=3e38"])
    assert "\n" not in str(caught.value)
    run = RunFolder("run")
    assert run.read_run()["status"] == "diverged"
    assert [path.name for path in checkpoints(run.checkpoints)] == ["step-000000000.safetensors"]
    assert ganforge.load("run").sample(2).shape == (2, 1, 8, 8)


def test_a_later_divergence_is_traced_to_its_first_step(bars_file, monkeypatch):
    from ganforge.experiment import trainer
    from ganforge.training.step import adversarial_step

    def breaks_at_13(state, recipe, streams, draws):
        stats = adversarial_step(state, recipe, streams, draws)
        if state.step == 13:
            state.generator.parameters[1].data[2] = float("inf")
        return stats

    monkeypatch.setattr(trainer, "step_function", lambda recipe: breaks_at_13)
    with pytest.raises(RunFailed, match=r"step 13: the weight layers.0.bias of the generator is not finite"):
        ganforge.train("vanilla", data=bars_file, out="run", steps=90, changes=[*SMALL, "run.checkpoint_seconds=30"])


def test_a_full_disk_ends_the_run_without_loss_of_data(bars_file, monkeypatch):
    ganforge.train("vanilla", data=bars_file, out="run", steps=10, changes=SMALL)
    before = result("run")

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken, pytest.raises(RunFailed, match="No space left on device"):
        broken.setattr("ganforge.files.os.fsync", full)
        ganforge.resume("run", steps=500)
    assert result("run") == before


def test_a_run_starts_from_the_weights_of_another(bars_file):
    ganforge.train("vanilla", data=bars_file, out="first", steps=20, changes=SMALL)
    ganforge.train(
        "vanilla", data=bars_file, out="second", steps=1, changes=[*SMALL, "generator_lr=1e-9"], start_from="first"
    )
    ganforge.train("vanilla", data=bars_file, out="fresh", steps=1, changes=[*SMALL, "generator_lr=1e-9"])
    weights = {
        name: ganforge.load(name).module.state_dict()["layers.0.weight"] for name in ("first", "second", "fresh")
    }
    # The first run's file holds the average, the second's start is its weights; both are far from fresh ones.
    assert (weights["second"] - weights["first"]).abs().max() < (weights["fresh"] - weights["first"]).abs().max()


@pytest.mark.parametrize(
    ("recipe", "changes", "side", "words"),
    [
        ("vanilla", ["generator.hidden=[32]"], 8, r"generator.hidden is \[256\] there and \[32\] here; take"),
        ("vanilla", ["latent.dim=7"], 8, "latent.dim is 6 there and 7 here; take its recipe, first/recipe.toml"),
        ("cgan-tutorial", [], 8, "conditional is false there and true here"),
        ("vanilla", ["data.clusters=3"], 8, "data.clusters is 0 there and 3 here"),
        ("vanilla", ["averaging.half_life=9.0"], 8, "keeps no average"),
        ("vanilla", [], 9, "draws images of 8×8 px, grey, these are 9×9 px, grey; name a run that"),
    ],
)
def test_weights_of_other_networks_are_refused_with_the_difference(bars, recipe, changes, side, words):
    ganforge.train("vanilla", data=bars, out="first", steps=1, changes=SMALL[:2])
    changes = [*SMALL[:2], *changes]
    with pytest.raises(UserError, match=words) as caught:
        ganforge.train(recipe, data=small_images(side=side), out="second", changes=changes, start_from="first")
    assert "\n" not in str(caught.value) and "size mismatch" not in str(caught.value)
    assert not RunFolder("second").path.exists()


def test_a_run_started_from_another_takes_the_cluster_shares_of_its_own_images(bars_file):
    changes = [*SMALL, "data.clusters=4"]
    ganforge.train("vanilla", data=bars_file, out="first", steps=3, changes=changes)
    ganforge.train("vanilla", data=small_images(seed=1), out="second", steps=1, changes=changes, start_from="first")
    ganforge.train("vanilla", data=small_images(seed=1), out="fresh", steps=1, changes=changes)
    first, second, fresh = (ganforge.load(name).module.shares for name in ("first", "second", "fresh"))
    assert torch.equal(second, fresh) and not torch.equal(first, fresh)
    assert second.sum().item() == pytest.approx(1)


def test_weights_for_another_number_of_classes_are_refused(bars):
    ganforge.train("cgan-tutorial", data=bars, out="first", steps=1, changes=SMALL[:2])
    more = small_images(classes=8)
    with pytest.raises(UserError, match="it draws 4 classes, these data have 8"):
        ganforge.train("cgan-tutorial", data=more, out="second", changes=SMALL[:2], start_from="first")


@pytest.mark.slow
@needs_fork
def test_kill_minus_nine_at_random_moments(bars_file):
    steps, chance = 1200, random.Random(0)
    moments = sorted(chance.sample(range(steps // 2), KILLS))
    changes = (*SMALL, "generator.hidden=[16]", "discriminator.hidden=[16]")

    def train(out="run"):
        ganforge.train("vanilla", data=bars_file, out=out, steps=steps, changes=changes)

    train("straight")
    work = train
    for moment in moments:
        process = forked(work)
        while not reached(moment):
            assert os.waitpid(process, os.WNOHANG) == (0, 0), "it ended before its moment"
            time.sleep(0.002)
        time.sleep(chance.uniform(0.0, 0.1))  # also in the middle of a step, or of writing a file
        os.kill(process, signal.SIGKILL)
        assert end_of(process) == -signal.SIGKILL
        work = lambda: ganforge.resume("run")  # noqa: E731
    ganforge.resume("run")
    assert result("run") == result("straight")


def reached(step):
    """Whether the run exists and has a checkpoint of ``step`` or later."""
    folder = RunFolder("run")
    return folder.exists and int(checkpoints(folder.checkpoints)[0].stem.removeprefix("step-")) >= step
