"""The result of an evaluation: figures under a protocol, as a table, as JSON, and read back."""

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
    """Figures of one set of fakes.

    Attributes:
        what: whose fakes these are.
        step: of the run, where it is one.
        notes: what a reader must know: what could not be measured, and why.
    """

    what: str
    protocol: Protocol
    figures: tuple[Figure, ...]
    classes: tuple[ClassRow, ...] = ()
    step: int | None = None
    seed: int | None = None
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Figure:
        """Return a figure by its name."""
        return next(figure for figure in self.figures if figure.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
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
        """The table: figure, value, interval, what other reals have, what hopeless fakes have."""
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
        """The table of classes: share, share among reals, read as asked, spread, recall, recall of other reals."""
        ways = ("share", "share", "share", "spread", "share", "share")
        return [
            (row.name, *(_cell(value, way) for value, way in zip(list(vars(row).values())[1:], ways, strict=True)))
            for row in self.classes
        ]


def _cell(value: float | None, way: str) -> str:
    return "" if value is None else f"{value:.1%}" if way == "share" else f"{value:.2f}"


SHARES = {"precision", "recall", "coverage", "label_agreement", "confident", "swap_changed", "copying", "copies"} | {
    "train_on_generated",
    "test_on_generated",
}


def shown(value: float | None, name: str) -> str:
    """Write a figure with as many digits as mean something."""
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
    """Read back what ``to_dict`` wrote; figures that this version does not know are left out.

    Raises:
        UserError: it is something else.
    """
    try:
        figures = [{**figure, "name": name} for name, figure in values["figures"].items() if name in METRICS]
        return TypeAdapter(Evaluation).validate_python({**values, "figures": figures})
    except (KeyError, TypeError, AttributeError):
        raise UserError(f"{where}: holds no evaluation; {remedy}") from None
    except ValidationError as invalid:
        entry = ".".join(map(str, invalid.errors()[0]["loc"]))
        raise UserError(f"{where}: its evaluation is damaged, or of another version, at {entry}; {remedy}") from None
