"""Tables with a row for each class, cut where there are more classes than a page can show."""

from collections.abc import Sequence

from ganforge.reports.blocks import Block, Table, Words
from ganforge.reports.charts import Chart

MOST_CLASSES = 26
"""Rows of a table, as many as a sample sheet has."""


def class_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str | Chart]]) -> list[Block]:
    """Return a table of the first classes, and a note where there are more."""
    table = Table(title, header, rows[:MOST_CLASSES])
    if len(rows) <= MOST_CLASSES:
        return [table]
    return [table, Words(f"The first {MOST_CLASSES} of {len(rows)} classes are shown.", "note")]
