"""The two lines at the end of a run: what the judge measured, and what that means."""

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
from ganforge.judge.domain import ALIKE, digit_domain
from ganforge.judge.judge import Judge, Report
from ganforge.judge.measure import CONFIDENT, Measurement, measure
from ganforge.judge.network import IMAGE_SHAPE
from ganforge.judge.shipped import load_judge
from ganforge.judge.training import refuse_what_cannot_be_judged
from ganforge.judge.user_judges import USABLE, kept_judge
from ganforge.runs.folder import RunFolder
from ganforge.runs.log import append_line, fitting, read_lines, read_log
from ganforge.sampling import Generator
from ganforge.training.thread_spinning import considerate_spinning

FAKES = 10_000
READABLE = 0.8
"""Share of the real images with labels that the judge of digits must read rightly to have a say."""
SURE = 0.6
"""Share of the real images without labels that it must be sure of; of whole alphabets it is sure of so many too."""
ENOUGH = 1000
"""Real images that decide which judge looks: of a few dozens a share says little."""
PLAIN = 0.95
"""A judge that reads less than this of the real images has its share put beside that of the pictures."""
PLURALS = {"digit": "digits", "class": "classes"}


@dataclass(frozen=True)
class Verdict:
    """What the judge measured on a trained generator, and the findings, the gravest first."""

    measured: Measurement
    findings: tuple[Finding, ...]

    @property
    def figures(self) -> str:
        """The first line: the figures."""
        m = self.measured
        parts = [f"{m.classes_present} of {len(m.class_shares)} {PLURALS[m.noun]} appear"]
        if m.within_class_spread is not None:
            parts.append(f"spread within a {m.noun} {m.within_class_spread:.2f} of real")
        else:
            parts.append(f"spread {m.total_spread or 0:.2f} of real")
        if m.label_agreement is not None:
            reads = m.agreement_on_real if m.agreement_on_real is not None else 1.0
            beside = f" (the judge reads {reads:.0%} of real ones)" if reads < PLAIN else ""
            parts.append(f"the {m.noun} asked for in {m.label_agreement:.1%}{beside}")
        if m.frechet_distance is not None and m.frechet_floor is not None:
            parts.append(f"Fréchet distance {m.frechet_distance:.2f} (real against real {m.frechet_floor:.2f})")
        else:
            parts.append(f"{m.n_real} real test images are too few for a Fréchet distance")
        return f"{' · '.join(parts)} · n = {m.n_fake:,}"

    @property
    def words(self) -> str:
        """The second line: the findings, and what to try against the gravest."""
        remedy = self.findings[0].remedy
        return "; ".join(finding.text for finding in self.findings) + (f". Try: {remedy}" if remedy else "")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "measured": dataclasses.asdict(self.measured),
            "findings": [dataclasses.asdict(finding) for finding in self.findings],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Verdict | None":
        """Return what `to_dict` was made of, also by another version; None where too much of it is missing."""
        verdict = fitting(cls, values)
        return verdict if verdict and verdict.findings else None


def kept_verdict(folder: RunFolder) -> Verdict | None:
    """Return the last verdict on a run's last step; None where there is none that this version can read."""
    step = folder.read_run().get("step", 0)
    lines = [line for line in read_lines(folder.metrics) if "findings" in line and line["step"] == step]
    return Verdict.from_dict(lines[-1]) if lines else None


@considerate_spinning()
def judge_run(generator: Generator, splits: Splits, folder: RunFolder, watcher: ProgressListener) -> Verdict | None:
    """Measure a generator, write a line of ``metrics.jsonl`` and return the verdict.

    Returns None where no judge reads the data, and tells the watcher why.
    """
    looked = 0

    def report(count: int) -> None:
        nonlocal looked
        looked += count
        watcher.judging(looked, max(looked, len(splits.test) + FAKES + min(FAKES, len(splits.train))))

    try:
        judge, why_none = choose_judge(splits, report)
        if judge is None:
            watcher.say(f"no verdict: {why_none}{_make_one(splits, folder)}")
            return None
        watcher.say(f"judging {FAKES:,} pictures ...")
        asked = torch.arange(FAKES) % len(generator.class_names) if generator.class_names else None
        fakes = generator.sample_classes(FAKES, asked, seed=0)
        numbers = judge.numbered(asked, generator.class_names) if asked is not None else None
        measured = measure(judge, splits.test, fakes, numbers, splits.train, report)
    finally:
        watcher.end()
    findings = find(dataclasses.asdict(measured), read_log(folder.log))
    verdict = Verdict(measured, tuple(findings))
    append_line(folder.metrics, {"step": generator.note["step"], **verdict.to_dict()})
    return verdict


def choose_judge(splits: Splits, report: Report | None = None) -> tuple[Judge | None, str]:
    """Return the judge of digits where the images are handwritten digits, else the one kept for them; or None, and why.

    That a judge is sure of images says nothing: they must be of the kind that it was made for (`why_no_digits`). A
    judge that the user trained is kept under the fingerprint of its images, and so looks at no others.
    """
    if len(splits.test) < 2:
        return None, "one test image is too little to compare with"
    why = why_no_digits(splits, report) if splits.test.shape == IMAGE_SHAPE else ""
    if splits.test.shape == IMAGE_SHAPE and not why:
        return load_judge(), ""
    try:
        kept = kept_judge(splits)
    except UserError as error:
        return None, str(error)
    if kept is None:
        return None, f"no judge reads these images{why and f': {why}'}"
    if (share := _reads(kept, splits.test, report)) < USABLE:
        return None, f"{kept.version} reads {share:.0%} of the real images only"
    return kept, ""


def why_no_digits(splits: Splits, report: Report | None = None) -> str:
    """Say why real images are none for the judge of digits; nothing where they are handwritten digits.

    Where they have labels, these tell: the judge must read the digit that the name of the class says. Where they have
    none, the judge must be sure of most, and its features must be those of digits (`ganforge.judge.domain`).
    """
    judge, images = load_judge(), _evidence(splits)
    if images.labelled:
        if others := [name for name in images.class_names if name not in judge.class_names]:
            return f"the judge of digits knows the classes 0 to 9, and no class {others[0]}"
        reads = _reads(judge, images, report)
        return "" if reads >= READABLE else f"the judge of digits reads {reads:.0%} of them as their labels say"
    seen = judge.look_at_set(images, report)
    sure = float((seen.confidence >= CONFIDENT).double().mean())
    if sure < SURE:
        return f"the judge of digits is sure of {sure:.0%} of them only"
    if digit_domain().likeness(seen) < ALIKE:
        return "to the judge of digits they look like letters or other shapes, not like handwritten digits"
    return ""


def why_foreign(judge: Judge, splits: Splits) -> str:
    """Say why real images are none for a judge that the user named; nothing where they are, or nothing is known."""
    if judge.hash == load_judge().hash:
        return why_no_digits(splits)
    reads = _reads(judge, splits.test, None)
    how = "rightly" if splits.test.labelled else "surely"
    return "" if reads >= USABLE else f"{judge.version} reads {reads:.0%} of the real images {how}"


def _evidence(splits: Splits) -> ImageSet:
    """Return the test images, or as many of all as say reliably what they are where these are few."""
    images = splits.test
    for more in (splits.validation, splits.train):
        if len(images) < ENOUGH:
            images = images.concat(more.select(slice(0, ENOUGH - len(images))))
    return images


def _reads(judge: Judge, images: ImageSet, report: Report | None) -> float:
    """Share of the real images that a judge reads rightly, or, without labels, surely."""
    seen = judge.look_at_set(images, report)
    if images.labelled:
        return float((seen.classes == judge.numbered(images.labels, images.class_names)).double().mean())
    return float((seen.confidence >= CONFIDENT).double().mean())


def _make_one(splits: Splits, folder: RunFolder) -> str:
    """Say how a judge of these data is made, or why none can be."""
    if not splits.test.labelled:
        return ", and without labels none can be trained; look at the samples"
    try:
        refuse_what_cannot_be_judged(splits)
    except UserError as why:
        return f", and none can be trained: {why}; look at the samples"
    if len(splits.test) < 2:
        return "; set more apart for testing"
    data = folder.read_run()["data"]
    if not data.get("source"):
        return "; 'ganforge judge train FILE' would make one"
    resize = f" --resize {data['resize']}" if data.get("resize") else ""
    skip = " --skip-bad" if data.get("skip_bad") else ""
    command = f"ganforge judge train {shlex.quote(data['source'])}{resize}{skip}"
    return f"; '{command}' would make one, and then 'ganforge resume {folder.path}' gives the verdict"
