"""The two lines at the end of a run: what the judge measured, and what that means."""

import dataclasses
import shlex
from dataclasses import dataclass
from typing import Any

import torch

from ganforge.data.images import Splits
from ganforge.diagnosis.findings import Finding, find
from ganforge.errors import UserError
from ganforge.experiment.setup import Watcher
from ganforge.judge.digits import load_judge
from ganforge.judge.kept import USABLE, kept_judge
from ganforge.judge.look import Judge, Report
from ganforge.judge.measure import Measurement, measure
from ganforge.judge.network import IMAGE_SHAPE
from ganforge.judge.training import refuse_what_cannot_be_judged
from ganforge.runs.folder import RunFolder
from ganforge.runs.log import append_line, read_lines
from ganforge.sampling import Generator
from ganforge.training.spinning import considerate_spinning

FAKES = 10_000
READABLE = 0.8
"""Share of the real images that the judge of digits must read rightly (or surely, without labels) to have a say."""
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
    def from_dict(cls, values: dict[str, Any]) -> "Verdict":
        """Return what `to_dict` was made of."""
        return cls(Measurement(**values["measured"]), tuple(Finding(**finding) for finding in values["findings"]))


@considerate_spinning()
def judge_run(generator: Generator, splits: Splits, folder: RunFolder, watcher: Watcher) -> Verdict | None:
    """Measure a generator, write a line of ``metrics.jsonl`` and return the verdict.

    Returns None where no judge reads the data, and tells the watcher why.
    """
    looked = 0

    def report(count: int) -> None:
        nonlocal looked
        looked += count
        watcher.judging(looked, len(splits.test) + FAKES + min(FAKES, len(splits.train)))

    try:
        judge, why_none = choose_judge(splits, report)
        if judge is None:
            watcher.say(f"no verdict: {why_none}{_make_one(splits, folder)}")
            return None
        watcher.say(f"judging {FAKES:,} pictures ...")
        asked = torch.arange(FAKES) % len(generator.class_names) if generator.class_names else None
        fakes = generator.sample(FAKES, labels=asked.tolist() if asked is not None else None, seed=0)
        measured = measure(judge, splits.test, fakes, asked, splits.train, report)
    finally:
        watcher.end()
    findings = find(dataclasses.asdict(measured), read_lines(folder.log))
    verdict = Verdict(measured, tuple(findings))
    append_line(folder.metrics, {"step": generator.note["step"], **verdict.to_dict()})
    return verdict


def choose_judge(splits: Splits, report: Report | None = None) -> tuple[Judge | None, str]:
    """Return the judge of digits where it reads the data, else the one kept for them; or None, and why."""
    if len(splits.test) < 2:
        return None, "one test image is too little to compare with"
    if splits.test.shape == IMAGE_SHAPE and _reads(load_judge(), splits, report) >= READABLE:
        return load_judge(), ""
    try:
        kept = kept_judge(splits)
    except UserError as error:
        return None, str(error)
    if kept is None:
        return None, "no judge reads these images"
    if (share := _reads(kept, splits, report)) < USABLE:
        return None, f"{kept.version} reads {share:.0%} of the real images only"
    return kept, ""


def _reads(judge: Judge, splits: Splits, report: Report | None) -> float:
    """Share of the real images that a judge reads rightly, or, without labels, surely."""
    seen = judge.look_at_set(splits.test, report)
    if splits.test.labelled:
        return float((seen.classes == splits.test.labels).double().mean())
    return float((seen.confidence >= READABLE).double().mean())


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
