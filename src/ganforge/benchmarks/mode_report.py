"""The report of a benchmark: our rows, published rows and real data, and how ours differ from the protocol."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ganforge.benchmarks.problems import FLOOR_DRAWS, FULL, Figures
from ganforge.benchmarks.protocols import Plan, Published

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
class Report:
    """Metrics by number of samples: of real data (``floor``), and of every finished seed (``results``)."""

    plan: Plan
    floor: Mapping[str, Figures]
    results: Sequence[Mapping[str, Any]]

    def summary(self, samples: int) -> dict[str, Summary | None]:
        """Return every metric on ``samples`` samples over the seeds; None if a seed lacks it."""
        of_seeds = [seed["figures"].get(str(samples), {}) for seed in self.results]
        return {name: _summary(name, [summary.get(name) for summary in of_seeds]) for name in self.floor[str(samples)]}

    @property
    def terms(self) -> str:
        """How our rows were made, and how that differs from the protocol."""
        plan, protocol, seeds = self.plan, self.plan.protocol, len(self.results)
        parts = [f"{seeds} seed{'s' * (seeds != 1)}" + (f" of {protocol.seeds}" if seeds < protocol.seeds else "")]
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

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Return header and rows for printing."""
        plan, protocol = self.plan, self.plan.protocol
        names = list(self.floor[str(plan.samples[0])])
        titles = {**TITLES, "modes": f"modes / {protocol.problem.modes:,}"}
        rows = [_published(row, names, protocol.samples) for row in protocol.rows(plan.recipe)]
        for n in plan.samples:
            cells = [format_metric(name, self.floor[str(n)][name]) for name in names]
            rows.append(("real data (floor)", *cells, f"{n:,}", f"mean of {FLOOR_DRAWS} draws"))
        for n in plan.samples:
            cells = [_cell(name, summary) for name, summary in self.summary(n).items()]
            rows.append((f"ours: {plan.recipe.name}", *cells, f"{n:,}", self.terms))
        return ("method", *(titles[name] for name in names), "n", "how"), rows

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
    distance_to_ideal = {"reverse_kl": lambda x: x, "std_ratio": lambda x: abs(x - 1)}.get(
        _base_name(name), lambda x: -x
    )
    sd = statistics.stdev(present) if len(present) > 1 else None
    return Summary(statistics.mean(present), sd, max(present, key=distance_to_ideal))


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
