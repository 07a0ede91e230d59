"""The task of ``ganforge report``: read one run or several, gather the sections, write one file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ganforge
from ganforge.applications.report import comparison
from ganforge.applications.report.copying import copying_blocks
from ganforge.applications.report.courses import class_blocks, course_blocks, finding_blocks
from ganforge.applications.report.data_card import DataShelf, data_blocks
from ganforge.applications.report.figures import figure_blocks
from ganforge.applications.report.films import BUDGET, evolution_files, film, sheet_files, thinned
from ganforge.applications.report.losses import loss_blocks
from ganforge.applications.report.record import RunRecord, read_record
from ganforge.applications.report.reproduce import recipe_blocks, reproduce_blocks
from ganforge.diagnosis.finding import Finding
from ganforge.errors import UserError
from ganforge.experiment.evaluate import runs_in
from ganforge.experiment.experiment import ProgressListener
from ganforge.files import ensure_writable, write_atomically
from ganforge.process_state import plain_state
from ganforge.reports.blocks import Block, Page, Section, Verdict, Words
from ganforge.reports.page import render
from ganforge.runs.folder import RunFolder

MOST_RUNS = 12
"""Runs on one page; curves of more cannot be told apart."""
MOST_FRAMES = 240
"""Frames from fixed noise of all runs together, on a page of several."""
NO_FINDINGS = "This run has neither a log nor examinations, so nothing can be said about it."


@dataclass(frozen=True)
class Report:
    """A written page: its file, its size, the runs on it, and the sections that only say why they are empty."""

    file: Path
    size: int
    runs: tuple[RunRecord, ...]
    missing: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        runs = [
            {
                "run": str(record.folder.path),
                "status": record.status,
                "step": record.step,
                "findings": [finding.name for finding in record.findings],
            }
            for record in self.runs
        ]
        return {"file": str(self.file), "bytes": self.size, "runs": runs, "missing": list(self.missing)}


@plain_state()
def report(paths: Sequence[Path], out: Path | None = None, watcher: ProgressListener | None = None) -> Report:
    """Write a page on one run or on several.

    Args:
        paths: run folders, and folders of the runs of several seeds.
        out: the file; ``report.html`` in the only folder that ``paths`` names, else in the working directory.
        watcher: receives progress and messages.

    Raises:
        UserError: a path is no run, there are too many runs, or the file cannot be written.
    """
    watcher = watcher or ProgressListener()
    folders = _folders(paths)
    place = out or (paths[0] if len(paths) == 1 else Path()) / "report.html"
    file = ensure_writable(place, [".html", ".htm"])
    records = [read_record(folder, name) for folder, name in zip(folders, _names(folders), strict=True)]
    try:
        sections = _one(records[0], watcher) if len(records) == 1 else _several(records, watcher)
    finally:
        watcher.end()
    page = Page(_title(records), _subtitle(records), sections, _foot())
    content = render(page).encode()
    write_atomically(file, content)
    return Report(file, len(content), tuple(records), tuple(section.id for section in sections if section.missing))


def _folders(paths: Sequence[Path]) -> list[RunFolder]:
    folders: list[RunFolder] = []
    for path in paths:
        found = runs_in(path)
        if not found:
            raise UserError(f"{path} is not a run, nor a folder of runs; 'ganforge runs' lists runs")
        folders += [run for run in found if run.path not in [folder.path for folder in folders]]
    if len(folders) > MOST_RUNS:
        raise UserError(f"{len(folders)} runs are too many for one page: name at most {MOST_RUNS}")
    return folders


def _names(folders: Sequence[RunFolder]) -> list[str]:
    """Return a name for each folder: the last parts of its path by which it differs from the others."""
    paths = [folder.path.resolve().parts for folder in folders]
    while len(paths) > 1 and len({parts[-1] for parts in paths}) == 1:  # a/run and b/run are a and b
        paths = [parts[:-1] for parts in paths]
    depths = range(1, max(map(len, paths)) + 1)
    named = (["/".join(parts[-depth:]) for parts in paths] for depth in depths)
    return next(names for names in named if len(set(names)) == len(names))


def _title(records: Sequence[RunRecord]) -> str:
    return f"Run {records[0].name}" if len(records) == 1 else f"{len(records)} runs side by side"


def _subtitle(records: Sequence[RunRecord]) -> str:
    if len(records) > 1:
        return ", ".join(record.name for record in records)
    saved = records[0].saved
    return (
        f"{saved['recipe']} on {saved['data']['name']}, seed {saved['seed']}, {records[0].step:,} steps in "
        f"{saved.get('seconds', 0.0):,.0f} s of training; {records[0].status}"
    )


def _foot() -> str:
    return f"Written by ganforge {ganforge.__version__}. This file needs no network."


def _one(record: RunRecord, watcher: ProgressListener) -> list[Section]:
    """Return the sections of a page on one run."""
    splits = DataShelf(watcher).splits(record)
    return [
        Section("verdict", "Verdict", [verdict_of(record)]),
        Section("findings", "Findings", _findings(record)),
        Section("samples", "Samples over time", _samples(record)),
        Section("figures", "Figures", figure_blocks(record)),
        Section("courses", "Figures over time", course_blocks(record)),
        Section("classes", "Classes over time", class_blocks(record)),
        Section("losses", "Losses", loss_blocks(record)),
        Section("copying", "Copying", copying_blocks(record, splits, watcher)),
        Section("recipe", "Recipe", recipe_blocks(record)),
        Section("data", "Data", data_blocks(record, splits, watcher.say)),
        Section("reproduce", "How to reproduce", reproduce_blocks(record)),
    ]


def _several(records: Sequence[RunRecord], watcher: ProgressListener) -> list[Section]:
    """Return the sections of a page that compares runs."""
    shelf = DataShelf(watcher)
    copies = [block for record in records for block in copying_blocks(record, shelf.splits(record), watcher)]
    return [
        Section("verdict", "Verdicts", _verdicts(records)),
        Section("findings", "Findings", _findings_of_each(records)),
        Section("samples", "Samples side by side", _samples_of_each(records)),
        Section("figures", "Figures side by side", comparison.figure_blocks(records)),
        Section("losses", "Curves", comparison.curve_blocks(records)),
        Section("copying", "Copying", copies),
        Section("recipe", "Recipes", comparison.recipe_differences(records)),
        Section("data", "Data", data_blocks(records[0], shelf.splits(records[0]), watcher.say)),
        Section("reproduce", "How to reproduce", _commands(records)),
    ]


def verdict_of(record: RunRecord) -> Verdict:
    """Return a run's verdict in large: its gravest finding, or its status before the end."""
    if record.status == "diverged":
        return Verdict(2, "Diverged", "a number was no longer finite, and the training stopped")
    if not record.findings:
        return Verdict(None, "Not judged", "this run has no verdict; the samples are the evidence")
    words = "; ".join(finding.text for finding in record.findings if finding.severity == record.findings[0].severity)
    if record.status != "finished":
        text = f"so far: {words}. 'ganforge resume {record.folder.path}' continues this run"
        return Verdict(None, f"Not finished: {record.status}", text)
    worst = max(record.findings, key=lambda finding: finding.severity)
    title = worst.name.replace("-", " ").capitalize()
    return Verdict(worst.severity, title, _with_remedy(words, worst), record.verdict.figures if record.verdict else "")


def _with_remedy(words: str, worst: Finding) -> str:
    return f"{words}. Try: {worst.remedy}" if worst.remedy else f"{words}."


def _findings(record: RunRecord) -> list[Block]:
    return finding_blocks(record) or [Words(NO_FINDINGS, "missing")]


def _samples(record: RunRecord) -> list[Block]:
    evolution, sheets = evolution_files(record), sheet_files(record)
    films = [
        film("The same noise over the whole training", "fixed", [(record, evolution)], BUDGET // 2),
        film("Sheets of fresh noise", "sheet", [(record, sheets)], BUDGET // 2),
    ]
    blocks: list[Block] = [found for found in films if found]
    return blocks or [Words("The folder samples/ holds no pictures.", "missing")]


def _findings_of_each(records: Sequence[RunRecord]) -> list[Block]:
    return [block for record in records for block in finding_blocks(record, record.name)] or [
        Words(NO_FINDINGS, "missing")
    ]


def _verdicts(records: Sequence[RunRecord]) -> list[Block]:
    verdicts = [(record.name, verdict_of(record)) for record in records]
    named = [replace(verdict, title=f"{name}: {verdict.title}") for name, verdict in verdicts]
    return [comparison.overview(records), *named]


def _samples_of_each(records: Sequence[RunRecord]) -> list[Block]:
    same = film(
        "The same noise in each run, at equal steps or equal seconds",
        "fixed",
        [(record, thinned(evolution_files(record), MOST_FRAMES // len(records))) for record in records],
    )
    last = film("The last sheet of each run", "sheet", [(record, sheet_files(record)[-1:]) for record in records])
    blocks: list[Block] = [found for found in (same, last) if found]
    return blocks or [Words("The runs hold no pictures in samples/.", "missing")]


def _commands(records: Sequence[RunRecord]) -> list[Block]:
    return [block for record in records for block in (Words(record.name), *reproduce_blocks(record)[1:2])]
