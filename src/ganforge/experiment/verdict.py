"""The verdict at the end of a run: one line with the judge's metrics, one line with the findings."""

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ganforge.data.images import ImageSet, Splits
from ganforge.diagnosis.findings import Finding, find
from ganforge.errors import UserError
from ganforge.experiment.experiment import ProgressListener
from ganforge.generation.generator import Generator
from ganforge.judge.domain import ALIKE, digit_domain
from ganforge.judge.judge import Judge, Report
from ganforge.judge.measure import CONFIDENT, Measurement, measure
from ganforge.judge.network import IMAGE_SHAPE
from ganforge.judge.shipped import load_judge
from ganforge.judge.training import refuse_what_cannot_be_judged
from ganforge.judge.user_judges import USABLE, kept_judge
from ganforge.runs.folder import RunFolder
from ganforge.runs.log import append_line, fitting, read_lines, read_log
from ganforge.training.tuning.thread_spinning import considerate_spinning

FAKES = 10_000
READABLE = 0.8
"""Lowest accuracy on labelled real images at which the judge of digits is used."""
SURE = 0.6
"""Lowest share of confident predictions on unlabelled real images; not sufficient, as alphabets reach it too."""
ENOUGH = 1000
"""Real images for the choice of the judge: a share of a few dozen is unreliable."""
GOOD_ACCURACY = 0.95
"""If the judge's accuracy on real images is lower, the verdict quotes it."""
PLURALS = {"digit": "digits", "class": "classes"}


@dataclass(frozen=True)
class Verdict:
    """The judge's metrics of a trained generator, and the findings, most serious first."""

    measured: Measurement
    findings: tuple[Finding, ...]

    @property
    def figures(self) -> str:
        """The first line: the metrics."""
        m = self.measured
        parts = [f"{m.classes_present} of {len(m.class_shares)} {PLURALS[m.noun]} appear"]
        if m.within_class_spread is not None:
            parts.append(f"spread within a {m.noun} {m.within_class_spread:.2f} of real")
        else:
            parts.append(f"spread {m.total_spread or 0:.2f} of real")
        if m.label_agreement is not None:
            accuracy_on_real = m.agreement_on_real if m.agreement_on_real is not None else 1.0
            reference = f" (the judge: {accuracy_on_real:.0%} of real ones)" if accuracy_on_real < GOOD_ACCURACY else ""
            parts.append(f"the requested {m.noun} in {m.label_agreement:.1%}{reference}")
        if m.frechet_distance is not None and m.frechet_floor is not None:
            parts.append(f"Fréchet distance {m.frechet_distance:.2f} (real against real {m.frechet_floor:.2f})")
        else:
            parts.append(f"{m.n_real} real test images are too few for a Fréchet distance")
        return f"{' · '.join(parts)} · n = {m.n_fake:,}"

    @property
    def words(self) -> str:
        """The second line: the findings, and a remedy for the most serious one."""
        remedy = self.findings[0].remedy
        return "; ".join(finding.text for finding in self.findings) + (f". Try: {remedy}" if remedy else "")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "measured": dataclasses.asdict(self.measured),
            "findings": [dataclasses.asdict(finding) for finding in self.findings],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Verdict | None":
        """Return the verdict of a `to_dict`, also of another version; None if too much is missing."""
        verdict = fitting(cls, values)
        return verdict if verdict and verdict.findings else None


def kept_verdict(folder: RunFolder) -> Verdict | None:
    """Return the latest verdict on a run's last step; None if this version can read none."""
    step = folder.read_run().get("step", 0)
    lines = [line for line in read_lines(folder.metrics) if "findings" in line and line["step"] == step]
    return Verdict.from_dict(lines[-1]) if lines else None


@considerate_spinning()
def judge_run(generator: Generator, splits: Splits, folder: RunFolder, watcher: ProgressListener) -> Verdict | None:
    """Measure a generator, write a line of ``metrics.jsonl`` and return the verdict.

    Returns None if no judge fits the data, and reports the reason to the watcher.
    """
    done = 0

    def report(count: int) -> None:
        nonlocal done
        done += count
        watcher.judging(done, max(done, len(splits.test) + FAKES + min(FAKES, len(splits.train))))

    try:
        judge, reason = choose_judge(splits, report)
        if judge is None:
            watcher.say(f"no verdict: {reason}{_how_to_get_a_judge(splits, folder)}")
            return None
        watcher.say(f"judging {FAKES:,} pictures ...")
        requested = torch.arange(FAKES) % len(generator.class_names) if generator.class_names else None
        fakes = generator.sample_classes(FAKES, requested, seed=0)
        labels = judge.numbered(requested, generator.class_names) if requested is not None else None
        measured = measure(judge, splits.test, fakes, labels, splits.train, report)
    finally:
        watcher.end()
    findings = find(dataclasses.asdict(measured), read_log(folder.log))
    verdict = Verdict(measured, tuple(findings))
    append_line(folder.metrics, {"step": generator.note["step"], **verdict.to_dict()})
    return verdict


def choose_judge(splits: Splits, report: Report | None = None) -> tuple[Judge | None, str]:
    """Return the judge of digits for handwritten digits, else the user's judge of these data; or None and the reason.

    The confidence of a judge is not sufficient: the images must be of its kind (`why_no_digits`). A judge that the user
    trained is stored under the fingerprint of its images and is used for no others.
    """
    if len(splits.test) < 2:
        return None, "a single test image is not enough for a comparison"
    reason = why_no_digits(splits, report) if splits.test.shape == IMAGE_SHAPE else ""
    if splits.test.shape == IMAGE_SHAPE and not reason:
        return load_judge(), ""
    try:
        user_judge = kept_judge(splits)
    except UserError as error:
        return None, str(error)
    if user_judge is None:
        return None, f"no judge fits these images{reason and f': {reason}'}"
    if (share := _share_read(user_judge, splits.test, report)) < USABLE:
        return None, f"{user_judge.version} classifies only {share:.0%} of the real images correctly"
    return user_judge, ""


def why_no_digits(splits: Splits, report: Report | None = None) -> str:
    """Return why the judge of digits does not fit real images; empty if they are handwritten digits.

    Labels decide if there are any: the judge must agree with the names of the classes. Without labels, the judge must
    be confident on most images, and their features must be those of digits (`ganforge.judge.domain`).
    """
    judge, images = load_judge(), _evidence(splits)
    if images.labelled:
        if unknown := [name for name in images.class_names if name not in judge.class_names]:
            return f"the judge of digits knows the classes 0 to 9, and no class {unknown[0]}"
        accuracy = _share_read(judge, images, report)
        return "" if accuracy >= READABLE else f"the judge of digits agrees with the labels of {accuracy:.0%} of them"
    predictions = judge.look_at_set(images, report)
    confident = float((predictions.confidence >= CONFIDENT).double().mean())
    if confident < SURE:
        return f"the judge of digits is confident on only {confident:.0%} of them"
    if digit_domain().likeness(predictions) < ALIKE:
        return "to the judge of digits they look like letters or other shapes, not like handwritten digits"
    return ""


def why_foreign(judge: Judge, splits: Splits) -> str:
    """Return why a judge that the user named does not fit real images; empty if it does."""
    if judge.hash == load_judge().hash:
        return why_no_digits(splits)
    share = _share_read(judge, splits.test, None)
    manner = "correctly" if splits.test.labelled else "with confidence"
    return "" if share >= USABLE else f"{judge.version} classifies {share:.0%} of the real images {manner}"


def _evidence(splits: Splits) -> ImageSet:
    """Return the test images; if there are fewer than `ENOUGH`, validation and training images are added."""
    images = splits.test
    for more in (splits.validation, splits.train):
        if len(images) < ENOUGH:
            images = images.concat(more.select(slice(0, ENOUGH - len(images))))
    return images


def _share_read(judge: Judge, images: ImageSet, report: Report | None) -> float:
    """Return the share of real images that a judge classifies correctly, or, without labels, with confidence."""
    predictions = judge.look_at_set(images, report)
    if images.labelled:
        return float((predictions.classes == judge.numbered(images.labels, images.class_names)).double().mean())
    return float((predictions.confidence >= CONFIDENT).double().mean())


def _how_to_get_a_judge(splits: Splits, folder: RunFolder) -> str:
    """Return the end of a message: how to train a judge of these data, or why none can be trained."""
    if not splits.test.labelled:
        return ", and none can be trained without labels; look at the samples"
    try:
        refuse_what_cannot_be_judged(splits)
    except UserError as error:
        return f", and none can be trained: {error}; look at the samples"
    if len(splits.test) < 2:
        return "; reserve more test images"
    data = folder.read_run()["data"]
    if not data.get("source"):
        return "; train one with 'ganforge judge train FILE'"
    resize = f" --resize {data['resize']}" if data.get("resize") else ""
    skip = " --skip-bad" if data.get("skip_bad") else ""
    command = f"ganforge judge train {shlex.quote(data['source'])}{resize}{skip}"
    return f"; train one with '{command}', and 'ganforge resume {folder.path}' then adds the verdict"
