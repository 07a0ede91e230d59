import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganforge.commands import main as entry
from ganforge.commands.main import app
from ganforge.worker_pool import STOP_SIGNALS

TINY = ("--set", "latent.dim=6", "--set", "batch_size=8")

# Flags are a contract

FLAGS = {
    "train": {
        *("--data", "--out", "--steps", "--epochs", "--minutes", "--seed", "--set", "--device", "--from", "--json"),
        *("--resize", "--skip-bad", "--levels", "--colour", "--seeds", "--at-once", "--evaluate-every"),
    },
    "resume": {"--steps", "--epochs", "--minutes", "--data", "--json"},
    "sample": {
        *("--n", "--labels", "--digits", "--morph", "--codes", "--reconstruct", "--model", "--seed", "--out", "--json"),
        "--precision",
    },
    "edit": {
        *("--picture", "--mask", "--strokes", "--mix", "--toward", "--attribute"),
        *("--draws", "--seed", "--out", "--json"),
    },
    "probe": {"--model", "--data", "--budget", "--input-range", "--seed", "--out", "--json"},
    "strengthen": {
        *("--with", "--learner", "--model", "--data", "--trained-on", "--steps", "--seeds", "--input-range"),
        *("--out", "--json"),
    },
    "augment": {
        *("--labels", "--validation-labels", "--draw", "--model", "--learner", "--seeds", "--minutes", "--steps"),
        *("--out", "--resize", "--skip-bad", "--levels", "--colour", "--json"),
    },
    "diagnose": {"--treat", "--minutes", "--steps", "--json"},
    "apply": {"--mask", "--draws", "--frames", "--seed", "--out", "--json"},
    "write": {"--model", "--seed", "--out", "--json"},
    "recipes": {"--json"},
    "recipes show": {"--json"},
    "data": {"--json"},
    "data list": {"--json"},
    "data show": {"--out", "--resize", "--skip-bad", "--levels", "--colour", "--json"},
    "data fetch": {"--json"},
    "runs": {"--json"},
    "report": {"--out", "--json"},
    "evaluate": {
        "--data",
        "--judge",
        "--inception",
        "--n",
        "--split",
        "--seed",
        "--slow",
        "--resize",
        "--levels",
        "--colour",
        "--nearest",
        "--json",
    },
    "compare": {"--json"},
    "judge": {"--json"},
    "judge show": {"--json"},
    "benchmark": {
        *("--recipe", "--seeds", "--steps", "--quick", "--out", "--beside", "--json"),
        *("--labels", "--draw", "--data", "--only", "--task"),
    },
    "judge train": {
        *("--minutes", "--epochs", "--seed", "--flip", "--out", "--json"),
        *("--resize", "--skip-bad", "--levels", "--colour"),
    },
}


def root():
    import typer

    return typer.main.get_command(app)


def verbs():
    def walk(command, prefix):
        for name, sub in getattr(command, "commands", {}).items():
            if not sub.hidden:  # called only by the program itself
                yield " ".join([*prefix, name]), sub
            yield from walk(sub, [*prefix, name])

    return dict(walk(root(), []))


def test_verbs_and_flags_are_frozen():
    flags = {
        name: {flag for p in command.params for flag in p.opts if flag.startswith("--")} - {"--help"}
        for name, command in verbs().items()
    }
    assert flags == FLAGS
    assert {flag for p in root().params for flag in p.opts} == {
        *("--version", "--install-completion", "--show-completion"),
    }


@pytest.mark.parametrize("verb", FLAGS)
def test_every_help_has_an_example_and_json(run_command, verb):
    code, out, _ = run_command(*verb.split(), "--help")
    assert code == 0
    assert "Example: ganforge" in " ".join(out.split()) and "--json" in out


def test_help_needs_no_heavy_import():
    program = "import sys; from ganforge.commands.main import app; assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


# What the commands do


def test_train_leaves_a_run_folder(trained, tmp_path):
    text = trained()
    run = tmp_path / "run"
    names = {path.name for path in run.iterdir()}
    assert names >= {
        "recipe.toml",
        "run.json",
        "log.jsonl",
        "samples",
        "evolution.webp",
        "checkpoints",
        "generator.safetensors",
    }
    assert (run / "samples" / "step-000012.png").exists()
    for words in ("run/samples", "no judge", "without a judge", "verdict: "):
        assert words in text
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert log[0]["step"] == 1
    assert {"discriminator_loss", "generator_loss", "d_real", "d_fake", "value", "real_logit", "fake_logit"} <= log[
        0
    ].keys()
    assert {"discriminator_gradient", "generator_gradient", "real_spread", "fake_spread"} <= log[0].keys()
    with Image.open(run / "evolution.webp") as movie:
        assert movie.n_frames == 13  # steps 0 to 12


def test_sheets_after_the_tutorials_epochs(run_command, bars_file, tmp_path):
    run_command("train", "vanilla", "--data", bars_file, "--epochs", 10, "--out", "run", *TINY)
    sheets = sorted(path.name for path in (tmp_path / "run" / "samples").glob("epoch-*.png"))
    assert sheets == ["epoch-000.png", "epoch-009.png"]
    with Image.open(tmp_path / "run" / "samples" / "epoch-009.png") as one_row:
        one = one_row.size
    run_command("train", "cgan-tutorial", "--data", bars_file, "--epochs", 1, "--out", "two", *TINY)
    with Image.open(tmp_path / "two" / "samples" / "epoch-000.png") as two_rows:
        assert two_rows.width == one[0] and two_rows.height > one[1] + 50


def test_every_verb_gives_one_json_object(run_command, bars_file):
    train = ("train", "vanilla", "--data", bars_file, "--steps", 3, "--out", "run", *TINY)
    for arguments in [
        train,
        ("resume", "run", "--steps", 5),
        ("sample", "run", "--n", 4),
        ("recipes",),
        ("recipes", "show", "vanilla"),
        ("data", "list"),
        ("data", "show", bars_file),
        ("runs", "."),
        ("judge", "show"),
    ]:
        code, out, _ = run_command(*arguments, "--json")
        assert code == 0, arguments
        assert isinstance(json.loads(out), dict)
    code, out, err = run_command("resume", "nowhere", "--json")
    assert code == 2
    assert json.loads(out)["exit_code"] == 2 and json.loads(out)["error"] in err


def test_the_ending_chooses_the_format_of_sample(run_command, trained, tmp_path):
    trained("cgan-tutorial")
    assert run_command("sample", "run", "--n", 14, "--out", "rows.png")[0] == 0
    with Image.open("rows.png") as rows:  # four classes: rows of 4, 4, 3 and 3, of 8 px enlarged to 64
        assert rows.width > 4 * 64 and 4 * 64 < rows.height < 6 * 64
    assert run_command("sample", "run", "--labels", "0-3", "--n", 8, "--out", "s.png")[0] == 0
    assert run_command("sample", "run", "--labels", "1,3", "--out", "s.npz")[0] == 0
    assert run_command("sample", "run", "--n", 3, "--out", "many")[0] == 0
    assert run_command("sample", "run", "--digits", "0123", "--out", "d.png")[0] == 0
    assert run_command("sample", "run", "--morph", "--labels", "0-3", "--n", 7, "--out", "m.gif")[0] == 0
    assert run_command("sample", "run", "--morph", "--out", "m.webp")[0] == 0
    with np.load("s.npz") as arrays:
        assert arrays["images"].shape == (2, 8, 8, 1) and arrays["labels"].tolist() == [1, 3]
    assert sorted(path.name for path in (tmp_path / "many").iterdir()) == ["00000.png", "00001.png", "00002.png"]
    with Image.open("many/00000.png") as single:
        assert single.size == (8, 8)
    with Image.open("d.png") as row:
        assert row.width > 3 * row.height
    with Image.open("m.gif") as movie:
        assert movie.n_frames == 7


def test_a_generator_file_is_enough_to_sample(run_command, trained, tmp_path):
    trained()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run" / "generator.safetensors").rename(tmp_path / "elsewhere" / "g.safetensors")
    assert run_command("sample", "elsewhere/g.safetensors", "--out", "x.png")[0] == 0
    assert (tmp_path / "x.png").exists()


def test_a_trained_judge_gives_later_runs_their_verdict(run_command, trained, bars_file):
    assert f"train one with 'ganforge judge train {bars_file}'" in trained(out="before")
    assert "not judged" not in run_command("runs", ".")[1]  # an examination gave a verdict, too
    assert run_command("resume", "before")[0] == 2
    code, out, err = run_command("judge", "train", bars_file, "--epochs", 40)
    assert code == 0, err
    assert "40 epochs, never mirrored" in out
    assert "of the 20 test images correctly" in out and "ends with a verdict" in out
    for text in (trained(out="after"), run_command("resume", "before")[1]):
        assert "of 4 classes appear" in text and "verdict: " in text and "digit" not in text
    assert "not judged" not in run_command("runs", ".")[1]
    assert "already at step 12" in run_command("resume", "before")[2]


def test_a_judge_written_to_a_file_is_not_used_for_later_runs(run_command, bars_file, tmp_path):
    code, out, _ = run_command("judge", "train", bars_file, "--epochs", 1, "--out", "j.safetensors", "--flip", "--json")
    assert code == 0
    card = json.loads(out)
    assert card["file"] == "j.safetensors" and card["flip"] and card["classes"] == ["0", "1", "2", "3"]
    assert (tmp_path / "j.safetensors").exists() and not list((tmp_path / "cache").rglob("*.safetensors"))


def test_a_weak_judge_says_where_it_is_and_which_flag_helps(run_command, tmp_path):
    noise = np.random.default_rng(0)
    np.savez("noise.npz", images=noise.integers(0, 256, (400, 8, 8), np.uint8), labels=noise.integers(0, 10, 400))
    for out in ((), ("--out", "j.safetensors")):
        code, text, err = run_command("judge", "train", "noise.npz", "--epochs", 1, *out)
        assert code == 0, err
        assert "too weak for a verdict: no run uses it; give more --epochs, or more images" in text
        assert f"written to {out[1] if out else tmp_path / 'cache'}" in text


def test_the_last_line_of_a_judge_repeats_the_flags_of_reading(run_command, tmp_path):
    random = np.random.default_rng(0)
    for n in range(240):
        (tmp_path / "my data" / "ab"[n % 2]).mkdir(parents=True, exist_ok=True)
        pixels = (random.integers(0, 60, (12, 12)) + 180 * (n % 2)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "my data" / "ab"[n % 2] / f"{n}.png")
    code, out, err = run_command("judge", "train", "my data", "--resize", 8, "--skip-bad", "--epochs", 20)
    assert code == 0, err
    assert "every run with --data 'my data' --resize 8 --skip-bad ends with a verdict" in out


def test_a_time_that_is_over_at_once_trains_a_step_and_reports_the_seconds_of_the_run_file(
    run_command, bars_file, tmp_path
):
    code, out, err = run_command("train", "vanilla", "--data", bars_file, "--minutes", 1e-9, "--out", "run", *TINY)
    assert code == 0, err
    saved = json.loads((tmp_path / "run" / "run.json").read_text())
    assert saved["step"] == 1 and f"at step 1 (epoch 0.1) after {saved['seconds']:.1f} s of training" in out
    code, out, _ = run_command("resume", "run", "--steps", 3, "--json")
    assert json.loads(out)["seconds"] == json.loads((tmp_path / "run" / "run.json").read_text())["seconds"]


def test_a_slow_speed_has_a_decimal():
    from ganforge.commands.progress import _rate

    assert [_rate(speed) for speed in (0.04, 3.26, 9.94, 12.3, 12345.6)] == ["0.0", "3.3", "9.9", "12", "12,346"]


def test_a_seed_may_be_below_zero(run_command, trained):
    trained("vanilla", "run", "--seed", -3)
    assert json.loads(Path("run/run.json").read_text())["seed"] == -3
    assert run_command("resume", "run", "--steps", 13)[0] == 0
    assert "also below 0" in " ".join(run_command("train", "--help")[1].split())


def test_divergence_exits_with_three(run_command, bars_file):
    code, _, err = run_command(
        "train", "vanilla", "--data", bars_file, "--steps", 9, "--out", "run", *TINY, "--set", "latent.std=3e38"
    )
    assert code == 3 and "step 1" in err and err.strip().count("\n") == 0


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_before_training_exits_with_130(run_command, bars_file, monkeypatch, number):
    from ganforge.experiment import preflight

    def interrupted(*_, **__):
        signal.raise_signal(number)

    monkeypatch.setattr(preflight, "load_data", interrupted)
    code, _, err = run_command("train", "vanilla", "--data", bars_file)
    assert code == 130
    assert err.count("\n") == 1


def test_a_second_signal_during_the_message_of_the_first_changes_nothing(run_command, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "app", stop)
    monkeypatch.setattr(entry, "_print_error", stop)
    assert run_command("train")[0] == 130


@pytest.mark.slow
def test_resume_computes_an_interrupted_verdict(run_command, monkeypatch, quick_verdict):
    from ganforge.experiment import run

    train = ("train", "vanilla", "--data", "digits", "--steps", 3, "--out", "run")
    with monkeypatch.context() as impatient:
        impatient.setattr(run, "judge_run", lambda *_: signal.raise_signal(signal.SIGINT))
        code, _, err = run_command(*train)
    assert code == 130
    assert "ganforge resume run" in err
    code, out, _ = run_command("resume", "run")
    assert code == 0
    assert "verdict:" in out
    assert run_command("resume", "run")[0] == 2


def test_a_killed_run_is_not_listed_as_running(run_command, trained):
    from ganforge.runs.folder import RunFolder

    trained()
    RunFolder("run").update_run(status="running")
    assert "continues an interrupted run" in run_command("runs", ".")[1]
    with RunFolder("run").locked():
        assert "running" in run_command("runs", ".")[1]


def test_version(run_command):
    assert run_command("--version")[:2] == (0, "ganforge 0.1.0\n")


def test_several_seeds_give_one_json_object(run_command, bars_file):
    code, out, err = run_command(
        "train", "vanilla", "--data", bars_file, *TINY, "--steps", 3, "--seeds", 2, "--out", "f", "--json"
    )
    assert code == 0, err
    assert [run["step"] for run in json.loads(out)["runs"]] == [3, 3]
    assert "seed 1 (2 of 2)" in err
    _, out, _ = run_command("runs", ".", "--json")
    assert {run["run"] for run in json.loads(out)["runs"]} == {"f/seed-0", "f/seed-1"}


def test_sample_reconstruct_writes_reconstructions_and_an_interpolation(run_command, bars_file, tmp_path):
    small = ["batch_size=8", "latent.dim=4", "generator.filters=4", "encoder.filters=4", "run.precision=fp32"]
    changes = [part for change in small for part in ("--set", change)]
    assert run_command("train", "vae", "--data", bars_file, "--steps", 3, "--out", "run", *changes)[0] == 0
    assert (tmp_path / "run" / "encoder.safetensors").exists()
    code, out, err = run_command("sample", "run", "--reconstruct")
    assert code == 0, err
    assert "run/reconstructions.png" in out and (tmp_path / "run" / "reconstructions.png").exists()
    code, out, _ = run_command("sample", "run", "--reconstruct", "--morph", "--n", 7, "--json")
    assert code == 0 and json.loads(out) == {"file": "run/way.webp", "n": 7, "seed": 0}
    assert run_command("sample", "run", "--n", 3)[0] == 0  # and the run samples as any other


@pytest.mark.parametrize(
    ("name", "words"), [("vae", ("loss E ", " G ", " · KL ")), ("autoencoder", ("loss E ",)), ("vanilla", ("loss D ",))]
)
def test_the_progress_line_has_the_losses_of_the_players(run_command, bars_file, monkeypatch, name, words):
    from ganforge.commands import progress

    monkeypatch.setattr(progress, "PLAIN_EVERY_SECONDS", 0.0)
    small = ["batch_size=8", "latent.dim=4", "run.precision=fp32", "run.device=cpu"]
    changes = [part for change in small for part in ("--set", change)]
    code, _, err = run_command("train", name, "--data", bars_file, "--steps", 3, *changes)
    lines = [line for line in err.splitlines() if line.startswith("step 3 ")]
    assert code == 0 and len(lines) == 1
    assert all(word in lines[0] for word in words)
    assert ("KL" in lines[0]) == (name == "vae") and ("D(x)" in lines[0]) == (name == "vanilla")
