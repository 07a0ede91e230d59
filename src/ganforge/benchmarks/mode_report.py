"""The report of a benchmark: our rows, published rows and real data, and how ours differ from the protocol."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ganforge.benchmarks.common import BenchmarkReport, count_of
from ganforge.benchmarks.problems import FLOOR_DRAWS, FULL, Figures
from ganforge.benchmarks.protocols import Plan, Published
from ganforge.evaluation.compare import distance_to_ideal

OPEN = "other networks: open architecture"
TITLES = {"high_quality": "HQ %", "reverse_kl": "reverse KL", "std_ratio": "std / true"}
TITLES |= {"modes_full_contrast": "modes, full contrast", "reverse_kl_full_contrast": "KL, full contrast"}


@dataclass(frozen=True)
class Summary:
    """A metric over seeds: mean, standard deviation (None for one seed), and the value of the worst seed."""

    mean: float
    sd: float | None
    worst: float


@dataclass(frozen=True)
class ModeCoverageReport(BenchmarkReport):
    """Metrics by number of samples: of real data (``floor``), and of every finished seed (``results``).

    ``curves``: the picture of the curves, if there are any.
    """

    plan: Plan
    floor: Mapping[str, Figures]
    results: Sequence[Mapping[str, Any]]
    curves: Path | None = None

    def summary(self, samples: int) -> dict[str, Summary | None]:
        """Return every metric on ``samples`` samples over the seeds; None if a seed lacks it."""
        of_seeds = [seed["figures"].get(str(samples), {}) for seed in self.results]
        return {name: _summary(name, [summary.get(name) for summary in of_seeds]) for name in self.floor[str(samples)]}

    @property
    def terms(self) -> str:
        """How our rows were made, and how that differs from the protocol."""
        plan, protocol, seeds = self.plan, self.plan.protocol, len(self.results)
        parts = [count_of(seeds, "seed") + (f" of {protocol.seeds}" if seeds < protocol.seeds else "")]
        if plan.steps != protocol.steps:
            length = "shortened" if plan.steps < protocol.steps else "lengthened"
            parts.append(f"{plan.steps:,} of {protocol.steps:,} steps: {length}, not the protocol")
        if plan.is_open:
            parts.append(OPEN)
        return ("--quick, no protocol: " if plan.quick else "") + ", ".join(parts)

    @property
    def is_faint(self) -> bool:
        """Whether pictures show more than twice as many modes at full contrast."""
        summary = self.summary(max(self.plan.samples))
        plain, full = summary["modes"], summary.get(f"modes{FULL}")
        return plain is not None and full is not None and full.mean > 2 * plain.mean

    @property
    def seconds(self) -> float:
        """Mean seconds for 10,000 steps over the seeds."""
        return statistics.fmean(10_000 * seed["seconds"] / seed["step"] for seed in self.results)

    @property
    def title(self) -> str:
        """The task and the source of the protocol."""
        return f"{self.plan.protocol.name}: {self.plan.protocol.about}"

    @property
    def header(self) -> tuple[str, ...]:
        """The titles of the columns."""
        titles = {**TITLES, "modes": f"modes / {self.plan.protocol.problem.modes:,}"}
        return ("method", *(titles[name] for name in self._metrics), "n", "how")

    def table(self) -> list[tuple[str, ...]]:
        """Return the rows: published results, real data, and ours."""
        plan, protocol = self.plan, self.plan.protocol
        rows = [_published(row, self._metrics, protocol.samples) for row in protocol.rows(plan.recipe)]
        for n in plan.samples:
            cells = [format_metric(name, self.floor[str(n)][name]) for name in self._metrics]
            rows.append(("real data (floor)", *cells, f"{n:,}", f"mean of {FLOOR_DRAWS} draws"))
        for n in plan.samples:
            cells = [_cell(name, summary) for name, summary in self.summary(n).items()]
            rows.append((f"ours: {plan.recipe.name}", *cells, f"{n:,}", self.terms))
        return rows

    def notes(self) -> list[str]:
        """Return how to read the table, the size of the networks, the speed, and where the files are."""
        first = self.results[0]
        lines = [
            "ours: mean ± standard deviation over seeds (worst seed); the floor is real data, measured in the same way"
        ]
        if "high_quality" in self._metrics:
            lines.append("high quality above that of real data means too little variance within modes: see std / true")
        if self.is_faint:
            lines.append(
                "over twice the modes at full contrast: many samples are too faint for the judge, "
                "which is not a collapse"
            )
        lines.append(
            f"parameters: G {first['parameters']['generator']:,}, D {first['parameters']['discriminator']:,}; "
            f"{self.seconds:,.0f} s for 10,000 steps ({first['device']}, threads: {first['threads']})"
        )
        if self.curves:
            lines.append(f"modes and KL over the steps: {self.curves}")
        return [*lines, f"curves (curve.jsonl) and pictures of samples: {self.plan.folder}/seed-*"]

    @property
    def _metrics(self) -> list[str]:
        return list(self.floor[str(self.plan.samples[0])])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        plan, protocol = self.plan, self.plan.protocol
        summaries = {n: self.summary(n).items() for n in plan.samples}
        return {
            "benchmark": protocol.name,
            "about": protocol.about,
            "recipe": plan.recipe.to_dict(),
            "folder": str(plan.folder),
            "steps": plan.steps,
            "protocol_steps": protocol.steps,
            "is_protocol": not plan.quick and plan.steps == protocol.steps and not plan.is_open,
            "open_architecture": plan.is_open,
            "terms": self.terms,
            "seconds_per_10k_steps": self.seconds,
            "summary": {str(n): {k: asdict(s) if s else None for k, s in summary} for n, summary in summaries.items()},
            "floor": dict(self.floor),
            "published": [asdict(row) for row in protocol.rows(plan.recipe)],
            "published_samples": protocol.samples,
            "seeds": list(self.results),
        }


def _summary(name: str, values: Sequence[float | None]) -> Summary | None:
    present = [value for value in values if value is not None]
    if not present or len(present) < len(values):
        return None
    better = {"reverse_kl": "low", "std_ratio": "1"}.get(_base_name(name), "high")
    sd = statistics.stdev(present) if len(present) > 1 else None
    return Summary(statistics.mean(present), sd, max(present, key=partial(distance_to_ideal, better)))


def _base_name(name: str) -> str:
    return name.removesuffix(FULL)


def format_metric(name: str, value: float | None) -> str:
    """Return a metric value with its significant digits."""
    if value is None:
        return "–"
    if _base_name(name) == "reverse_kl":
        return f"{value:.2f}" if value >= 0.1 else f"{value:.3g}"
    return f"{value:.2f}" if name in ("std_ratio", "high_quality") else f"{value:.1f}".removesuffix(".0")


def _cell(name: str, summary: Summary | None) -> str:
    if summary is None:
        return "–"
    if summary.sd is None:
        return format_metric(name, summary.mean)
    mean, sd, worst = (format_metric(name, value) for value in (summary.mean, summary.sd, summary.worst))
    return f"{mean} ± {sd} ({worst})"


def _published(row: Published, names: Sequence[str], samples: int) -> tuple[str, ...]:
    cells = {name: format_metric(name, getattr(row, name, None)) for name in names}
    if row.error is not None:
        cells["modes"] += f" ± {row.error:g} (s.e.)"
    how = row.source if row.same else f"{row.source}; {OPEN}"
    return row.method, *cells.values(), f"{samples:,}" if row.same else "?", how
