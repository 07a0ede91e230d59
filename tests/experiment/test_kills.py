"""A command killed at any moment leaves nothing that blocks it: the same command or ``resume`` continues."""

import os
import signal
from pathlib import Path

import pytest

import ganforge
from ganforge.errors import UserError
from ganforge.experiment.experiment import ProgressListener
from ganforge.files import temporary
from ganforge.runs.checkpoint import checkpoint_path, checkpoints
from ganforge.runs.folder import RunFolder
from processes import end_of, forked, left_in, needs_fork, together

SMALL = ("latent.dim=6", "batch_size=8", "generator.hidden=[16]", "discriminator.hidden=[16]")


def train(data, out="run", **arguments):
    return ganforge.train("vanilla", data=data, out=out, steps=15, changes=SMALL, **arguments)


class Bounded(ProgressListener):
    """Stops a run that does not end, at the length of these runs."""

    def look(self, state, stats):
        assert state.step <= 15


def result(run):
    """The files that must be identical: the checkpoint, the generator and the frames."""
    folder = RunFolder(run)
    files = checkpoints(folder.checkpoints)[0], folder.generator, folder.evolution
    return [file.read_bytes() for file in files]


def die_at_file(number):
    """Kill this process when its n-th file is written but not yet renamed."""
    really, left = os.replace, [number]

    def replace_or_die(*arguments):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        really(*arguments)

    os.replace = replace_or_die


@needs_fork
def test_a_run_killed_while_writing_its_first_files_resumes(bars_file):
    """Recipe, checkpoint, ``run.json``, its status, the checkpoint again, the generator."""
    straight, went_on = result(train(bars_file, "straight").folder), []

    def train_and_die(out, number):
        die_at_file(number)
        train(bars_file, out)

    for number in range(1, 7):
        out = Path(f"run-{number}")
        assert end_of(forked(lambda out=out, number=number: train_and_die(out, number))) == -signal.SIGKILL
        assert len(left_in(out)) == 1
        went_on.append(RunFolder(out).exists)
        ganforge.resume(out, watcher=Bounded()) if went_on[-1] else train(bars_file, out)
        assert result(out) == straight
        assert not left_in(out)
    assert True in went_on and False in went_on


def dead(folder):
    """Leave the temporary files of a killed writer in a folder."""
    folder.mkdir(parents=True, exist_ok=True)

    def die():
        with temporary(folder) as path:
            path.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)

    end_of(forked(die))


def leftovers(folder, kind):
    folder.mkdir()
    if kind == "lock":
        (folder / ".lock").touch()
    elif kind == "half a recipe":
        dead(folder)
    elif kind == "half a recipe of an older version":
        (folder / ".recipe.toml.writing").write_text("half")
    elif kind == "recipe":
        (folder / "recipe.toml").write_text('name = "')
    elif kind == "half a checkpoint":
        (folder / "samples").mkdir()
        dead(folder / "checkpoints")
    elif kind == "a frame and a line":
        (folder / "samples").mkdir()
        (folder / "samples" / "evolution-000000014.png").write_bytes(b"no picture")
        (folder / "log.jsonl").write_text('{"step": 7}\n')
    elif kind == "checkpoint of another recipe":
        other = ganforge.train("cgan-tutorial", data="bars.npz", out="other", steps=1, changes=SMALL[:2])
        (folder / "checkpoints").mkdir()
        start = checkpoint_path(RunFolder(other.folder).checkpoints, 0)
        start.rename(checkpoint_path(folder / "checkpoints", 0))


KINDS = [
    "lock", "half a recipe", "half a recipe of an older version", "recipe", "half a checkpoint", "a frame and a line",
    "checkpoint of another recipe",
]  # fmt: skip


@needs_fork
@pytest.mark.parametrize("kind", KINDS)
def test_leftovers_do_not_block_a_folder_or_change_its_run(bars_file, tmp_path, kind):
    leftovers(tmp_path / "run", kind)
    train(bars_file)
    assert result("run") == result(train(bars_file, "straight").folder)
    lines = [RunFolder(run).log.read_text().count("\n") for run in ("run", "straight")]
    assert lines[0] == lines[1]
    assert left_in(tmp_path / "run") == [".recipe.toml.writing"] * (kind == "half a recipe of an older version")


@needs_fork
@pytest.mark.parametrize("kind", KINDS[1:6:2])
def test_leftovers_do_not_block_a_folder_of_several_seeds(bars_file, tmp_path, kind):
    (tmp_path / "both").mkdir()
    leftovers(tmp_path / "both" / "seed-1", kind)
    dead(tmp_path / "both")
    runs = ganforge.train_seeds("vanilla", 2, data=bars_file, out="both", steps=2, changes=SMALL, at_once=1)
    assert [run.step for run in runs] == [2, 2]


@pytest.mark.parametrize(
    "file", ["generator.safetensors", "best.safetensors", "checkpoints/step-000000012.safetensors"]
)
def test_weights_without_a_run_file_are_not_deleted(bars_file, file):
    folder = RunFolder("run")
    folder.create()
    (folder.path / file).write_bytes(b"weights")
    with pytest.raises(UserError, match=r"run holds weights .* no run\.json; restore it, or choose another --out"):
        train(bars_file)
    assert (folder.path / file).read_bytes() == b"weights" and not folder.exists


@needs_fork
def test_only_one_of_several_simultaneous_trainings_gets_the_folder(bars_file):
    def try_to():
        try:
            train(bars_file)
        except UserError as refusal:
            Path(f"{os.getpid()}.txt").write_text(str(refusal))
            os._exit(2)

    for _ in range(3):
        ends = [end_of(process) for process in [forked(try_to) for _ in range(3)]]
        assert sorted(ends) == [0, 2, 2]
        refusals = [path.read_text() for path in Path().glob("*.txt")]
        assert all(
            "is being trained by another process" in text or "already holds this run" in text for text in refusals
        )
        assert result("run") == result(train(bars_file, "straight").folder)
        for run in ("run", "straight"):
            Path(run).rename(f"{run}-{len(list(Path().iterdir()))}")


def test_only_one_of_two_trainings_of_seeds_gets_the_folder(bars_file):
    class Second(ProgressListener):
        refused = ""

        def look(self, state, stats):
            if not self.refused:
                with pytest.raises(UserError) as caught:
                    seeds(ProgressListener())
                self.refused = str(caught.value)

    def seeds(watcher):
        arguments = {"data": bars_file, "out": "both", "steps": 2, "changes": SMALL, "at_once": 1, "watcher": watcher}
        return ganforge.train_seeds("vanilla", 2, **arguments)

    second = Second()
    assert [run.step for run in seeds(second)] == [2, 2]
    assert second.refused.startswith("both is being trained by another process")


def test_processes_that_claim_folders_simultaneously_get_different_ones(tmp_path):
    claim = (
        "from pathlib import Path\n"
        "from ganforge.runs.folder import claim_folder\n"
        "wait()\n"
        "for _ in range(20):\n"
        "    print(claim_folder(Path('runs'), 'vanilla-mnist').path.name)\n"
    )
    taken = " ".join(together(claim)).split()
    assert sorted(taken) == sorted(f"vanilla-mnist-{k}" for k in range(1, 81))
