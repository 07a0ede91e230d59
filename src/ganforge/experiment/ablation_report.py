"""What came of trying techniques: a table for each data set, with a verdict in words."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ganforge.benchmarks.cost import FREE, Cost
from ganforge.benchmarks.problems import Figures
from ganforge.benchmarks.report import TITLES
from ganforge.benchmarks.report import shown as shown_of_points
from ganforge.benchmarks.techniques import Technique
from ganforge.evaluation.compare import FEWEST_SEEDS
from ganforge.evaluation.effects import Effect, effects
from ganforge.evaluation.metric_table import METRICS
from ganforge.evaluation.report import shown as shown_of_pictures
from ganforge.experiment.ablation_setups import AblationSetup

SAME = "the base has it"
"""Why a row is not played whose changes change nothing."""


@dataclass(frozen=True)
class RowReport:
    """One technique on one data set.

    Attributes:
        changes: to the base.
        why_not: why it was not played; empty where it was.
        cost: of a step.
        steps: how many it was given.
        seeds: what is kept of every finished seed.
    """

    technique: Technique
    changes: tuple[str, ...]
    why_not: str
    cost: Cost = FREE
    steps: int = 0
    seeds: tuple[Mapping[str, Any], ...] = ()

    @property
    def diverged(self) -> int:
        """How many seeds came to an end in what is not a number."""
        return sum("diverged" in seed for seed in self.seeds)

    @property
    def seconds(self) -> float | None:
        """Seconds of training, a mean over the seeds that played to the end."""
        whole = [seed["seconds"] for seed in self.seeds if "diverged" not in seed]
        return statistics.fmean(whole) if whole else None

    def values(self, figure: str, samples: int) -> list[float]:
        """A figure of every seed that did not diverge; nothing where one of them lacks it."""
        found = [seed["figures"][str(samples)].get(figure) for seed in self.seeds if "diverged" not in seed]
        return [] if None in found else found


@dataclass(frozen=True)
class SetupReport:
    """All rows of one data set, the base first; ``floor``: what as many real examples have."""

    arena: AblationSetup
    steps: int
    samples: int
    floor: Figures
    rows: tuple[RowReport, ...]

    @cached_property
    def effects(self) -> dict[str, dict[str, Effect]]:
        """What each technique did to each figure, by figure and technique."""
        played = [row for row in self.rows[1:] if not row.why_not]
        found = {}
        for figure, better in self.arena.better.items():
            changed = {row.technique.name: row.values(figure, self.samples) for row in played}
            base = self.rows[0].values(figure, self.samples)
            found[figure] = effects(base, {k: v for k, v in changed.items() if v}, better, self.floor[figure] or 0.0)
        return found

    def word(self, row: RowReport) -> str:
        """What a technique did, by the deciding figure; whatever else is to be said of it is in ``verdict``."""
        if row.why_not:
            return SAME if row.why_not == SAME else "refused"
        if row.diverged:
            return "harms"
        return self.effects[self.arena.primary_metric].get(row.technique.name, Effect("cannot tell")).word

    def verdict(self, row: RowReport) -> str:
        """The word with its reason, and which other figures moved by more than noise."""
        name, seeds, word = row.technique.name, len(row.seeds), self.word(row)
        if row.why_not:
            return word if word == SAME else f"{word}: {row.why_not}"
        if row.diverged:
            return f"{word}: {row.diverged} of {seeds} seeds diverged"
        fewest = min(seeds, len(self.rows[0].seeds))
        if fewest < FEWEST_SEEDS:
            return f"{word} with {fewest} seed{'s' * (fewest != 1)}: {FEWEST_SEEDS} or more would"
        chance = (
            self.effects[self.arena.primary_metric][name].chance
            if name in self.effects[self.arena.primary_metric]
            else None
        )
        words = word if chance is None else f"{word} (p = {chance:.2g})"
        others = {figure: found[name].word for figure, found in self.effects.items() if name in found}
        for said, meant in (("better", "helps"), ("worse", "harms")):
            moved = [
                title(figure) for figure, it in others.items() if it == meant and figure != self.arena.primary_metric
            ]
            words += f"; {said}: {', '.join(moved)}" if moved else ""
        return words

    def table(self) -> list[tuple[str, ...]]:
        """Header, base, techniques, real data."""
        names = list(self.arena.better)
        gained = f"gain in {title(self.arena.primary_metric)} (95 %)"
        header = ("technique", *map(title, names), "cost", "steps", "s", gained, "verdict")
        floor = ("*real data*", *(_shown(name, self.floor[name]) for name in names), "", "", "", "", "")
        return [header, *(self._cells(row) for row in self.rows), floor]

    def _cells(self, row: RowReport) -> tuple[str, ...]:
        name, figures = row.technique.name, [_cell(f, row.values(f, self.samples)) for f in self.arena.better]
        if row.why_not:
            return (name, *figures, "", "", "", "", self.verdict(row))
        seconds = "" if row.seconds is None else f"{row.seconds:.0f}"
        gain = _percent(self.effects[self.arena.primary_metric].get(name))
        verdict = self.verdict(row) if row is not self.rows[0] else ""
        return (name, *figures, f"{row.cost.ratio:.2f}", f"{row.steps:,}", seconds, gain, verdict)

    @property
    def terms(self) -> str:
        """How it was done, in a line."""
        protocol, seeds = self.arena.protocol, sorted({len(row.seeds) for row in self.rows if not row.why_not})
        base = " ".join([protocol.recipe, *(f"--set {change}" for change in self.arena.changes)])
        counted = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        length = f"{self.steps:,} steps"
        if self.steps != protocol.steps:
            length += f", where {protocol.steps:,} are usual"
        return f"base: {base}; {length}; seeds: {counted}; {self.samples:,} samples"

    def markdown(self) -> str:
        """The table with its heading, as docs/lab/techniques.md has it."""
        return f"### {self.arena.data}: {self.arena.protocol.about}\n\n{self.terms}\n\n{_markdown(self.table())}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "about": self.arena.protocol.about,
            "recipe": self.arena.protocol.recipe,
            "changes": list(self.arena.changes),
            "steps": self.steps,
            "usual_steps": self.arena.protocol.steps,
            "samples": self.samples,
            "deciding": self.arena.primary_metric,
            "floor": dict(self.floor),
            "rows": [self._row_to_dict(row) for row in self.rows],
        }

    def _row_to_dict(self, row: RowReport) -> dict[str, Any]:
        name = row.technique.name
        found = {figure: by_name[name] for figure, by_name in self.effects.items() if name in by_name}
        return {
            "technique": name,
            "about": row.technique.about,
            "changes": list(row.changes),
            "not_played": row.why_not or None,
            "cost": asdict(row.cost),
            "steps": row.steps,
            "seconds": row.seconds,
            "diverged": row.diverged,
            "figures": {figure: _summary(row.values(figure, self.samples)) for figure in self.arena.better},
            "effects": {
                figure: {**asdict(it), "interval": it.interval and list(it.interval)} for figure, it in found.items()
            },
            "word": self.word(row) if row is not self.rows[0] else None,
            "verdict": self.verdict(row) if row is not self.rows[0] else None,
            "seeds": [dict(seed) for seed in row.seeds],
        }


@dataclass(frozen=True)
class AblationReport:
    """All data sets that were asked for."""

    folder: Path
    quick: bool
    arenas: tuple[SetupReport, ...]

    def markdown(self) -> str:
        """All tables, and above several of them the verdicts beside each other."""
        tables = [found.markdown() for found in self.arenas]
        return "\n\n".join([self._summary(), *tables] if len(tables) > 1 else tables)

    def _summary(self) -> str:
        header = ("technique", *(found.arena.data for found in self.arenas), "what it is")
        side_by_side = zip(*(found.rows[1:] for found in self.arenas), strict=True)
        rows = [
            (these[0].technique.name, *map(SetupReport.word, self.arenas, these), these[0].technique.about)
            for these in side_by_side
        ]
        return _markdown([header, *rows])

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values for JSON."""
        return {
            "benchmark": "techniques",
            "folder": str(self.folder),
            "quick": self.quick,
            "data": {found.arena.data: found.to_dict() for found in self.arenas},
        }


def title(figure: str) -> str:
    """What a figure is called."""
    if figure in METRICS:
        return METRICS[figure].title
    return {"misplaced": "misplaced %", **TITLES}.get(figure, figure)


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    header, *rows = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *rows))


def _shown(figure: str, value: float | None) -> str:
    return shown_of_pictures(value, figure) if figure in METRICS else shown_of_points(figure, value)


def _cell(figure: str, values: Sequence[float]) -> str:
    """Mean ± standard deviation over the seeds."""
    if not values:
        return "–"
    mean = _shown(figure, statistics.fmean(values))
    return mean if len(values) == 1 else f"{mean} ± {_shown(figure, statistics.stdev(values))}"


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
