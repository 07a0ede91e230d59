"""The findings before step 1 are said, kept in run.json, and part of the run's case."""

import dataclasses
import json

import ganforge
from ganforge.data.load import NOT_AS_PUBLISHED, load
from ganforge.experiment.before import look_before_training
from ganforge.experiment.case import case_of
from ganforge.experiment.experiment import ProgressListener
from ganforge.recipes.reading import load_recipe
from ganforge.runs.folder import RunFolder

DIGITS = load("digits")


class Listener(ProgressListener):
    def __init__(self):
        self.lines, self.passes = [], []

    def say(self, text):
        self.lines.append(text)

    def reading(self, doing, done, total):
        self.passes.append(done / total)


def half_inverted():
    images = DIGITS.train.images.clone()
    images[::2] = 255 - images[::2]
    return dataclasses.replace(DIGITS, train=dataclasses.replace(DIGITS.train, images=images, span=None))


def test_each_finding_is_a_line_before_training():
    listener = Listener()
    recipe = load_recipe("vanilla", ["latent.dim=1"])
    found = look_before_training(half_inverted(), recipe, half_inverted(), listener)
    assert [finding.name for finding in found] == ["data-polarity", "recipe"]
    assert listener.lines == [finding.line for finding in found]
    assert listener.lines[0].startswith("warning: data-polarity: 50%")
    assert listener.lines[1].endswith("Try: --set latent.dim=64")
    assert listener.passes[-1] == 1


def test_a_warning_that_a_finding_holds_is_said_once():
    listener = Listener()
    splits = dataclasses.replace(DIGITS, train=DIGITS.train.select(slice(0, 300)))
    look_before_training(splits, load_recipe("vanilla"), splits, listener)
    assert sum("only 300 training images" in line for line in listener.lines) == 1


def test_wrong_labels_are_a_remark_where_no_label_is_learned():
    shuffled = dataclasses.replace(DIGITS.train, labels=DIGITS.train.labels.flip(0))
    splits = dataclasses.replace(DIGITS, train=shuffled)
    for recipe, severity in (("cgan", 2), ("semi-supervised", 2), ("vanilla", 0), ("forge-2-unconditional", 0)):
        found = look_before_training(splits, load_recipe(recipe), splits, Listener())
        assert [finding.severity for finding in found if finding.name == "label-noise"] == [severity]


def test_a_set_known_by_name_says_nothing():
    listener = Listener()
    assert look_before_training("digits", load_recipe("forge-2"), DIGITS, listener) == ()
    assert not listener.lines and not listener.passes
    other = dataclasses.replace(half_inverted(), origin=f"found somewhere, {NOT_AS_PUBLISHED}")
    found = look_before_training("digits", load_recipe("forge-2"), other, listener)
    assert [finding.name for finding in found] == ["data-polarity"], "files of the same name"


def test_a_run_keeps_what_was_found_before_it(tmp_path):
    listener = Listener()
    run = ganforge.train(
        "vanilla", data=half_inverted(), steps=2, out=tmp_path / "run", changes=["latent.dim=1"], watcher=listener
    )
    kept = json.loads((run.folder / "run.json").read_text())["before"]
    assert [entry["name"] for entry in kept] == ["data-polarity", "recipe"]
    before = case_of(RunFolder(run.folder)).facts.before
    assert [finding.line for finding in before] == [line for line in listener.lines if line.startswith("warning")]
