"""The report of the ablations: a table for each data set, with a verdict on each technique."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from ganforge.benchmarks.ablation_setups import AblationSetup
from ganforge.benchmarks.common import BenchmarkReport, count_of, mean_and_sd
from ganforge.benchmarks.cost import FREE, Cost
from ganforge.benchmarks.mode_report import TITLES
from ganforge.benchmarks.mode_report import format_metric as format_benchmark_metric
from ganforge.benchmarks.problems import Figures
from ganforge.benchmarks.technique_list import Technique
from ganforge.evaluation.compare import FEWEST_SEEDS
from ganforge.evaluation.effects import Effect, effects
from ganforge.evaluation.metric_table import METRICS
from ganforge.evaluation.result import shown as format_metric

SAME = "the base has it"
"""Reason to skip a row whose changes have no effect on the base."""


@dataclass(frozen=True)
class RowReport:
    """One technique on one data set.

    Attributes:
        changes: to the base.
        why_skipped: why the row was not run; empty for a row that was.
        cost: of a step.
        steps: number of steps of the row.
        seeds: the saved result of every finished seed.
    """

    technique: Technique
    changes: tuple[str, ...]
    why_skipped: str
    cost: Cost = FREE
    steps: int = 0
    seeds: tuple[Mapping[str, Any], ...] = ()

    @property
    def diverged(self) -> int:
        """The number of seeds that diverged."""
        return sum("diverged" in seed for seed in self.seeds)

    @property
    def seconds(self) -> float | None:
        """Mean seconds of training over the seeds that did not diverge."""
        seconds = [seed["seconds"] for seed in self.seeds if "diverged" not in seed]
        return statistics.fmean(seconds) if seconds else None

    def values(self, figure: str, samples: int) -> list[float]:
        """Return a metric of every seed that did not diverge; an empty list if one of them lacks it."""
        values = [seed["figures"][str(samples)].get(figure) for seed in self.seeds if "diverged" not in seed]
        return [] if None in values else values


@dataclass(frozen=True)
class SetupReport:
    """All rows of one data set, the base first; ``floor``: the metrics of as many real examples."""

    setup: AblationSetup
    steps: int
    samples: int
    floor: Figures
    rows: tuple[RowReport, ...]

    @cached_property
    def effects(self) -> dict[str, dict[str, Effect]]:
        """The effect of each technique on each metric, by metric and technique."""
        trained = [row for row in self.rows[1:] if not row.why_skipped]
        by_metric = {}
        for figure, better in self.setup.better.items():
            changed = {row.technique.name: row.values(figure, self.samples) for row in trained}
            base = self.rows[0].values(figure, self.samples)
            by_metric[figure] = effects(
                base, {k: v for k, v in changed.items() if v}, better, self.floor[figure] or 0.0
            )
        return by_metric

    def outcome(self, row: RowReport) -> str:
        """Return the effect of a technique on the primary metric; ``verdict`` adds the details."""
        if row.why_skipped:
            return SAME if row.why_skipped == SAME else "refused"
        if row.diverged:
            return "harms"
        return self.effects[self.setup.primary_metric].get(row.technique.name, Effect("cannot tell")).outcome

    def verdict(self, row: RowReport) -> str:
        """Return the outcome with its reason, and the other metrics with significant changes."""
        name, seeds, outcome = row.technique.name, len(row.seeds), self.outcome(row)
        if row.why_skipped:
            return outcome if outcome == SAME else f"{outcome}: {row.why_skipped}"
        if row.diverged:
            return f"{outcome}: {row.diverged} of {seeds} seeds diverged"
        fewest = min(seeds, len(self.rows[0].seeds))
        if fewest < FEWEST_SEEDS:
            return f"{outcome} with {count_of(fewest, 'seed')}: {FEWEST_SEEDS} or more are needed"
        effect = self.effects[self.setup.primary_metric].get(name)
        verdict = outcome if effect is None or effect.p_value is None else f"{outcome} (p = {effect.p_value:.2g})"
        outcomes = {figure: by_name[name].outcome for figure, by_name in self.effects.items() if name in by_name}
        for direction, wanted in (("better", "helps"), ("worse", "harms")):
            others = [figure for figure in outcomes if figure != self.setup.primary_metric]
            changed = [title(figure) for figure in others if outcomes[figure] == wanted]
            verdict += f"; {direction}: {', '.join(changed)}" if changed else ""
        return verdict

    def table(self) -> list[tuple[str, ...]]:
        """Return the rows: header, base, techniques, real data."""
        names = list(self.setup.better)
        gain = f"gain in {title(self.setup.primary_metric)} (95 %)"
        header = ("technique", *map(title, names), "cost", "steps", "s", gain, "verdict")
        floor = ("*real data*", *(_format(name, self.floor[name]) for name in names), "", "", "", "", "")
        return [header, *(self._cells(row) for row in self.rows), floor]

    def _cells(self, row: RowReport) -> tuple[str, ...]:
        name, figures = row.technique.name, [_cell(f, row.values(f, self.samples)) for f in self.setup.better]
        if row.why_skipped:
            return (name, *figures, "", "", "", "", self.verdict(row))
        seconds = "" if row.seconds is None else f"{row.seconds:.0f}"
        gain = _percent(self.effects[self.setup.primary_metric].get(name))
        verdict = self.verdict(row) if row is not self.rows[0] else ""
        return (name, *figures, f"{row.cost.ratio:.2f}", f"{row.steps:,}", seconds, gain, verdict)

    @property
    def terms(self) -> str:
        """Base, length, seeds and samples on one line."""
        protocol, seeds = self.setup.protocol, sorted({len(row.seeds) for row in self.rows if not row.why_skipped})
        base = " ".join([protocol.recipe, *(f"--set {change}" for change in self.setup.changes)])
        seed_counts = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        length = f"{self.steps:,} steps"
        if self.steps != protocol.steps:
            length += f" instead of the usual {protocol.steps:,}"
        return f"base: {base}; {length}; seeds: {seed_counts}; {self.samples:,} samples"

    def markdown(self) -> str:
        """Return the table with its heading, as in docs/lab/techniques.md."""
        return f"### {self.setup.data}: {self.setup.protocol.about}\n\n{self.terms}\n\n{_markdown(self.table())}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "about": self.setup.protocol.about,
            "recipe": self.setup.protocol.recipe,
            "changes": list(self.setup.changes),
            "steps": self.steps,
            "usual_steps": self.setup.protocol.steps,
            "samples": self.samples,
            "deciding": self.setup.primary_metric,
            "floor": dict(self.floor),
            "rows": [self._row_to_dict(row) for row in self.rows],
        }

    def _row_to_dict(self, row: RowReport) -> dict[str, Any]:
        name = row.technique.name
        row_effects = {figure: by_name[name] for figure, by_name in self.effects.items() if name in by_name}
        return {
            "technique": name,
            "about": row.technique.about,
            "changes": list(row.changes),
            "not_played": row.why_skipped or None,
            "cost": asdict(row.cost),
            "steps": row.steps,
            "seconds": row.seconds,
            "diverged": row.diverged,
            "figures": {figure: _summary(row.values(figure, self.samples)) for figure in self.setup.better},
            "effects": {
                figure: {**asdict(effect), "interval": effect.interval and list(effect.interval)}
                for figure, effect in row_effects.items()
            },
            "word": self.outcome(row) if row is not self.rows[0] else None,
            "verdict": self.verdict(row) if row is not self.rows[0] else None,
            "seeds": [dict(seed) for seed in row.seeds],
        }


@dataclass(frozen=True)
class AblationReport(BenchmarkReport):
    """The reports on all requested data sets; each has metrics of its own, so the notes hold a table for each."""

    folder: Path
    quick: bool
    setups: tuple[SetupReport, ...]

    @property
    def title(self) -> str:
        """The question, and whether this is a preview."""
        preview = "; --quick: a preview, not a result" if self.quick else ""
        return f"techniques: the effect of each technique alone, at equal compute{preview}"

    def notes(self) -> list[str]:
        """Return the tables, how to read them, and where the files are."""
        return [
            self.markdown(),
            "",
            "metrics: mean ± standard deviation over seeds; cost: of a step, relative to the base; "
            "s: seconds of training",
            "gain: share of the distance from the base to real data; 100 %: as real data, below 0: worse than the base",
            "verdict: by that metric, at the 5 % level over a table (Welch's test, Holm's correction): docs/lab",
            f"samples and metrics of every seed: {self.folder}",
        ]

    def markdown(self) -> str:
        """Return all tables; several tables are preceded by a summary of the outcomes."""
        tables = [report.markdown() for report in self.setups]
        return "\n\n".join([self._summary(), *tables] if len(tables) > 1 else tables)

    def _summary(self) -> str:
        header = ("technique", *(report.setup.data for report in self.setups), "description")
        rows_of_technique = zip(*(report.rows[1:] for report in self.setups), strict=True)
        rows = [
            (group[0].technique.name, *map(SetupReport.outcome, self.setups, group), group[0].technique.about)
            for group in rows_of_technique
        ]
        return _markdown([header, *rows])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "benchmark": "techniques",
            "folder": str(self.folder),
            "quick": self.quick,
            "data": {report.setup.data: report.to_dict() for report in self.setups},
        }


def title(figure: str) -> str:
    """Return the display name of a metric."""
    if figure in METRICS:
        return METRICS[figure].title
    return {"misplaced": "misplaced %", **TITLES}.get(figure, figure)


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    header, *rows = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *rows))


def _format(figure: str, value: float | None) -> str:
    return format_metric(value, figure) if figure in METRICS else format_benchmark_metric(figure, value)


def _cell(figure: str, values: Sequence[float]) -> str:
    """Return mean ± standard deviation over the seeds."""
    return mean_and_sd(values, partial(_format, figure)) if values else "–"


def _summary(values: Sequence[float]) -> dict[str, float | None] | None:
    if not values:
        return None
    return {"mean": statistics.fmean(values), "sd": statistics.stdev(values) if len(values) > 1 else None}


def _percent(effect: Effect | None) -> str:
    if effect is None or effect.gain is None:
        return ""
    if effect.interval is None:
        return f"{effect.gain:.0%}"
    return f"{effect.gain:.0%} ({effect.interval.low:.0%} to {effect.interval.high:.0%})"
