"""The parts of a page as typed data: `page` turns them into HTML, whoever gathers them knows nothing of HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ganforge.diagnosis.finding import Finding
from ganforge.reports.charts import Chart


@dataclass(frozen=True)
class Words:
    """A paragraph. ``kind`` "missing" is the reason why something is not on the page, "note" a remark on what is."""

    text: str
    kind: Literal["text", "note", "missing"] = "text"


@dataclass(frozen=True)
class Listing:
    """Sentences, one below the other."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row is its heading.

    Attributes:
        title: what the table shows.
        header: a title for each column; empty for a table of facts, which have none.
        rows: cells of text, or charts, which become small curves.
        kind: "numbers"; "prose", whose last column holds sentences; or "facts", a name and its value in each row.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence["str | Chart"]]
    kind: Literal["numbers", "prose", "facts"] = "numbers"


@dataclass(frozen=True)
class Code:
    """Text in a fixed width, such as commands; a ``title`` folds it away until a reader opens it."""

    text: str
    title: str = ""


@dataclass(frozen=True)
class Charts:
    """Charts side by side where the screen is wide enough."""

    charts: Sequence[Chart]


@dataclass(frozen=True)
class Picture:
    """A picture with its description in words, for those who do not see it.

    Attributes:
        source: a ``data:`` address.
        alt: what the picture shows.
        width, height: in pixels; a page reserves that room.
        caption: below the picture; empty for none.
    """

    source: str
    alt: str
    width: int
    height: int
    caption: str = ""


@dataclass(frozen=True)
class Frame:
    """A picture of a run at a step, after some seconds of training (None where the log does not say)."""

    step: int
    seconds: float | None
    picture: Picture


@dataclass(frozen=True)
class Film:
    """Frames of one run or of several, with one slider: every run shows its newest frame at that step.

    Attributes:
        title: what the frames show.
        panels: the frames of each run, by its name, in order of their steps; at least one frame each.
    """

    title: str
    panels: Sequence[tuple[str, Sequence[Frame]]]

    @property
    def by_seconds(self) -> bool:
        """Whether the slider can also compare runs at equal seconds: several runs, whose seconds are all known."""
        known = all(frame.seconds is not None for _, frames in self.panels for frame in frames)
        return len(self.panels) > 1 and known


@dataclass(frozen=True)
class Verdict:
    """The verdict of a run, in large letters.

    Attributes:
        severity: the worst of its findings; None without findings.
        title: one word: "healthy", "failed".
        text: the findings in words.
        figures: the figures in one line; empty without.
    """

    severity: Literal[0, 1, 2] | None
    title: str
    text: str
    figures: str = ""


@dataclass(frozen=True)
class FindingCard:
    """A finding with the courses of its figures; ``run`` names its run on a page of several."""

    finding: Finding
    charts: Sequence[Chart] = ()
    run: str = ""


Block = Words | Listing | Table | Code | Charts | Picture | Film | Verdict | FindingCard


@dataclass(frozen=True)
class Section:
    """A heading with what stands below it.

    Attributes:
        id: name of the section for links and programs.
        title: the heading.
        blocks: what stands below.
    """

    id: str
    title: str
    blocks: Sequence[Block]

    @property
    def missing(self) -> bool:
        """Whether the section only says why it is empty."""
        return all(isinstance(block, Words) and block.kind == "missing" for block in self.blocks)


@dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes:
        title: the heading of the page.
        subtitle: one line below it.
        sections: in order.
        foot: one line at the end.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    foot: str = ""
