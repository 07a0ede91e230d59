"""The verdict at the end of a run: one line with the judge's metrics, one line with the findings."""

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganforge.data.images import Splits
from ganforge.diagnosis.case import Signals
from ganforge.diagnosis.diagnose import diagnose
from ganforge.diagnosis.finding import Finding
from ganforge.diagnosis.words import plural
from ganforge.errors import UserError
from ganforge.evaluation.evaluator import Evaluator, generate_images
from ganforge.evaluation.features import FeatureExtractor
from ganforge.experiment.case import case_of
from ganforge.experiment.experiment import ProgressListener, count_images
from ganforge.generation.generator import Generator
from ganforge.judge.choice import choose_judge
from ganforge.judge.training import refuse_what_cannot_be_judged
from ganforge.metrics.measurement import Measurement, with_current_names
from ganforge.metrics.thresholds import GOOD_ACCURACY
from ganforge.runs.folder import RunFolder
from ganforge.runs.former_findings import with_current_name
from ganforge.runs.log import append_line, fitting, read_lines
from ganforge.training.tuning.thread_spinning import considerate_spinning

FAKES = 10_000
"""Number of generated images that a verdict measures."""
FEATURES = {"judge": "the judge", "labels": "a small classifier of the training images", "random": "random features"}
"""Where the figures of an examination come from, in words."""


@dataclass(frozen=True)
class Verdict:
    """The figures of a trained generator, and the findings, most serious first.

    Attributes:
        measured: the judge's metrics; None where no judge fits the data.
        findings: at least one.
        examined: the last examination of the training, from which a run without a judge has its figures.
    """

    measured: Measurement | None
    findings: tuple[Finding, ...]
    examined: Signals | None = None

    @property
    def figures(self) -> str:
        """The first line: the metrics."""
        if self.measured:
            return _judged_figures(self.measured)
        return _examined_figures(self.examined) if self.examined else ""

    @property
    def words(self) -> str:
        """The second line: the findings, and a remedy for the most serious one."""
        remedy = self.findings[0].remedy
        return "; ".join(finding.text for finding in self.findings) + (f". Try: {remedy}" if remedy else "")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "measured": dataclasses.asdict(self.measured) if self.measured else None,
            "findings": [dataclasses.asdict(finding) for finding in self.findings],
            "examined": dataclasses.asdict(self.examined) if self.examined else None,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Verdict | None":
        """Return the verdict of a `to_dict`, also of another version; None if too much is missing."""
        measured, findings = values.get("measured"), values.get("findings")
        if isinstance(measured, Mapping):
            values = {**values, "measured": with_current_names(measured)}
        if isinstance(findings, list):
            values = {**values, "findings": [with_current_name(finding) for finding in findings]}
        verdict = fitting(cls, values)
        return verdict if verdict and verdict.findings and (verdict.measured or verdict.examined) else None


def _judged_figures(m: Measurement) -> str:
    parts = [f"{m.classes_present} of {len(m.class_shares)} {plural(m.noun)} appear"]
    if m.within_class_spread is not None:
        parts.append(f"spread within a {m.noun} {m.within_class_spread:.2f} of real")
    else:
        parts.append(f"spread {m.total_spread or 0:.2f} of real")
    if m.label_agreement is not None:
        accuracy_on_real = m.agreement_on_real if m.agreement_on_real is not None else 1.0
        reference = f" (the judge: {accuracy_on_real:.0%} of real ones)" if accuracy_on_real < GOOD_ACCURACY else ""
        asked = f"the true {m.noun} is read" if m.from_pictures else f"the requested {m.noun}"
        parts.append(f"{asked} in {m.label_agreement:.1%}{reference}")
    if m.frechet_distance is not None and m.frechet_real_reference is not None:
        parts.append(f"Fréchet distance {m.frechet_distance:.2f} (real against real {m.frechet_real_reference:.2f})")
    else:
        parts.append(f"{m.n_real} real test images are too few for a Fréchet distance")
    return f"{' · '.join(parts)} · n = {m.n_fake:,}"


def _examined_figures(s: Signals) -> str:
    """The figures of a run without a judge, by the features of a small network or of a random one."""
    spread = "real pictures are all equal" if s.spread is None else f"spread {s.spread:.2f} of real"
    parts = [f"without a judge, by {FEATURES.get(s.features, s.features)}: {spread}"]
    if s.label_agreement is not None and s.agreement_on_real is not None:
        parts.append(f"the requested class in {s.label_agreement:.0%} (real ones: {s.agreement_on_real:.0%})")
    if s.frechet is not None and s.frechet_real_reference is not None:
        parts.append(f"Fréchet distance {s.frechet:.2f} (real against real {s.frechet_real_reference:.2f})")
    return f"{' · '.join(parts)} · n = {s.n:,}"


def kept_verdict(folder: RunFolder) -> Verdict | None:
    """Return the latest verdict on a run's last step; None if this version can read none."""
    step = folder.read_run().get("step", 0)
    lines = [line for line in read_lines(folder.metrics) if "findings" in line and line["step"] == step]
    return Verdict.from_dict(lines[-1]) if lines else None


def judge_run(generator: Generator, splits: Splits, folder: RunFolder, watcher: ProgressListener) -> Verdict | None:
    """Measure a generator, write a line of ``metrics.jsonl`` and return the verdict.

    Without a judge that fits the data, the verdict rests on the examinations during the training. Returns None if there
    are none of these either, and reports the reason to the watcher.
    """
    measured, reason = _measure(generator, splits, folder, watcher)
    case = case_of(folder, measured)
    if measured is None and not case.signals:
        watcher.say(f"no verdict: {reason}")
        return None
    if measured is None:
        watcher.say(f"without a judge: {reason}")
    verdict = Verdict(measured, tuple(diagnose(case)), case.signals[-1] if case.signals else None)
    append_line(folder.metrics, {"step": generator.note["step"], **verdict.to_dict()})
    return verdict


@considerate_spinning()
def _measure(
    generator: Generator, splits: Splits, folder: RunFolder, watcher: ProgressListener
) -> tuple[Measurement | None, str]:
    """Return the judge's measurement, or None and the reason that there is none."""
    on_progress = count_images(watcher, len(splits.test) + FAKES + min(FAKES, len(splits.train)))
    try:
        judge, reason = choose_judge(splits, on_progress)
        if judge is None:
            return None, f"{reason}{_how_to_get_a_judge(splits, folder)}"
        watcher.say(f"judging {FAKES:,} pictures ...")
        evaluator = Evaluator(
            FeatureExtractor(judge), splits, "test", FAKES, reals=splits.test, on_progress=on_progress, say=watcher.say
        )
        measured = evaluator.measure(generate_images(generator, splits.test, FAKES, seed=0))
        return dataclasses.replace(measured, from_pictures=generator.recipe.pairs is not None), ""
    finally:
        watcher.end()


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
