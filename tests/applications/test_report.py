"""``ganforge report`` on runs of every kind; each lacks something that its page then says."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganforge
from conftest import small_images
from ganforge.applications.report.class_tables import class_table
from ganforge.applications.report.courses import distance_chart
from ganforge.applications.report.films import thinned
from ganforge.applications.report.page import _names, report
from ganforge.applications.report.record import read_record
from ganforge.applications.report.reproduce import command
from ganforge.errors import UserError
from ganforge.recipes.reading import load_recipe
from ganforge.runs.folder import RunFolder
from page_checks import check_page

LEGACY = Path(__file__).parents[1] / "legacy"
TINY = ["latent.dim=6", "batch_size=8", "run.precision=fp32"]
CLASSES = ("<script>alert(1)<", "a & b", "\"'")
SECTIONS = ["verdict", "findings", "samples", "figures", "courses", "classes", "losses", "copying", "recipe", "data"]


def write_pictures(folder, classes=CLASSES):
    """A folder of noisy pictures, a subfolder for each class, whose names are as hostile as a file system allows."""
    images = small_images(24 * len(classes), classes=len(classes))
    for index, (image, label) in enumerate(zip(images.images, images.labels.tolist(), strict=True)):
        place = folder / classes[label].replace("/", "")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0].numpy()).save(place / f"{index}.png")
    return folder


def page_of(path, *more, out=None):
    written = report([Path(path), *map(Path, more)], out)
    html = written.file.read_text(encoding="utf-8")
    return written, html, check_page(html)


@pytest.fixture
def run(tmp_path):
    folder = write_pictures(tmp_path / "pictures <i>")
    return ganforge.train("cgan", data=folder, steps=30, out=tmp_path / "run", changes=TINY).folder


def test_a_page_has_every_section_and_escapes_hostile_names(run):
    written, html, page = page_of(run)
    assert [attributes["id"] for attributes in page.all("section")] == [*SECTIONS, "reproduce"]
    assert written.file == run / "report.html" and written.size == len(html.encode()) < 1_000_000
    assert "&lt;script&gt;alert(1)&lt;" in html and "a &amp; b" in html
    assert len(page.all("img")) > 10 and not list(run.glob(".*.writing"))
    assert ("pictures &lt;i&gt;" in html and "no sign of copying" in html) or "nearer than chance" in html
    for words in (
        "What would change this",
        "1.386",
        "You may not conclude",
        "--steps 30",
        "SHA-256",
        "training pictures repeat",
    ):
        assert words in html, words


def test_nothing_in_the_run_is_changed_and_the_page_is_the_same_again(run):
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file() and file.name != ".lock"}
    first = page_of(run)[1]
    assert page_of(run)[1] == first
    assert {file: file.read_bytes() for file in before} == before


def test_a_run_that_lacks_nearly_everything_says_so(run, tmp_path):
    for name in ("log.jsonl", "signals.jsonl", "metrics.jsonl", "generator.safetensors"):
        (run / name).unlink(missing_ok=True)
    shutil.rmtree(run / "samples")
    shutil.rmtree(tmp_path / "pictures <i>")
    written, html, _ = page_of(run)
    assert set(written.missing) >= {"samples", "figures", "courses", "classes", "losses", "copying"}
    for words in ("no log", "holds no pictures", "cannot be read again", "no examinations", "Not judged"):
        assert words in html, words
    (run / "recipe.toml").write_text("damaged [")
    assert "recipe.toml is missing or damaged" in page_of(run)[1]


def test_damaged_pictures_are_left_out(run):
    files = sorted(run.glob("samples/evolution-*.png"))
    files[0].write_bytes(b"no picture")
    files[1].write_bytes(files[1].read_bytes()[:60])
    count = len(list(run.glob("samples/*.png")))
    assert len([i for i in page_of(run)[2].all("img") if "data-step" in i]) == count - 2


@pytest.mark.parametrize(
    ("status", "words"),
    [("running", "Not finished: interrupted"), ("diverged", "Diverged"), ("finished", "What would change this")],
)
def test_the_verdict_follows_the_status(run, status, words):
    RunFolder(run).update_run(status=status)
    assert words in page_of(run)[1]


def test_data_that_changed_are_not_described(run, tmp_path):
    next(tmp_path.glob("pictures <i>/*/*.png")).unlink()
    written, html, _ = page_of(run)
    assert "have changed since the training" in html and "copying" in written.missing and "data" not in written.missing


def test_an_older_run_has_a_page(tmp_path):
    run = shutil.copytree(LEGACY / "arrays", tmp_path / "run")
    written, html, _ = page_of(run)
    assert "trained by an earlier version" in html and "courses" in written.missing


SMALL = ["batch_size=8", "run.precision=fp32", "generator.filters=8"]
KINDS = {
    "enlarge-4x": (["latent.dim=6", "discriminator.filters=4"], "nearest to a training image"),
    "vae": (["latent.dim=4", "encoder.filters=4"], "No adversary: encoder and generator"),
    "wgan-gp": (["latent.dim=6"], "critic"),
    "forge-2": (["latent.dim=6", "discriminator.filters=4"], "−log 4"),
    "sngan": (["latent.dim=6"], "Answers beyond ±1"),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_recipe_has_a_page(name, tmp_path, bars_file):
    changes, words = KINDS[name]
    known = load_recipe(name).generator.model_dump()
    changes = [*changes, *(change for change in SMALL if "filters" not in change or "filters" in known)]
    ganforge.train(name, data=bars_file, steps=6, out=tmp_path / "run", changes=changes)
    assert words in page_of(tmp_path / "run")[1]


def test_signals_have_a_page_with_their_curves(tmp_path):
    waves = np.sin(np.linspace(0, 6, 24) + np.arange(40)[:, None]) * 7
    np.savez(tmp_path / "waves.npz", signals=waves, labels=np.arange(40) % 2)
    changes = ["generator.filters=4", "discriminator.filters=4", "batch_size=4", "run.precision=fp32"]
    ganforge.train(data=tmp_path / "waves.npz", steps=3, out=tmp_path / "run", changes=changes)
    assert "by their pixels" in page_of(tmp_path / "run")[1]


def test_data_from_python_are_named_as_such(tmp_path, bars):
    ganforge.train("vanilla", data=bars, steps=3, out=tmp_path / "run", changes=TINY)
    html = page_of(tmp_path / "run")[1]
    assert "came from Python" in html and "--data DATA" in html


def test_seeds_of_one_method_and_two_methods_are_told_apart(tmp_path, bars_file, monkeypatch):
    options = {"data": bars_file, "steps": 9, "changes": TINY}
    ganforge.train_seeds("vanilla", 2, out=tmp_path / "seeds", at_once=1, **options)
    ganforge.train("lsgan", out=tmp_path / "other", **options)
    written, html, page = page_of(tmp_path / "seeds", tmp_path / "other", out=tmp_path / "all.html")
    assert written.file == tmp_path / "all.html" and len(written.runs) == 3
    assert len([panel for panel in page.all("div") if panel.get("class") == "panel"]) == 6
    assert "objective.name" in html and "different objectives" in html
    assert [record.name for record in written.runs] == ["seed-0", "seed-1", "other"]
    assert "No judge has measured these runs" in html
    assert "All runs have the same recipe" in page_of(tmp_path / "seeds")[1]
    assert (tmp_path / "seeds" / "report.html").exists()


def pixels(images):
    return images.flatten(1).float()


def test_evaluated_runs_are_compared_in_one_table_and_in_words(tmp_path):
    data = small_images(1500)
    np.savez(tmp_path / "many.npz", images=data.images[:, 0].numpy(), labels=data.labels.numpy())
    for name in ("vanilla", "lsgan"):
        run = ganforge.train(name, data=tmp_path / "many.npz", steps=4, out=tmp_path / name, changes=TINY)
        ganforge.evaluate(run, extractor=pixels)
    html = page_of(tmp_path / "vanilla", tmp_path / "lsgan", out=tmp_path / "both.html")[1]
    for words in ("Figures with their 95 % intervals", "More than noise?", "cannot tell with 1 seed", "copying"):
        assert words in html, words
    html = page_of(tmp_path / "vanilla")[1]
    assert "how far another seed would differ" in html and "features of pixels" in html


def test_measurements_on_validation_images_are_drawn_in_multiples_of_real(run):
    names = ("floor", "real_reference")  # of earlier versions, and of this one
    values = zip(names, (1, 30), (8.0, 4.0), strict=True)
    lines = [
        {"step": s, "seconds": s / 10, "quality": {"frechet_distance": d}, name: {"frechet_distance": 0.5}}
        for name, s, d in values
    ]
    with (run / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    record = read_record(RunFolder(run), "run")
    steps, seconds = distance_chart([record]), distance_chart([record], by_seconds=True)
    assert steps.curves[0].points == [(1, 16), (30, 8)] and seconds.curves[0].points == [(0.1, 16), (3.0, 8)]


def test_runs_are_named_by_what_differs():
    def named(*paths):
        return _names([RunFolder(path) for path in paths])

    assert named("a/run", "b/run") == ["a", "b"] and named("a/run") == ["run"]
    assert named("a/seed-0", "b/seed-0", "b/seed-1") == ["a/seed-0", "b/seed-0", "b/seed-1"]


def test_many_frames_of_many_runs_are_thinned_to_equal_steps():
    files = [(step, Path(f"{step}.png")) for step in range(100)]
    assert [step for step, _ in thinned(files, 10)] == [*range(0, 100, 10), 99]
    assert thinned(files, 100) == files and thinned([], 5) == [] and thinned(files[:1], 5) == files[:1]


def test_a_table_of_many_classes_is_cut():
    table, note = class_table("t", ("class",), [(str(k),) for k in range(100)])
    assert len(table.rows) == 26 and "26 of 100" in note.text
    assert len(class_table("t", ("class",), [("a",)])) == 1


def test_the_command_that_reproduces_a_run_does(run, tmp_path):
    RunFolder(run).update_run(threads=None)
    words = [line.strip() for line in command(read_record(RunFolder(run), "run")).split("\\\n")]
    recipe = words[0].removeprefix("ganforge train ").strip("'")
    again = ganforge.train(recipe, data=tmp_path / "pictures <i>", seed=0, steps=30, out=tmp_path / "again")
    assert words[1:] == [f"--data '{tmp_path / 'pictures <i>'}'", "--seed 0", "--steps 30"]
    files = [(folder / "generator.safetensors").read_bytes() for folder in (run, again.folder)]
    assert files[0] == files[1]


def test_what_is_no_run_or_too_many_is_refused(tmp_path, run):
    with pytest.raises(UserError, match="is not a run"):
        report([tmp_path / "nothing"])
    with pytest.raises(UserError, match=r"must end in \.html"):
        report([run], tmp_path / "page.txt")
    for k in range(13):
        shutil.copytree(run, tmp_path / "many" / f"seed-{k}")
    with pytest.raises(UserError, match="13 runs are too many"):
        report([tmp_path / "many"])


def test_findings_are_drawn_with_their_courses_and_their_beginning(run):
    log = [
        {"step": s, "seconds": s / 10, "d_real": 0.9, "d_fake": 0.001 * s, "discriminator_loss": 1.0} for s in (1, 30)
    ]
    (run / "log.jsonl").write_text("\n".join(map(json.dumps, log)))
    finding = {
        "name": "narrow",
        "severity": 1,
        "text": "too much alike",
        "evidence": [
            {"name": "D(G(z))", "value": 0.03, "low": 0.1, "high": None, "signal": "d_fake"},
            {"name": "no course", "value": 1.0},
        ],
        "since": 17,
    }
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    lines[-1]["findings"] = [finding]
    (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    html = page_of(run)[1]
    assert "D(G(z)): " not in html and "Marked: first seen at step 17" in html and "Healthy: 0.1 or more." in html
