"""The commands evaluate and compare: their output and their errors."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganforge
from conftest import small_images
from ganforge.data.load import load
from ganforge.errors import UserError

DIGITS = ("--data", "digits")


def npz(path, images, labels=None):
    np.savez(path, images=images, **({} if labels is None else {"labels": labels}))
    return path


@pytest.fixture
def fakes(tmp_path):
    """200 real digits in place of generated images, with labels."""
    digits = load("digits").train
    return npz(tmp_path / "fakes.npz", digits.images[:200, 0].numpy(), digits.labels[:200].numpy())


def test_a_table_with_intervals_other_reals_and_worst_cases(run_command, fakes):
    code, out, err = run_command("evaluate", fakes, *DIGITS)
    assert code == 0, err
    for words in (
        "Fréchet distance",
        "coverage",
        "label agreement",
        "copying",
        "other reals",
        "worst case",
        "noise",
    ):
        assert words in out
    assert "179 fakes against 179 real test images of digits" in out
    assert "docs/measuring.md" in out


def test_compare_reads_the_json_of_evaluate(run_command, fakes, tmp_path):
    code, out, _ = run_command("evaluate", fakes, *DIGITS, "--json")
    evaluation = json.loads(out)
    assert code == 0 and evaluation["protocol"]["n"] == 179 and len(evaluation["protocol"]["id"]) == 12
    assert evaluation["figures"]["copies"]["value"] == 1  # they are training images
    assert {"value", "interval", "real_reference", "worst_case", "n"} == evaluation["figures"]["recall"].keys()
    low, high = evaluation["figures"]["recall"]["interval"]
    assert low <= evaluation["figures"]["recall"]["value"] <= high
    (tmp_path / "a.json").write_text(out)
    (tmp_path / "b.json").write_text(out)
    code, out, err = run_command("compare", "a.json", "b.json")
    assert code == 0 and "the same" in out, err
    code, out, _ = run_command("compare", "a.json", "b.json", "--json")
    assert json.loads(out)["figures"][0]["verdict"] == "the same"
    _, out, _ = run_command("evaluate", fakes, *DIGITS, "--split", "validation", "--json")
    (tmp_path / "c.json").write_text(out)
    code, _, err = run_command("compare", "a.json", "c.json")
    assert code == 2 and "the split: test against validation" in err and err.count("\n") == 1


@pytest.mark.slow
def test_a_folder_of_seeds_is_evaluated_run_by_run_and_compared_as_one(run_command, no_verdict):
    small = ("--data", "digits", "--set", "latent.dim=8", "--set", "batch_size=16", "--steps", 3)
    for recipe in ("vanilla", "udacity"):
        assert run_command("train", recipe, *small, "--seeds", 2, "--out", recipe)[0] == 0
        code, out, err = run_command("evaluate", recipe, "--json")
        assert code == 0, err
        assert [run["seed"] for run in json.loads(out)["runs"]] == [0, 1]
    out = run_command("evaluate", "vanilla")[1]
    assert "vanilla: mean ± standard deviation over 2 seeds" in out
    assert len(re.findall(r"Fréchet distance +[\d.]+ ± [\d.]+ \([\d.]+\)", out)) == 1
    code, out, err = run_command("compare", "vanilla", "udacity")
    assert code == 0, err
    assert "vanilla (2)" in out and "cannot tell with 2 seeds" in out
    out = run_command("compare", "vanilla/seed-0", "udacity/seed-0")[1]
    assert "vanilla/seed-0 (1)" in out and "udacity/seed-0 (1)" in out  # both are called seed-0
    code, _, err = run_command("evaluate", "vanilla", "--nearest", "n.png")
    assert code == 2 and "a single run and vanilla holds 2; name one" in err


def test_the_fakes_nearest_to_training_images_are_drawn(run_command, fakes, tmp_path):
    assert run_command("evaluate", fakes, *DIGITS, "--nearest", "near.png")[0] == 0
    with Image.open(tmp_path / "near.png") as picture:
        assert picture.width > 10 * 28


def bad_fakes(folder, kind):
    digits = load("digits").train
    images, labels = digits.images[:200, 0].numpy(), digits.labels[:200].numpy()
    broken = images.astype(np.float32) / 255
    broken[7, 3, 4] = np.nan if kind == "NaN" else np.inf
    made = {
        "NaN": (broken, labels),
        "Inf": (broken, labels),
        "few": (images[:50], labels[:50]),
        "size": (images[:, :20, :20], labels),
        "channels": (np.stack([images, images // 2, images], 3), labels),
        "range": (images.astype(np.float32) * 40, labels),
        "labels": (images, labels[:50]),
    }
    return npz(folder / "bad.npz", *made[kind])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("NaN", "NaN"),
        ("Inf", "infin"),
        ("few", "50 fakes and 50 real images are too few"),
        ("size", "1×20×20"),
        ("channels", "3×28×28"),
        ("range", "bad.npz"),
        ("labels", "labels"),
    ],
)
def test_bad_images_are_refused_in_one_line(run_command, tmp_path, kind, words):
    code, _, err = run_command("evaluate", bad_fakes(tmp_path, kind), *DIGITS)
    last = err.strip().splitlines()[-1]
    assert code == 2 and words in last, err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing.npz", *DIGITS), "nothing.npz"),
        (("fakes.npz", *DIGITS, "--n", 50), "--n 50: give at least 100"),
        (("fakes.npz", *DIGITS, "--n", 5000), "there are only 179 real test images and 200 generated ones"),
        (("fakes.npz", *DIGITS, "--split", "train"), "--split train: give test or validation"),
        (("fakes.npz", *DIGITS, "--judge", "fakes.npz"), "fakes.npz"),
        (("fakes.npz", "--data", "bars.npz"), "1×8×8"),
    ],
)
def test_bad_requests_are_refused_in_one_line(run_command, fakes, bars_file, arguments, words):
    code, out, err = run_command("evaluate", *arguments)
    assert code == 2, out
    assert words in err.strip().splitlines()[-1], err


def test_data_without_a_judge_are_refused_with_the_command_that_trains_one(run_command, tmp_path):
    bars = small_images(1500)
    npz(tmp_path / "many.npz", bars.images[:, 0].numpy(), bars.labels.numpy())
    code, _, err = run_command("evaluate", "many.npz", "--data", "many.npz")
    assert code == 2 and "no judge fits these images; train one on labelled data with 'ganforge judge train'" in err


def test_a_judge_of_other_images_is_refused(run_command, bars_file, tmp_path):
    assert run_command("judge", "train", bars_file, "--epochs", 1, "--out", "bars-judge.safetensors")[0] == 0
    digits = load("digits").train.images[:200, 0].numpy()
    code, _, err = run_command(
        "evaluate", npz(tmp_path / "f.npz", digits), *DIGITS, "--judge", "bars-judge.safetensors"
    )
    assert code == 2 and "needs images of 1×8×8" in err


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    """The JSON of one evaluation."""
    digits = load("digits").train.select(slice(0, 200))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANFORGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return json.dumps(
            ganforge.evaluate((digits.images[:, 0].numpy(), digits.labels.numpy()), data="digits").to_dict()
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a.json",), "needs at least two runs"),
        (("a.json", "nothing"), "is not a run"),
        (("a.json", "run"), "has no evaluation yet"),
        (("a.json", "broken.json"), "is not JSON"),
        (("a.json", "other.json"), "holds no evaluation"),
    ],
)
def test_files_without_evaluations_are_refused_by_compare(
    run_command, evaluation, tmp_path, no_verdict, arguments, words
):
    (tmp_path / "a.json").write_text(evaluation)
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.json").write_text("{}")
    if "run" in arguments:
        run_command("train", "vanilla", "--data", "digits", "--steps", 2, "--out", "run")
    code, _, err = run_command("compare", *arguments)
    assert code == 2 and words in err and len(err.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_run_trained_on_validation_images_is_measured_on_test_images_only(run_command, no_verdict):
    arguments = ("--data", "digits", "--steps", 2, "--set", "data.images=all", "--out", "run")
    assert run_command("train", "vanilla", *arguments)[0] == 0
    code, out, err = run_command("evaluate", "run", "--n", 100)
    assert code == 0 and "real test images of digits" in out, err
    code, _, err = run_command("evaluate", "run", "--n", 100, "--split", "validation")
    assert code == 2 and "trained on the validation images too" in err and err.count("\n") == 1
    code, _, err = run_command("evaluate", "run", "--resize", "28")
    assert code == 2 and "--resize 28: the pictures of run are read as in its training" in err and err.count("\n") == 1


@pytest.fixture
def three_runs(trained, monkeypatch):
    """Three runs in a folder, of which the second cannot be measured; an evaluation takes no time."""
    from ganforge.evaluation.metric_table import MetricValue
    from ganforge.evaluation.protocol import Protocol
    from ganforge.evaluation.result import Evaluation

    def evaluate(source, **_):
        if source.endswith("b"):
            raise UserError(f"{source}: no judge fits these images")
        return Evaluation(
            source,
            Protocol("digits-1", "a" * 64, "bars", "b" * 64, "test", 100),
            (MetricValue("recall", 0.5, None, 0.6, 0.0, 100),),
        )

    for name in "abc":
        trained("vanilla", f"runs/{name}")
    monkeypatch.setattr("ganforge.experiment.evaluate.evaluate", evaluate)


def test_an_unsuitable_run_does_not_stop_the_others(run_command, three_runs):
    code, out, err = run_command("evaluate", "runs")
    assert code == 2 and "runs/a · 100 fakes" in out and "runs/c · 100 fakes" in out and "over 2 seeds" in out
    assert err == "ganforge: 1 of 3 runs were not measured: runs/b: no judge fits these images\n"
    code, out, err = run_command("evaluate", "runs", "--json")
    assert code == 2 and len(json.loads(out)["runs"]) == 2
    assert json.loads(out)["faults"] == {"runs/b": "runs/b: no judge fits these images"}


def test_runs_that_are_all_unsuitable_give_one_line(run_command, trained):
    for name in "ab":
        trained("vanilla", f"runs/{name}")
    code, out, err = run_command("evaluate", "runs", "--n", 3)
    assert (code, out) == (2, "") and err.count("\n") == 1 and err.count("--n 3: give at least") == 1


def test_a_run_without_its_run_file_is_named(run_command, trained):
    trained()
    Path("run/run.json").unlink()
    code, _, err = run_command("evaluate", "run", *DIGITS)
    assert code == 2 and "run looks like a run without run.json; restore run.json" in err
