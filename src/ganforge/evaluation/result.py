"""Result of an evaluation: metrics under a protocol, as a table and as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ganforge.errors import UserError
from ganforge.evaluation.metric_table import METRICS, ClassRow, Figure
from ganforge.evaluation.protocol import Protocol

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
    figures: tuple[Figure, ...]
    classes: tuple[ClassRow, ...] = ()
    step: int | None = None
    seed: int | None = None
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Figure:
        """Return a metric by its name."""
        return next(figure for figure in self.figures if figure.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return {
            "what": self.what,
            "step": self.step,
            "seed": self.seed,
            "protocol": self.protocol.to_dict(),
            "figures": {figure.name: _without_name(figure) for figure in self.figures},
            "classes": [asdict(row) for row in self.classes],
            "notes": list(self.notes),
        }

    def rows(self) -> list[tuple[str, ...]]:
        """Return table rows: metric, value, interval, value of other reals, value of worst-case fakes."""
        return [
            (
                METRICS[figure.name].title,
                shown(figure.value, figure.name),
                " to ".join(shown(end, figure.name) for end in figure.interval or ()),
                shown(figure.floor, figure.name),
                "" if figure.ceiling is None else f"{shown(figure.ceiling, figure.name)} ({METRICS[figure.name].bad})",
            )
            for figure in self.figures
        ]

    def class_rows(self) -> list[tuple[str, ...]]:
        """Return table rows: share, share of reals, label agreement, spread, recall, recall of other reals."""
        formats = ("share", "share", "share", "spread", "share", "share")
        return [
            (row.name, *(_cell(value, kind) for value, kind in zip(list(vars(row).values())[1:], formats, strict=True)))
            for row in self.classes
        ]


def _cell(value: float | None, kind: str) -> str:
    return "" if value is None else f"{value:.1%}" if kind == "share" else f"{value:.2f}"


SHARES = {"precision", "recall", "coverage", "label_agreement", "confident", "swap_changed", "copying", "copies"} | {
    "train_on_generated",
    "test_on_generated",
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


def _without_name(figure: Figure) -> dict[str, Any]:
    values = {key: value for key, value in asdict(figure).items() if key != "name"}
    return {**values, "interval": list(figure.interval) if figure.interval else None}


def parse_evaluation(values: Mapping[str, Any], where: str, remedy: str = WRITES_ONE) -> Evaluation:
    """Read back the output of ``to_dict``; metrics unknown to this version are left out.

    Raises:
        UserError: ``values`` is no evaluation, or a damaged one.
    """
    try:
        figures = [{**figure, "name": name} for name, figure in values["figures"].items() if name in METRICS]
        return TypeAdapter(Evaluation).validate_python({**values, "figures": figures})
    except (KeyError, TypeError, AttributeError):
        raise UserError(f"{where}: holds no evaluation; {remedy}") from None
    except ValidationError as invalid:
        entry = ".".join(map(str, invalid.errors()[0]["loc"]))
        raise UserError(f"{where}: the evaluation is damaged, or of another version, at {entry}; {remedy}") from None
