"""What came of a treatment: which remedy cured, by findings, labels and a comparison with the untreated control.

A remedy cured a run if

1. none of the findings that were treated is left,
2. there is no other finding of severity 2,
3. the label is followed in at least 90 % of what the judge reads from real pictures, where there are labels, and
4. the pictures are better than the control's beyond noise: the 95 % interval of the difference of their Fréchet
   distances to the same real pictures, from ten disjoint tenths of them (`metrics.intervals`), lies above 0.

The interval covers the choice of pictures, not that of the seed.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ganforge.diagnosis.finding import Finding, Remedy
from ganforge.evaluation.evaluator import generate_images, random_subset
from ganforge.evaluation.features import FeatureExtractor, Features
from ganforge.experiment.experiment import Experiment, ProgressListener, count_work
from ganforge.experiment.verdict import kept_verdict
from ganforge.generation.generator import load_generator
from ganforge.judge.choice import choose_judge
from ganforge.metrics.frechet import frechet_distance
from ganforge.metrics.intervals import SPLITS, Interval, split_interval
from ganforge.metrics.measurement import Measurement
from ganforge.metrics.thresholds import FEWEST_FOR_FRECHET, LABEL_FOLLOWED
from ganforge.runs.folder import RunFolder

PICTURES = 5_000
"""Pictures of each trial, and real ones, that are compared."""


@dataclass(frozen=True)
class Arm:
    """A trial: a run folder, and the remedy that it tries; the control has none."""

    folder: RunFolder
    remedy: Remedy | None


@dataclass(frozen=True)
class Outcome:
    """What came of one trial.

    Attributes:
        run: its folder.
        remedy: what it tried; None for the control.
        status: "finished" or "diverged".
        step: its last step.
        findings: names of its findings.
        frechet_distance: of its pictures to real ones; None if it was not measured.
        better_by: interval of the control's Fréchet distance minus this one; None for the control.
        cured: whether the remedy cured the run.
        reasons: why it did, or did not.
    """

    run: Path
    remedy: Remedy | None
    status: str
    step: int
    findings: tuple[str, ...] = ()
    frechet_distance: float | None = None
    better_by: Interval | None = None
    cured: bool = False
    reasons: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The outcome as a line."""
        what = self.remedy.text if self.remedy else "untreated control"
        result = "" if self.remedy is None else "cured: " if self.cured else "not cured: "
        return f"{self.run} · {what} · {result}{'; '.join(self.reasons)}"


@dataclass(frozen=True)
class Treatment:
    """A treatment of a run.

    Attributes:
        treated: names of the findings that were treated.
        steps: further steps of each trial.
        frechet_before: Fréchet distance of the run before the treatment; None if it was not measured.
        outcomes: the trials, the best first, the control last.
    """

    treated: tuple[str, ...]
    steps: int
    frechet_before: float | None
    outcomes: tuple[Outcome, ...]

    @property
    def cured(self) -> bool:
        """Whether a remedy cured the run."""
        return any(outcome.cured for outcome in self.outcomes)

    @property
    def words(self) -> str:
        """The treatment as text, one line for each trial, and how to go on."""
        lines = [f"treatment of {', '.join(self.treated)}, {self.steps:,} further steps each:"]
        lines += [f"  {outcome.words}" for outcome in self.outcomes]
        if self.cured:
            lines.append(f"go on with the winner: ganforge resume {self.outcomes[0].run} --minutes 10")
        else:
            lines.append("no remedy cured the run in this time: more --minutes may, or the next remedies in the list")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        outcomes = [{**asdict(outcome), "run": str(outcome.run)} for outcome in self.outcomes]
        return {**asdict(self), "outcomes": outcomes, "cured": self.cured}


def judge_treatment(
    original: Experiment, treated: Sequence[Finding], arms: Sequence[Arm], steps: int, watcher: ProgressListener
) -> Treatment:
    """Compare the trials of a treatment, whose last one is the control, and say which remedy cured."""
    real, fakes = _features(original, [original.folder, *(arm.folder for arm in arms)], watcher)
    before, *after = fakes
    names = tuple(finding.name for finding in treated)
    outcomes = [_outcome(arm, names, real, fake, after[-1]) for arm, fake in zip(arms, after, strict=True)]
    *trials, control = outcomes
    trials.sort(key=lambda outcome: (not outcome.cured, _or_worst(outcome.frechet_distance)))
    return Treatment(names, steps, _distance(real, before), (*trials, control))


def _features(
    original: Experiment, folders: Sequence[RunFolder], watcher: ProgressListener
) -> tuple[Features | None, list[Features | None]]:
    """Return the features of real test pictures, and of as many of each run; None where none can be had."""
    judge, _ = choose_judge(original.splits)
    number = min(PICTURES, len(original.splits.test))
    if judge is None or number < FEWEST_FOR_FRECHET:
        return None, [None for _ in folders]
    watcher.say(f"comparing {number:,} pictures of each run ...")
    extractor, reals = FeatureExtractor(judge), random_subset(original.splits.test, number, "reals")
    on_progress = count_work(watcher, len(folders), "comparing the runs", "runs")
    fakes = []
    for folder in folders:
        pictures = generate_images(load_generator(folder.path), reals, number, seed=0)
        fakes.append(extractor.look(pictures.images, extractor.numbered(pictures) if pictures.labelled else None))
        on_progress(1)
    return extractor.look_at_set(reals), fakes


def _outcome(
    arm: Arm, treated: Sequence[str], real: Features | None, fake: Features | None, control: Features | None
) -> Outcome:
    saved, verdict = arm.folder.read_run(), kept_verdict(arm.folder)
    findings = verdict.findings if verdict else ()
    outcome = Outcome(
        arm.folder.path,
        arm.remedy,
        saved["status"],
        int(saved["step"]),
        tuple(finding.name for finding in findings),
        _distance(real, fake),
    )
    if outcome.status != "finished":
        return replace(outcome, reasons=(outcome.status,))
    if arm.remedy is None:
        return replace(outcome, reasons=(f"{', '.join(outcome.findings)}; {_frechet_words(outcome)}",))
    better_by = _better_by(real, fake, control)
    faults = [
        *_remaining(findings, treated),
        *_label_faults(verdict.measured if verdict else None),
        *([] if better_by and better_by.low > 0 else ["not better than the control beyond noise"]),
    ]
    reasons = (*(faults or [f"{', '.join(treated)} gone"]), _frechet_words(outcome))
    return replace(outcome, better_by=better_by, cured=not faults, reasons=reasons)


def _remaining(findings: Sequence[Finding], treated: Sequence[str]) -> list[str]:
    """Return what findings speak against a cure."""
    faults = [f"{finding.name} is still there" for finding in findings if finding.name in treated]
    new = [f for f in findings if f.severity == 2 and f.name not in treated]
    return faults + [f"{finding.name} is new" for finding in new]


def _label_faults(measured: Measurement | None) -> list[str]:
    """Return that the label is not followed, if it is not; where there are no labels, nothing."""
    if measured is None or measured.label_agreement is None or measured.from_pictures:
        return []
    followed = measured.label_agreement / (measured.agreement_on_real or 1.0)
    return [] if followed >= LABEL_FOLLOWED else [f"the label is followed in {measured.label_agreement:.0%} only"]


def _distance(real: Features | None, fake: Features | None) -> float | None:
    return frechet_distance(real.features, fake.features) if real and fake else None


def _better_by(real: Features | None, fake: Features | None, control: Features | None) -> Interval | None:
    """Return the 95 % interval of the control's Fréchet distance minus that of the treated run."""
    if not (real and fake and control):
        return None

    def gain(reals: Any, fakes: Any, controls: Any) -> float:
        return frechet_distance(reals, controls) - frechet_distance(reals, fakes)

    return split_interval(gain, real.features, fake.features, control.features, splits=SPLITS)


def _frechet_words(outcome: Outcome) -> str:
    distance = outcome.frechet_distance
    return "Fréchet distance not measured" if distance is None else f"Fréchet distance {distance:.2f}"


def _or_worst(distance: float | None) -> float:
    return float("inf") if distance is None else distance
