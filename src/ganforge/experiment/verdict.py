"""The two lines at the end of a run: what the judge measured, and what that means."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch

from ganforge.data.images import Splits
from ganforge.diagnosis.findings import Finding, find
from ganforge.experiment.setup import Watcher
from ganforge.judge.digits import Judge, Report, load_judge
from ganforge.judge.measure import Measurement, measure
from ganforge.judge.network import IMAGE_SHAPE
from ganforge.runs.folder import RunFolder
from ganforge.runs.log import append_line, read_lines
from ganforge.sampling import Generator

FAKES = 10_000
READABLE = 0.8
"""Share of the real images that the judge must read rightly (or surely, without labels) to have a say."""


@dataclass(frozen=True)
class Verdict:
    """What the judge measured on a trained generator, and the findings, the gravest first."""

    measured: Measurement
    findings: tuple[Finding, ...]

    @property
    def figures(self) -> str:
        """The first line: the figures."""
        m = self.measured
        parts = [f"{m.classes_present} of {len(m.class_shares)} digits appear"]
        if m.within_class_spread is not None:
            parts.append(f"spread within a digit {m.within_class_spread:.2f} of real")
        else:
            parts.append(f"spread {m.total_spread or 0:.2f} of real")
        if m.label_agreement is not None:
            parts.append(f"the digit asked for in {m.label_agreement:.1%}")
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


def judge_run(generator: Generator, splits: Splits, folder: RunFolder, watcher: Watcher) -> Verdict | None:
    """Measure a generator on digit data, write a line of ``metrics.jsonl`` and return the verdict.

    Returns None where the data are not digits that the judge can read.
    """
    if splits.test.shape != IMAGE_SHAPE or len(splits.test) < 2:
        return None
    judge, looked = load_judge(), 0

    def report(count: int) -> None:
        nonlocal looked
        looked += count
        watcher.judging(looked, len(splits.test) + FAKES + min(FAKES, len(splits.train)))

    try:
        watcher.say(f"judging {FAKES:,} pictures ...")
        if not _reads(judge, splits, report):
            return None
        asked = torch.arange(FAKES) % len(generator.class_names) if generator.class_names else None
        fakes = generator.sample(FAKES, labels=asked.tolist() if asked is not None else None, seed=0)
        measured = measure(judge, splits.test, fakes, asked, splits.train, report)
    finally:
        watcher.end()
    findings = find(dataclasses.asdict(measured), read_lines(folder.log))
    verdict = Verdict(measured, tuple(findings))
    append_line(folder.metrics, {"step": generator.note["step"], **verdict.to_dict()})
    return verdict


def _reads(judge: Judge, splits: Splits, report: Report) -> bool:
    seen = judge.look_at_set(splits.test, report)
    if splits.test.labelled:
        return bool((seen.classes == splits.test.labels).double().mean() >= READABLE)
    return bool((seen.confidence >= READABLE).double().mean() >= READABLE)
