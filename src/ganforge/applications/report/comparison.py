"""Several runs side by side: figures in one table, and in words what is more than noise."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from ganforge.applications.report.courses import distance_chart
from ganforge.applications.report.figures import evaluation_of, examined_figures, verdict_as_evaluation
from ganforge.applications.report.losses import curve_of, objective_of
from ganforge.applications.report.record import RunRecord
from ganforge.errors import UserError
from ganforge.evaluation.compare import Group, compare, comparison_rows, summary_rows
from ganforge.evaluation.metric_table import METRICS
from ganforge.evaluation.result import Evaluation, shown
from ganforge.json_text import to_json
from ganforge.reports.blocks import Block, Charts, Table, Words
from ganforge.reports.charts import Chart, number

STATISTICS = (
    ("discriminator_loss", "Discriminator's loss"),
    ("generator_loss", "Generator's loss"),
    ("d_real", "D(x), on real pictures"),
    ("d_fake", "D(G(z)), on fakes"),
)


def overview(records: Sequence[RunRecord]) -> Table:
    """Return a table of the runs: recipe, data, seed, length and verdict."""
    rows = [
        (
            record.name,
            str(record.saved["recipe"]),
            str(record.saved["data"]["name"]),
            str(record.saved["seed"]),
            f"{record.step:,}",
            f"{record.saved.get('seconds', 0.0):,.0f}",
            "; ".join(finding.name for finding in record.findings) or record.status,
        )
        for record in records
    ]
    return Table("The runs", ("run", "recipe", "data", "seed", "steps", "seconds", "findings"), rows, "prose")


def curve_blocks(records: Sequence[RunRecord]) -> list[Block]:
    """Return the curves of all runs: the Fréchet distance over steps and seconds, and the losses."""
    distances = [chart for by_seconds in (False, True) if (chart := distance_chart(records, by_seconds))]
    charts = [Chart(title, [curve_of(record, name, record.name) for record in records]) for name, title in STATISTICS]
    charts = [chart for chart in charts if len(chart.drawn) > 1]
    blocks: list[Block] = [Charts([*distances, *charts])] if distances or charts else []
    if len({objective_of(record) for record in records}) > 1:
        text = "These runs have different objectives, so the heights of their losses do not compare."
        blocks.insert(0, Words(text, "note"))
    return blocks or [Words("The runs have no log, so there are no curves.", "missing")]


def figure_blocks(records: Sequence[RunRecord]) -> list[Block]:
    """Return the figures of all runs in one table, and in words what is more than noise."""
    evaluations = _evaluations(records)
    if len(evaluations) < 2:
        return _examined(records)
    names = [
        name for name in METRICS if all(any(m.name == name for m in evaluation.metrics) for evaluation in evaluations)
    ]
    rows = [(METRICS[name].title, *(_cell(evaluation, name) for evaluation in evaluations)) for name in names]
    table = Table("Figures with their 95 % intervals", ("figure", *(e.what for e in evaluations)), rows)
    return [table, *_differences(records, evaluations)]


def _examined(records: Sequence[RunRecord]) -> list[Block]:
    """Return the figures of the last examination of each run, for runs that no judge has measured."""
    examined = [(record.name, examined_figures(record.signals[-1])) for record in records if record.signals]
    names = [name for name in examined[0][1] if all(name in figures for _, figures in examined)] if examined else []
    if len(examined) < 2 or not names:
        text = "Fewer than two of these runs have been measured, so their figures cannot be compared."
        return [Words(text, "missing")]
    rows = [(name, *(_beside_real(*figures[name]) for _, figures in examined)) for name in names]
    words = (
        "No judge has measured these runs. These are the figures of their last examination, in parentheses those of "
        "other real pictures. They have no intervals, so a small difference may be noise."
    )
    table = Table("Figures of the last examination", ("figure", *(name for name, _ in examined)), rows)
    return [Words(words), table]


def _beside_real(value: float, reference: str) -> str:
    return f"{number(value)} ({reference})" if reference else number(value)


def _evaluations(records: Sequence[RunRecord]) -> list[Evaluation]:
    """Return the evaluation of each measured run: of `evaluate` if all have one, else the figures of the verdict."""
    source = evaluation_of if all(record.evaluation for record in records) else verdict_as_evaluation
    return [replace(evaluation, what=record.name) for record in records if (evaluation := source(record))]


def _cell(evaluation: Evaluation, name: str) -> str:
    metric = evaluation[name]
    interval = " to ".join(shown(end, name) for end in metric.interval or ())
    return f"{shown(metric.value, name)}{f' ({interval})' if interval else ''}"


def _differences(records: Sequence[RunRecord], evaluations: Sequence[Evaluation]) -> list[Block]:
    """Return what differs by more than the noise between seeds; runs of equal method are its seeds."""
    groups = _groups(records, evaluations)
    header = ("figure", *(f"{group.name}, {_seeds(len(group.evaluations))}" for group in groups))
    if len(groups) == 1:
        words = (
            "These runs are seeds of one method: mean ± standard deviation over the seeds (worst seed). What differs "
            "between them is the noise; another method is better only if its difference is larger."
        )
        return [Words(words), Table("Over the seeds", header, summary_rows(groups[0]))]
    try:
        rows = comparison_rows(compare(groups))
    except UserError as error:
        return [Words(f"The methods cannot be compared: {error}.", "note")]
    words = (
        "Runs of the same recipe and data count as seeds of one method: mean ± standard deviation (worst "
        "seed). The interval of one run covers other pictures of that run, not other seeds; "
        "so one run of each shows what happened, and three or more seeds of each tell which method is better."
    )
    return [Words(words), Table("More than noise?", (*header, "result"), rows, "prose")]


def _groups(records: Sequence[RunRecord], evaluations: Sequence[Evaluation]) -> list[Group]:
    """Return the evaluations by method, equal recipe and data; a method of several runs has the name of its recipe."""
    methods = {record.name: _method(record) for record in records}
    ordered = sorted(evaluations, key=lambda evaluation: methods[evaluation.what])
    groups = [list(group) for _, group in groupby(ordered, key=lambda evaluation: methods[evaluation.what])]
    recipes = {record.name: str(record.saved["recipe"]) for record in records}
    named = [recipes[group[0].what] for group in groups]
    return [
        Group(name if named.count(name) == 1 and len(group) > 1 else _group_name(name, group), tuple(group))
        for name, group in zip(named, groups, strict=True)
    ]


def _method(record: RunRecord) -> str:
    values: Any = record.recipe.training_values() if record.recipe else record.name
    return to_json([str(record.saved["recipe"]), values, record.saved["fingerprint"]], sort_keys=True)


def _group_name(recipe: str, group: Sequence[Evaluation]) -> str:
    """Return the name of a run, or that of the recipe with the first of its runs, where recipes have equal names."""
    return group[0].what if len(group) == 1 else f"{recipe} ({group[0].what}, ...)"


def _seeds(count: int) -> str:
    return f"{count} seed{'s' * (count > 1)}"


def recipe_differences(records: Sequence[RunRecord]) -> list[Block]:
    """Return the fields in which the recipes of the runs differ."""
    flat = [_flat(record.recipe.training_values()) if record.recipe else {} for record in records]
    names = sorted({name for values in flat for name in values})
    differing = [name for name in names if len({to_json(values.get(name)) for values in flat}) > 1]
    if not differing:
        return [Words("All runs have the same recipe.")]
    rows = [(name, *(_value(values, name) for values in flat)) for name in differing]
    return [Table("Fields in which the recipes differ", ("field", *(record.name for record in records)), rows)]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested tables by their dotted names."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _value(values: dict[str, Any], name: str) -> str:
    return to_json(values[name]).strip('"') if name in values else "–"
