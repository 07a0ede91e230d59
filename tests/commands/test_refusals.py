"""Bad input: one line, exit code 2, nothing written; and the exit code of a failed run."""

import numpy as np
import pytest

from conftest import UNWRITABLE
from ganforge.commands import main as entry
from ganforge.recipes.reading import built_in

TINY = ("--set", "latent.dim=6", "--set", "batch_size=8")
HUGE = "99999999999999999999999"

BAD = [
    (("train", "vanila"), "did you mean vanilla"),
    (("train", "vanilla", "--data", "mnits"), "mnist"),
    (("train", "vanilla", "--data", "no/such.npz"), "no/such.npz"),
    (("train", "missing.toml"), "missing.toml"),
    (("train", "vanilla", "--data", "BARS", "--steps", "0"), "--steps 0: must be 1 or more"),
    (("train", "vanilla", "--data", "BARS", "--epochs", "-1"), "--epochs -1"),
    (("train", "vanilla", "--data", "BARS", "--minutes", "nan"), "--minutes nan"),
    (("train", "vanilla", "--data", "BARS", "--steps", "3", "--epochs", "1"), "not both"),
    (("train", "vanilla", "--data", "BARS", "--steps", "many"), "--steps many: must be a whole number ('ganforge train --help'"),
    (("train", "vanilla", "--data", "BARS", "--set", "data.clusters=81"), "has 160 training images only"),
    (("train", "vanilla", "--data", "BARS", "--set", "batch_size=161"), "batch_size = 161 is more than the 160"),
    (("train", "vanilla", "--data", "BARS", "--device", "cuda"), "no cuda device"),
    (("train", "vanilla", "--data", "BARS", "--device", "tpu"), "'tpu' is not known"),
    (("train", "vanilla", "--data", "BARS", "--set", "latent.dim=0"), "latent.dim"),
    (("train", "vanilla", "--data", "BARS", "--set", "generator.hidden=[9,9,9]"), "batch_norm = true"),
    (("train", "cgan-tutorial", "--data", "PLAIN", "--set", "batch_size=8"), "has none"),
    (("train", "cgan-tutorial", "--data", "ONE_CLASS", "--set", "batch_size=8"), "at least two classes"),
    (("train", "vanilla", "--data", "BARS", "--out", UNWRITABLE, "--set", "batch_size=8"), "cannot write to"),
    (("train", "vanilla", "--data", "BARS", "--out", "TAKEN", "--set", "batch_size=8"), "holds other files"),
    (("train", "vanilla", "--data", "BARS", "--from", "nowhere", "--set", "batch_size=8"), "nowhere"),
    (("train", "vanilla", "--colour"), "--colour"),
    (("trian",), "trian"),
    (("resume", "nowhere"), "is not a run"),
    (("resume",), "'run'"),
    (("sample", "nowhere"), "does not exist"),
    (("recipes", "show", "vanila"), "did you mean"),
    (("data", "show", "mnits"), "mnist"),
    (("data", "fetch", "mnits"), "mnist"),
    (("benchmark", "rings"), "did you mean ring"),
    (("benchmark", "ring", "--seeds", "0"), "--seeds 0: must be 1 or more"),
    (("sample", "--model", "mnist", "--precision", "fp16"), "precision 'fp16' is unknown: use fp32 or bf16"),
    (("train", "vanilla", "--at-once", "2"), "--at-once 2: belongs to --seeds"),
    (("benchmark", "ring", "--labels", "50"), "--labels 50: belongs to 'ganforge benchmark few-labels' only"),
    (("benchmark", "ring", "--draw", "0"), "--draw 0: belongs to 'ganforge benchmark few-labels' only"),
    (("benchmark", "few-labels", "--seeds", "2"), "--seeds 2: few-labels uses one label subset a call"),
    (("sample", "--model", "mnist", "--n", "1000000000", "--out", "x.npz"), "at most 1,000,000 for a file"),
    (("train", "gan-2d", "--data", "BARS"), "draws points in the plane, not pictures"),
    (("runs", "nowhere"), "nowhere: there is no such folder"),
    (("benchmark", "grid", "--steps", "-3"), "--steps -3"),
    (("benchmark", "ring", "--recipe", "vanila"), "did you mean vanilla"),
    (("benchmark", "ring", "--recipe", "cgan"), "cannot draw the points of ring"),
    (("benchmark", "stacked-mnist", "--recipe", "gan-2d"), "cannot draw stacked digits"),
    (("benchmark", "ring", "--out", "TAKEN"), "holds other files"),
    (("evaluate", "nowhere", "--data", "BARS"), "nowhere does not exist: give a run's folder"),
    (("evaluate", "nowhere.npz", "--data", "BARS"), "nowhere.npz does not exist"),
    (("judge", "train"), "'DATA'"),
    (("judge", "train", "PLAIN"), "needs a label"),
    (("judge", "train", "ONE_CLASS"), "at least two"),
    (("judge", "train", "BARS", "--minutes", "0"), "--minutes 0: must be more than 0"),
    (("judge", "train", "BARS", "--epochs", "-2"), "--epochs -2"),
    (("judge", "train", "BARS", "--out", f"{UNWRITABLE}/judge.safetensors"), "cannot be written"),
    (("judge", "train", "BARS", "--out", "TAKEN/thesis.tex"), "must end in .safetensors"),
    (("data", "show", "BARS", "--out", f"{UNWRITABLE}/x.png"), "cannot be written"),
    (("data", "show", "BARS", "--out", "x.jpg"), "must end in .png"),
    (("evaluate", "mnist", "--data", "BARS", "--nearest", f"{UNWRITABLE}/x.png"), "cannot be written"),
    (("evaluate", "mnist", "--data", "BARS", "--nearest", "TAKEN/thesis.tex"), "must end in .png"),
    (("train", "vanilla", "--data", "BARS", "--steps", HUGE), f"--steps {HUGE}: must be at most 9,223,372"),
    (("train", "vanilla", "--data", "BARS", "--epochs", "1e300"), "--epochs: must be at most 1,000,000,000"),
    (("train", "vanilla", "--data", "BARS", "--minutes", "1e300"), "--minutes: must be at most 1,000,000,000"),
    (("train", "vanilla", "--data", "BARS", "--seed", f"-{HUGE}"), f"--seed -{HUGE}: must be -9,223,372"),
    (("train", "vanilla", "--data", "BARS", "--seeds", "99999"), "--seeds 99999: must be at most 10,000"),
    (("sample", "--model", "mnist", "--seed", HUGE), "--seed"),
    (("write", "12", "--seed", HUGE), "--seed"),
    (("evaluate", "mnist", "--n", HUGE), "--n"),
    (("judge", "train", "BARS", "--minutes", "1e308"), "--minutes 1e+308: must be more than 0, and at most 1,000,000"),
    (("judge", "train", "BARS", "--epochs", HUGE), "--epochs"),
    (("benchmark", "ring", "--steps", HUGE), "--steps"),
    (("benchmark", "ring", "--seeds", "99999"), "--seeds 99999: must be at most 10,000"),
    (("train", "vanilla", "--data", "BARS", "--set", "latent.dim=100000000000"), "less than or equal to 65536, found"),
    (("train", "vanilla", "--data", "BARS", "--set", "generator.hidden=[100000000]"), "less than or equal to 65536"),
    (("train", "vanilla", "--data", "BARS", "--set", "game.unroll=100000000"), "less than or equal to 1000"),
    (("train", "dcgan", "--data", "BARS", "--set", "generator.filters=100000000"), "less than or equal to 4096"),
    (("benchmark", "ring", "--recipe", "WIDE"), "batch_size: must be less than or equal to 65536"),
    (("runs", "BARS"), "is a file; name the folder of your runs"),
    (("train", "TAKEN"), "taken is a folder, not a recipe; for data, write 'ganforge train --data taken'"),
    (("train", "BARS"), "cannot be read: it is not text; for data, write 'ganforge train --data"),
    (("train", "vanilla", "--resize", "16"), "--resize: not applicable to MNIST, which is always read as published"),
    (("train", "vanilla", "--resize", "abc"), "--resize abc: write a size"),
    (("train", "vanilla", "--resize", "7"), "--resize 7: the size is out of range"),
    (("train", "--minuts", "3"), "--minuts: no such option; did you mean --minutes? 'ganforge train --help' lists all"),
    (("train", "--frobnicate"), "--frobnicate: no such option; 'ganforge train --help' lists all"),
    (("train", "--minutes=soon"), "--minutes soon: must be a number ("),
    (("--json", "runs"), "write --json after the command"),
    (("write", ""), "give the digits to write"),
    (("sample", "BARS"), "is no generator file (.safetensors)"),
    (("compare", "BARS"), "is no evaluation (a JSON file of 'ganforge evaluate --json')"),
    (("recipes", "show", "nosuch"), "no recipe is called 'nosuch'; 'ganforge recipes' lists them"),
    (("recipes", "show", "vanila"), "no recipe is called 'vanila'; did you mean vanilla? 'ganforge recipes' lists them"),
    (("train", "table.csv"), "not valid TOML"),
    (("train", "table.csv"), "; for data, write 'ganforge train --data table.csv'"),
    (("train", "--steps"), "('ganforge train --help' shows how)"),
    (("train", "TABLELESS"), "has no [latent] and no [generator]; a recipe needs the tables"),
    (("write", "12", "--out", f"{UNWRITABLE}/x.png"), "cannot be written"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"), BAD, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_bad_input_is_one_line_and_exit_two(run_command, bars_file, tmp_path, arguments, words):
    with np.load(bars_file) as data:
        images = data["images"]
    np.save(tmp_path / "plain.npy", images)
    np.savez(tmp_path / "one.npz", images=images, labels=np.zeros(len(images), int))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").touch()
    (tmp_path / "wide.toml").write_text(built_in()["gan-2d"].replace("batch_size", "batch_size = 10000000 #"))
    (tmp_path / "tableless.toml").write_text('name = "mine"')
    (tmp_path / "table.csv").write_text("label,pixel0")
    places = {"WIDE": "wide.toml", "TABLELESS": "tableless.toml"}
    places |= {"BARS": bars_file, "PLAIN": "plain.npy", "ONE_CLASS": "one.npz", "TAKEN": "taken"}
    before = sorted(tmp_path.rglob("*"))
    code, out, err = run_command(*[places.get(argument, argument) for argument in arguments])
    assert code == 2
    assert err.count("\n") == 1 and err.startswith("ganforge: ")
    assert words in err
    assert "Traceback" not in out + err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--labels", "4"), "'4' is not a class; there are 0, 1, 2, 3; write names separated by commas"),
        (("--labels", "1,a"), "'a' is not a class"),
        (("--labels", ""), "names no class"),
        (("--labels", "3-1"), "is in reverse order; write 1-3"),
        (("--digits", "12x"), "digits only"),
        (("--digits", "9"), "--digits '9': '9' is not a class"),
        (("--digits", "1", "--labels", "1"), "leave out --labels and --n"),
        (("--digits", "1", "--n", "3"), "leave out --labels and --n"),
        (("--n", "20000"), "too many for a sheet"),
        (("--n", "0"), "--n 0: must be 1 or more"),
        (("--n", "-3"), "--n -3: must be 1 or more"),
        (("--morph", "--labels", "1"), "at least two"),
        (("--morph", "--n", "1"), "at least two"),
        (("--out", "x.jpg"), ".png"),
        (("--out", f"{UNWRITABLE}/x.png"), "cannot be written"),
    ],
)
def test_bad_sampling(run_command, trained, arguments, words):
    trained("cgan-tutorial")
    code, _, err = run_command("sample", "run", *arguments)
    assert code == 2 and words in err and err.count("\n") == 1


def test_labels_are_refused_by_an_unconditional_generator(run_command, trained):
    trained()
    for flag, text in (("--digits", "2026"), ("--labels", "shirt")):
        code, _, err = run_command("sample", "run", flag, text)
        assert code == 2 and "without labels" in err


def test_a_used_folder_is_never_overwritten(run_command, trained, bars_file, tmp_path):
    trained()
    before = (tmp_path / "run" / "generator.safetensors").read_bytes()
    same = ("train", "vanilla", "--data", bars_file, "--steps", 12, "--out", "run", *TINY)
    assert "ganforge resume run" in run_command(*same)[2]
    assert "another recipe" in run_command(*same, "--set", "generator_lr=1e-3")[2]
    assert (tmp_path / "run" / "generator.safetensors").read_bytes() == before


def test_a_folder_in_training_is_locked(run_command, trained):
    from ganforge.runs.folder import RunFolder

    trained()
    with RunFolder("run").locked():
        code, _, err = run_command("resume", "run", "--steps", 20)
    assert code == 2 and "another process" in err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--labels", "1"), "takes a run's folder; leave out --model"),
        (("--codes",), "takes a run's folder; leave out --model"),
        (("--out", "x.npz"), "reconstructions are a sheet"),
        (("--out", "x.webp"), "reconstructions are a sheet"),
        ((), "run has no encoder for reconstructions: give a run of 'autoencoder' or 'vae'"),
    ],
)
def test_sample_reconstruct_refuses_in_one_line(run_command, trained, flags, words):
    trained()
    code, _, err = run_command("sample", "run", "--reconstruct", *flags)
    assert code == 2 and words in err and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
)
def test_too_little_memory_is_one_line(run_command, monkeypatch, error):
    def fall(*_, **__):
        raise error

    monkeypatch.setattr(entry, "app", fall)
    code, _, err = run_command("train", "vanilla")
    assert code == 3 and err.count("\n") == 1 and "smaller batch_size" in err


def test_a_bug_is_not_mistaken_for_too_little_memory(run_command, monkeypatch):
    def fall(*_, **__):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(entry, "app", fall)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        run_command("train", "vanilla")
