"""Small files of a run, damaged in hundreds of ways: each is still used, or refused with one line."""

import json
import random
import shutil

import pytest

import ganforge
from conftest import small_images
from diagnosis_cases import judged
from ganforge.diagnosis.diagnose import diagnose
from ganforge.diagnosis.finding import NAMES, Finding
from ganforge.errors import UserError
from ganforge.evaluation.class_metrics import ClassRow
from ganforge.evaluation.compare import compare, comparison_rows
from ganforge.evaluation.metric_table import MetricValue
from ganforge.evaluation.protocol import Protocol
from ganforge.evaluation.result import Evaluation, parse_evaluation
from ganforge.experiment.api import resume
from ganforge.experiment.evaluate import read_group
from ganforge.experiment.run import complete_run
from ganforge.experiment.saved_recipe import saved_recipe
from ganforge.experiment.verdict import Verdict, kept_verdict
from ganforge.generation.generator import load_generator
from ganforge.metrics.intervals import Interval
from ganforge.metrics.measurement import FORMER_NAMES, Measurement
from ganforge.recipes.reading import load_recipe
from ganforge.runs.checkpoint import Damaged, newest_checkpoint, read_tensors, write_tensors
from ganforge.runs.folder import RunFolder
from ganforge.runs.former_findings import OLD_NAMES
from ganforge.runs.log import cut_back, read_lines, read_log

VALUES = [None, True, -1, 10**30, 1.5, "", "x\ny\0", [], ["a", 1], {}, {"a": None}, float("nan"), float("inf")]
HEADS = [b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"[" * 50_000, b"9" * 5000, b"{", b"#"]


def places(values, path=()):
    """Return the path of keys of every entry of nested values."""
    children = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


def changed(values, path, value):
    """The values with one entry replaced, or removed if the replacement is None twice."""
    copy = json.loads(json.dumps(values))
    place = copy
    for key in path[:-1]:
        place = place[key]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return copy


def damaged_values(values, count, seed):
    """Values with a missing entry, or an entry of another type."""
    rng = random.Random(seed)
    every = sorted(places(values), key=repr)
    for _ in range(count):
        yield changed(values, rng.choice(every), rng.choice([KeyError, *VALUES]))


def damaged_bytes(content, count, seed):
    """Bytes that are cut off, replaced or appended."""
    rng = random.Random(seed)
    yield from (head + content for head in HEADS[1:])
    yield b""
    for _ in range(count):
        at, to = sorted(rng.randrange(len(content) + 1) for _ in range(2))
        middle = bytes(rng.randrange(256) for _ in range(rng.randrange(4)))
        yield rng.choice([content[:at], content[:at] + middle + content[at + 1 :], content[:at] + content[to:]])


def used(do, *arguments):
    """Whether the file could be used; if not, the reason is one printable line."""
    try:
        do(*arguments)
    except UserError as refusal:
        message = str(refusal)
        assert message and message.isprintable() and len(message) < 2000, repr(message)
        return False
    return True


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run of two steps with a measurement, and its data."""
    place, data = tmp_path_factory.mktemp("damage"), small_images()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("GANFORGE_CACHE", str(place / "cache"))
        ganforge.train("vanilla", data=data, steps=2, out=place / "run", changes=["batch_size=8"])
    return place / "run", data


def read_everything(folder):
    """All uses of a run's small files except training."""
    saved = folder.read_run()
    complete_run(folder)
    saved_recipe(folder)
    folder.update_run(step=saved.get("step", 0))


def test_damage_to_run_json(trained, tmp_path):
    folder = RunFolder(shutil.copytree(trained[0], tmp_path / "run"))
    content = folder.run.read_bytes()
    texts = [json.dumps(values).encode() for values in damaged_values(json.loads(content), 250, 1)]
    outcomes = []
    for damage in [*texts, *damaged_bytes(content, 150, 2)]:
        folder.run.write_bytes(damage)
        outcomes.append(used(read_everything, folder))
        if not outcomes[-1]:
            assert not used(resume, folder.path), "what cannot be read cannot be resumed"
    assert 50 < sum(outcomes) < 350, "the damages neither all matter nor all do not"


def test_damage_to_a_recipe(trained, tmp_path):
    content = RunFolder(trained[0]).recipe.read_bytes()
    file = tmp_path / "mine.toml"
    outcomes = []
    deep = [b"a = " + b"[" * 50_000, b"seed = " + b"9" * 5000, b'objective = "x"', b"generator = 1", b"terms = []"]
    for damage in [*deep, *damaged_bytes(content, 200, 3)]:
        file.write_bytes(damage)
        outcomes.append(used(load_recipe, str(file)))
    assert 5 < sum(outcomes) < 200


MEASURED = Measurement(
    judge="digits-1", judge_hash="b2", noun="digit", class_names=["0", "1"], n_fake=100, n_real=50,
    class_shares=[0.5, 0.5], real_class_shares=[0.4, 0.6], classes_present=2, confident=0.9, confident_on_real=0.99,
    class_spread=[0.9, None], within_class_spread=0.9, total_spread=0.9, frechet_distance=0.3, frechet_real_reference=0.2,
    n_real_reference=100, class_recall=[0.9, None], class_recall_real_reference=[0.9, None],
)  # fmt: skip
VERDICT = Verdict(MEASURED, (Finding("healthy", 0, "healthy so far"),))
EVALUATION = Evaluation(
    "runs/vanilla-digits-1",
    Protocol("digits-1", "b2", "digits", "f", "test", 100),
    (
        MetricValue("frechet_distance", 1.0, Interval(0.9, 1.1), 0.5, 30.0, 100),
        MetricValue("recall", 0.5, None, 0.9, 0.0, 100),
    ),
    (ClassRow("0", 0.5, 0.4, 0.9, 1.0, 0.5, 0.9),),
    step=2,
    seed=0,
)


@pytest.mark.parametrize("words", ["", " \n", "a\nb", "a\0b\x1b[31m", "9" * 5000, "\udcff"])
def test_every_refusal_is_one_printable_line(words):
    message = str(UserError(f"{words}"))
    assert message and message.isprintable() and len(message) < 2000


def test_verdicts_and_evaluations_are_read_back():
    assert Verdict.from_dict(json.loads(json.dumps(VERDICT.to_dict()))) == VERDICT


def with_former_names(values):
    """The same record as an earlier version wrote it."""
    former = {new: old for old, new in FORMER_NAMES.items()}
    if isinstance(values, dict):
        return {former.get(name, name): with_former_names(value) for name, value in values.items()}
    return [with_former_names(value) for value in values] if isinstance(values, list) else values


def test_the_names_of_earlier_versions_are_read():
    verdict, evaluation = (with_former_names(json.loads(json.dumps(one.to_dict()))) for one in (VERDICT, EVALUATION))
    assert verdict["measured"]["frechet_floor"] == 0.2 and "frechet_real_reference" not in verdict["measured"]
    assert Verdict.from_dict(verdict) == VERDICT
    figure = evaluation["figures"]["frechet_distance"]
    assert (figure["floor"], figure["ceiling"], evaluation["classes"][0]["recall_floor"]) == (0.5, 30.0, 0.9)
    assert parse_evaluation(evaluation, "file") == EVALUATION


def test_findings_of_earlier_versions_have_the_names_of_this_one(tmp_path):
    line = json.loads(json.dumps(VERDICT.to_dict()))
    for old, (name, severity) in OLD_NAMES.items():
        line["findings"] = [{"name": old, "severity": 2, "text": "t", "remedy": "r"}]
        (finding,) = Verdict.from_dict(line).findings
        assert (finding.name, finding.severity, finding.text) == (name, severity, "t")
        assert name in NAMES


def test_a_verdict_of_an_older_or_newer_version_is_read_where_it_says_enough(trained, tmp_path):
    line = json.loads(json.dumps(VERDICT.to_dict()))
    newer = {**line, "measured": {**line["measured"], "sharpness": 1}, "by": "me"}
    older = {**line, "measured": {k: v for k, v in line["measured"].items() if k not in ("recall", "total_spread")}}
    assert Verdict.from_dict(newer) == VERDICT
    assert Verdict.from_dict(older).measured.total_spread is None
    for lacking in ({}, {**line, "findings": []}, {**line, "measured": {"judge": "digits-0"}}):
        assert Verdict.from_dict(lacking) is None


def test_an_unreadable_verdict_is_measured_again(tmp_path, monkeypatch):
    monkeypatch.setattr("ganforge.experiment.verdict.FAKES", 300)
    order = dict(steps=2, changes=["batch_size=8"], data="digits", out="runs", seeds=1)
    ganforge.train_seeds("vanilla", **order)
    folder = RunFolder("runs/seed-0")
    folder.metrics.write_text('{"step": 2, "measured": {"old": 1}, "findings": [{"name": "x"}]}\n')
    (run,) = ganforge.train_seeds("vanilla", **order)
    assert run.verdict is not None and kept_verdict(folder) == run.verdict


def test_damage_to_lines_of_metrics_and_log(trained, tmp_path):
    folder = RunFolder(shutil.copytree(trained[0], tmp_path / "run"))
    verdict, log = {"step": 2, **json.loads(json.dumps(VERDICT.to_dict()))}, read_lines(folder.log)[-1]
    readable = 0
    for damage in damaged_values(verdict, 200, 4):
        folder.metrics.write_text(json.dumps(damage) + "\n")
        restored = complete_run(folder).verdict
        readable += restored is not None
        assert restored is None or (restored.words.strip() and restored.figures)
    assert 20 < readable < 190
    for damage in damaged_values({**log, "d_real": 0.5, "d_fake": 0.5, "epoch": 1.0}, 100, 5):
        folder.log.write_text(json.dumps(damage) + "\n" + json.dumps(log) + "\n")
        assert diagnose(judged(read_log(folder.log)))
        cut_back(folder.log, 2)


def test_damage_to_an_evaluation(tmp_path):
    values = EVALUATION.to_dict()
    whole, broken = tmp_path / "whole.json", tmp_path / "broken.json"
    whole.write_text(json.dumps(values))
    assert read_group(whole).evaluations[0].metrics == EVALUATION.metrics

    def compared():
        assert comparison_rows(compare([read_group(whole), read_group(broken)]))

    outcomes = []
    texts = [json.dumps(damage).encode() for damage in damaged_values(values, 200, 6)]
    for damage in [*texts, *damaged_bytes(whole.read_bytes(), 100, 7)]:
        broken.write_bytes(damage)
        outcomes.append(used(compared))
    assert 30 < sum(outcomes) < 270


def test_damage_to_the_metadata_of_the_weights(trained, tmp_path):
    tensors, note = read_tensors(RunFolder(trained[0]).generator)
    file = tmp_path / "generator.safetensors"
    outcomes = []
    for damage in damaged_values(note, 100, 8):
        write_tensors(file, tensors, damage)
        outcomes.append(used(load_generator, file))
    assert 5 < sum(outcomes) < 100


def test_a_checkpoint_without_a_valid_step_is_damaged(trained, tmp_path):
    file = tmp_path / "step-000000002.safetensors"
    tensors, note = read_tensors(RunFolder(trained[0]).checkpoints / file.name)
    for damage in ({**note, "step": "2"}, {**note, "step": -1}, {**note, "images_seen": None}, {"images_seen": 16}):
        write_tensors(file, tensors, damage)
        with pytest.raises(Damaged, match="is not a number"):
            newest_checkpoint(tmp_path)
