"""Result of an evaluation: metrics under a protocol, as a table and as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ganforge.errors import UserError
from ganforge.evaluation.class_metrics import ClassRow
from ganforge.evaluation.metric_table import METRICS, MetricValue
from ganforge.evaluation.protocol import Protocol
from ganforge.metrics.measurement import with_current_names

WRITES_ONE = "'ganforge evaluate ... --json > FILE' writes one"


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one set of fakes.

    Attributes:
        what: source of the fakes.
        step: training step, for fakes of a run.
        notes: remarks for the reader, such as a metric that could not be computed and why.
    """

    what: str
    protocol: Protocol
    metrics: tuple[MetricValue, ...]
    classes: tuple[ClassRow, ...] = ()
    step: int | None = None
    seed: int | None = None
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> MetricValue:
        """Return a metric by its name."""
        return next(metric for metric in self.metrics if metric.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return {
            "what": self.what,
            "step": self.step,
            "seed": self.seed,
            "protocol": self.protocol.to_dict(),
            "figures": {metric.name: _without_name(metric) for metric in self.metrics},
            "classes": [asdict(row) for row in self.classes],
            "notes": list(self.notes),
        }

    def rows(self) -> list[tuple[str, ...]]:
        """Return table rows: metric, value, interval, value of other reals, value of worst-case fakes."""
        return [
            (
                METRICS[metric.name].title,
                shown(metric.value, metric.name),
                " to ".join(shown(end, metric.name) for end in metric.interval or ()),
                shown(metric.real_reference, metric.name),
                _worst_case(metric),
            )
            for metric in self.metrics
        ]

    def class_rows(self) -> list[tuple[str, ...]]:
        """Return table rows: share, share of reals, label agreement, spread, recall, recall of other reals."""
        formats = ("share", "share", "share", "spread", "share", "share")
        return [
            (row.name, *(_cell(value, kind) for value, kind in zip(list(vars(row).values())[1:], formats, strict=True)))
            for row in self.classes
        ]


def _worst_case(metric: MetricValue) -> str:
    if metric.worst_case is None:
        return ""
    return f"{shown(metric.worst_case, metric.name)} ({METRICS[metric.name].worst_case})"


def _cell(value: float | None, kind: str) -> str:
    return "" if value is None else f"{value:.1%}" if kind == "share" else f"{value:.2f}"


SHARES = {"precision", "recall", "coverage", "label_agreement", "confident", "swap_changed", "copying", "copies"} | {
    "train_on_generated",
    "test_on_generated",
    "vote",
    "told_apart",
}


def shown(value: float | None, name: str) -> str:
    """Format a metric with its significant digits."""
    if value is None:
        return ""
    if name == "classes_present":
        return f"{value:.0f}"
    if name in SHARES:
        return f"{value:.1%}"
    return f"{value:.3g}" if abs(value) >= 0.01 else f"{value:.5f}"


def _without_name(metric: MetricValue) -> dict[str, Any]:
    values = {key: value for key, value in asdict(metric).items() if key != "name"}
    return {**values, "interval": list(metric.interval) if metric.interval else None}


def parse_evaluation(values: Mapping[str, Any], where: str, remedy: str = WRITES_ONE) -> Evaluation:
    """Read back the output of ``to_dict``; names of earlier versions are known, metrics unknown to this one left out.

    Raises:
        UserError: ``values`` is no evaluation, or a damaged one.
    """
    try:
        metrics = [
            {**with_current_names(metric), "name": name}
            for name, metric in values["figures"].items()
            if name in METRICS
        ]
        rows = [with_current_names(row) for row in values.get("classes", ())]
        return TypeAdapter(Evaluation).validate_python({**values, "metrics": metrics, "classes": rows})
    except (KeyError, TypeError, AttributeError):
        raise UserError(f"{where}: holds no evaluation; {remedy}") from None
    except ValidationError as invalid:
        entry = ".".join(map(str, invalid.errors()[0]["loc"]))
        raise UserError(f"{where}: the evaluation is damaged, or of another version, at {entry}; {remedy}") from None
