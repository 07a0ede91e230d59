"""Figures over the steps of a run: from its examinations, its log and its measurements on validation images."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from ganforge.applications.report.class_tables import class_table
from ganforge.applications.report.losses import points_of
from ganforge.applications.report.record import METRIC, RunRecord
from ganforge.diagnosis.case import Signals
from ganforge.diagnosis.figures import Figures, figures
from ganforge.diagnosis.finding import Finding
from ganforge.diagnosis.moments import until
from ganforge.experiment.verdict import FEATURES
from ganforge.metrics.thresholds import NEAR
from ganforge.reports.blocks import Block, Charts, FindingCard, Words
from ganforge.reports.charts import Chart, Curve, Point, number

WITHOUT_SIGNALS = (
    "This run has no examinations (signals.jsonl): it was trained by an earlier version, or too briefly for one."
)
COURSES = (
    ("spread", "Spread of the pictures, of the real one", 1.0),
    ("recall", "Recall: share of real pictures that are near to a fake", None),
    ("label_agreement", "Share of pictures read as the class asked for", None),
    ("nearer_to_training", "Fakes nearer to training than to held-out pictures", 0.5),
)
"""Signals of a healthy run that are worth a look: field, title, and the value of perfect pictures where it is fixed."""
REFERENCES = {"recall": "recall_real_reference", "label_agreement": "agreement_on_real"}
"""The signal that holds the value of other real pictures."""
SIGNAL_NAMES = {field.name for field in fields(Signals)}
FIGURE_NAMES = {field.name for field in fields(Figures)} | {"distance", "followed"}
"""Figures of the pictures, each with one name, whether a judge or a signal tells them."""


def signal_points(record: RunRecord, name: str) -> list[Point]:
    """Return a field of the examinations by step, where it is a single number."""
    return _numbers((signals.step, getattr(signals, name)) for signals in record.signals)


def course(record: RunRecord, name: str) -> list[Point]:
    """Return a figure by step: of the pictures (`Figures`), of the examinations, or of the log; empty if unknown."""
    if name in FIGURE_NAMES and record.case:
        case, steps = record.case, [signals.step for signals in record.signals]
        return _numbers((step, getattr(figures(until(case, step)), name)) for step in steps)
    return signal_points(record, name) if name in SIGNAL_NAMES else points_of(record, name)


def _numbers(values: Iterable[tuple[int, object]]) -> list[Point]:
    return [(float(step), float(value)) for step, value in values if isinstance(value, int | float)]


def finding_blocks(record: RunRecord, run: str = "") -> list[Block]:
    """Return a card for each finding, with the course of each of its figures that has one.

    Args:
        record: the run.
        run: its name on the cards, on a page of several runs.
    """
    return [FindingCard(finding, _charts(record, finding), run) for finding in record.findings]


def _charts(record: RunRecord, finding: Finding) -> list[Chart]:
    drawn = [(evidence, course(record, evidence.signal)) for evidence in finding.evidence if evidence.signal]
    mark = (float(finding.since), "first seen") if finding.since is not None else None
    return [
        Chart(evidence.name, [Curve(record.name, points)], healthy=(evidence.low, evidence.high), mark=mark)
        for evidence, points in drawn
        if len(points) > 1
    ]


def class_blocks(record: RunRecord) -> list[Block]:
    """Return the share of each class over time, beside its share among real pictures."""
    examined = [signals for signals in record.signals if signals.class_shares]
    if not record.signals:
        return [Words(WITHOUT_SIGNALS, "missing")]
    if not examined:
        return [Words("The data have no labels, or no network reads them, so no class can be counted.", "missing")]
    last = examined[-1]
    names = _class_names(record, len(last.class_shares))
    rows = []
    for number_of_class in range(len(names)):
        points = [(float(s.step), s.class_shares[number_of_class]) for s in examined]
        real = last.real_class_shares[number_of_class] if last.real_class_shares else None
        levels = [] if real is None else [("among real pictures", real)]
        chart = Chart(f"share of class {names[number_of_class]}", [Curve("share", points)], levels=levels)
        lowest, step = min((share, step) for step, share in points)
        cells = (f"{points[-1][1]:.1%}", "" if real is None else f"{real:.1%}", f"{lowest:.1%} at step {step:,.0f}")
        rows.append((names[number_of_class], chart, *cells))
    title = "Share of each class among the pictures of one fixed noise; dashed: among real pictures"
    return class_table(title, ("class", "over time", "at the end", "of real", "lowest"), rows)


def _class_names(record: RunRecord, count: int) -> list[str]:
    """Return the names of the classes of the training set, of the judge where that has none, else their numbers."""
    measured = record.verdict.measured if record.verdict else None
    known = [record.case.facts.class_names if record.case else (), measured.class_names if measured else ()]
    return next((list(names) for names in known if len(names) == count), [str(k) for k in range(count)])


def course_charts(record: RunRecord) -> list[Chart]:
    """Return the courses of the figures that every run has, as far as this one has them."""
    charts = [chart] if (chart := distance_chart([record])) else []
    for name, title, ideal in COURSES:
        points = signal_points(record, name)
        if len(points) < 2:
            continue
        reference = signal_points(record, REFERENCES[name])[-1:] if name in REFERENCES else []
        levels = [("perfect", ideal)] if ideal is not None else [("real pictures", y) for _, y in reference]
        charts.append(Chart(title, [Curve(record.name, points)], levels=levels))
    return charts


def distance_chart(records: Sequence[RunRecord], by_seconds: bool = False) -> Chart | None:
    """Return the Fréchet distance of runs over steps or seconds; None without any.

    It is drawn in multiples of real against real at equal numbers, since a distance of few pictures is larger.
    """
    curves = [Curve(record.name, points) for record in records if len(points := _distances(record, by_seconds)) > 1]
    if not curves:
        return None
    across, by = ("seconds of training", " by seconds") if by_seconds else ("step", "")
    title, levels = f"Fréchet distance{by}, in multiples of real against real", [("real against real", 1.0)]
    return Chart(title, curves, across, (None, NEAR), levels, log_x=True, log_y=True)


def _distances(record: RunRecord, by_seconds: bool) -> list[Point]:
    """Return the distances on validation images (``--evaluate-every``), else those of the examinations."""
    key = "seconds" if by_seconds else "step"
    lines = [(line, _reference(line)) for line in record.quality]
    points = [(float(line[key]), line["quality"][METRIC] / reference) for line, reference in lines if reference]
    if points:
        return points
    points = course(record, "distance")
    return [(record.seconds_at(int(step)) or 0.0, value) for step, value in points] if by_seconds else points


def _reference(line: Mapping[str, Any]) -> float:
    """Return the distance of real images in a line of a measurement on validation images; 0 where it is missing."""
    kept = line.get("real_reference", line.get("floor"))  # the name in earlier versions
    return float(kept.get(METRIC) or 0.0) if isinstance(kept, dict) else 0.0


def course_blocks(record: RunRecord) -> list[Block]:
    """Return the courses of the figures that every run has, or why there are none."""
    charts = course_charts(record)
    if not charts:
        return [Words(WITHOUT_SIGNALS, "missing")]
    if not record.signals:
        return [Charts(charts)]
    last = record.signals[-1]
    words = (
        f"Each point is an examination of pictures from one fixed noise, of {number(record.signals[0].n)} at first and "
        f"of {number(last.n)} at the end, by {FEATURES.get(last.features, last.features)}."
    )
    return [Words(words, "note"), Charts(charts)]
