"""The runs in a folder, each with its status and its verdict."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganforge.errors import UserError
from ganforge.runs.folder import RunFolder, find_runs
from ganforge.runs.former_findings import with_current_name
from ganforge.runs.log import fitting, read_lines

UNREADABLE = "unreadable run.json"
UNKNOWN = {"recipe": "?", "data": {"name": "?"}, "status": UNREADABLE}


@dataclass(frozen=True)
class KeptFinding:
    """The parts of a finding in ``metrics.jsonl`` that a list shows."""

    name: str
    text: str


@dataclass(frozen=True)
class ListedRun:
    """A run as a list shows it.

    Attributes:
        path: its folder.
        saved: the content of ``run.json``.
        status: "running", "interrupted", "finished", "diverged", or `UNREADABLE`.
        findings: those of the latest verdict; empty without one.
    """

    path: Path
    saved: dict[str, Any]
    status: str
    findings: tuple[KeptFinding, ...]

    @property
    def recipe(self) -> str:
        """The name of the recipe."""
        return str(self.saved["recipe"])

    @property
    def data(self) -> str:
        """The name of the data."""
        return str(self.saved["data"]["name"])

    @property
    def step(self) -> int:
        """The last saved step."""
        return int(self.saved.get("step", 0))

    @property
    def words(self) -> str:
        """The texts of the findings."""
        return "; ".join(finding.text for finding in self.findings)

    @property
    def verdict(self) -> str:
        """The verdict in words, or that a finished run has none."""
        no_judge = self.saved.get("no_judge")
        if self.status != "finished" or (self.findings and (self.saved.get("judged") or no_judge)):
            return self.words
        return "not judged (no judge)" if no_judge else "not judged"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: the content of ``run.json``, with status and findings."""
        names = [finding.name for finding in self.findings]
        return {"run": str(self.path), "findings": names, "words": self.words, **self.saved, "status": self.status}


def list_runs(root: Path) -> list[ListedRun]:
    """Return every run in ``root``, including those in folders of several seeds, newest first."""
    return [list_run(folder) for folder in find_runs(root)]


def list_run(folder: RunFolder) -> ListedRun:
    """Return one run as a list shows it; a run without trainer that claims to be running was interrupted."""
    try:
        saved = folder.read_run()
        status = saved.get("status", "running")  # no status: killed before its first step
        if status == "running" and not folder.has_trainer():
            status = "interrupted"
    except UserError:
        saved, status = UNKNOWN, UNREADABLE
    verdicts = [line["findings"] for line in read_lines(folder.metrics) if isinstance(line.get("findings"), list)]
    findings = fitting(list[KeptFinding], [with_current_name(one) for one in verdicts[-1]]) if verdicts else None
    return ListedRun(folder.path, saved, status, tuple(findings or ()))
