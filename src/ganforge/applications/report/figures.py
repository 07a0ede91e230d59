"""The figures of a run in a table: with intervals, beside other real pictures, and what each means."""

from collections.abc import Sequence

from ganforge.applications.report.class_tables import class_table
from ganforge.applications.report.record import RunRecord
from ganforge.diagnosis.case import Signals
from ganforge.evaluation.class_metrics import ClassRow
from ganforge.evaluation.metric_table import METRICS, MetricValue
from ganforge.evaluation.protocol import Protocol
from ganforge.evaluation.result import Evaluation
from ganforge.experiment.verdict import FEATURES
from ganforge.metrics.intervals import proportion_interval
from ganforge.metrics.measurement import Measurement
from ganforge.reports.blocks import Block, Table, Words
from ganforge.reports.charts import number

CLASS_HEADER = ("class", "share", "of real", "as requested", "spread", "recall", "recall by real")


def figure_blocks(record: RunRecord) -> list[Block]:
    """Return the table of a run's figures and that of its classes, or why there are none."""
    evaluation = evaluation_of(record)
    if evaluation is None:
        return _examined(record) if record.signals else [Words(_why_none(record), "missing")]
    rows = [
        (title, value, interval, reference, METRICS[metric.name].about)
        for metric, (title, value, interval, reference, _) in zip(evaluation.metrics, evaluation.rows(), strict=True)
    ]
    protocol = evaluation.protocol
    words = (
        f"{protocol.n:,} generated pictures against real {protocol.split} pictures of {protocol.data}, compared by the "
        f"features of {protocol.judge}. The 95 % interval says how far a figure could differ with other pictures of "
        "this same run; how far another seed would differ, only further seeds tell. Other real pictures show what a "
        "perfect generator would reach."
    )
    header = ("figure", "value", "95 % interval", "other real", "meaning")
    blocks: list[Block] = [Words(words), Table("Figures of the trained generator", header, rows, "prose")]
    if evaluation.classes:
        blocks += class_table("The same by class", CLASS_HEADER, evaluation.class_rows())
    if record.evaluation is None:
        hint = f"'ganforge evaluate {record.folder.path}' adds intervals and further figures to this table."
        blocks.append(Words(hint, "note"))
    return [*blocks, *(Words(note, "note") for note in evaluation.notes)]


def _examined(record: RunRecord) -> list[Block]:
    """Return the figures of the last examination, for a run that no judge has measured."""
    last = record.signals[-1]
    rows = [(name, number(value), reference) for name, (value, reference) in examined_figures(last).items()]
    words = (
        f"No judge has measured this run. These are the figures of its last examination, at step {last.step:,}: "
        f"{last.n:,} pictures, by {FEATURES.get(last.features, last.features)}."
    )
    return [Words(words), Table("Figures of the last examination", ("figure", "value", "other real"), rows)]


def examined_figures(signals: Signals) -> dict[str, tuple[float, str]]:
    """Return the figures that an examination has, by name: the value, and that of other real pictures as text."""
    figures = {
        "Fréchet distance": (signals.frechet, signals.frechet_real_reference),
        "recall": (signals.recall, signals.recall_real_reference),
        "spread": (signals.spread, 1.0),
        "label agreement": (signals.label_agreement, signals.agreement_on_real),
    }
    return {
        name: (value, "" if reference is None else number(reference))
        for name, (value, reference) in figures.items()
        if value is not None
    }


def _why_none(record: RunRecord) -> str:
    if record.saved.get("no_judge"):
        return "No judge fits these data, so nothing reads the pictures; the samples above are the evidence."
    if record.status != "finished":
        return "The run is not finished, so it has not been measured."
    return f"The run has not been measured; 'ganforge evaluate {record.folder.path}' does it."


def evaluation_of(record: RunRecord) -> Evaluation | None:
    """Return the run's evaluation, else the figures of its verdict as one; None without both."""
    return record.evaluation or verdict_as_evaluation(record)


def verdict_as_evaluation(record: RunRecord) -> Evaluation | None:
    """Return the figures of a run's verdict as an evaluation; None where no judge measured it."""
    if record.verdict is None or record.verdict.measured is None:
        return None
    measured = record.verdict.measured
    protocol = Protocol(
        measured.judge,
        measured.judge_hash,
        str(record.saved["data"]["name"]),
        str(record.saved["fingerprint"]),
        "test",
        measured.n_fake,
    )
    metrics, classes = tuple(_metrics(measured)), tuple(_classes(measured))
    return Evaluation(str(record.folder.path), protocol, metrics, classes, record.step, record.saved["seed"])


def _metrics(measured: Measurement) -> list[MetricValue]:
    """Return the figures of a measurement that it has, with intervals of those that are shares of independent fakes."""
    values = {
        "frechet_distance": (measured.frechet_distance, measured.frechet_real_reference),
        "precision": (measured.precision, measured.precision_real_reference),
        "recall": (measured.recall, measured.recall_real_reference),
        "confident": (measured.confident, measured.confident_on_real),
        "class_spread": (measured.within_class_spread, measured.spread_real_reference),
        "classes_present": (float(measured.classes_present), float(len(measured.class_names))),
        "label_agreement": (measured.label_agreement, measured.agreement_on_real),
    }
    found = [(name, value, reference) for name, (value, reference) in values.items() if value is not None]
    n = measured.n_fake
    return [
        MetricValue(
            name,
            value,
            proportion_interval(round(value * n), n) if name in ("confident", "label_agreement") else None,
            reference,
            n=n,
        )
        for name, value, reference in found
    ]


def _classes(measured: Measurement) -> list[ClassRow]:
    agreement: Sequence[float | None] = measured.class_agreement or [None] * len(measured.class_names)
    columns = (
        measured.class_names,
        measured.class_shares,
        measured.real_class_shares,
        agreement,
        measured.class_spread,
        measured.class_recall,
        measured.class_recall_real_reference,
    )
    return [ClassRow(*row) for row in zip(*columns, strict=False)]
