"""Findings in files of earlier versions, read with the names of this version."""

from collections.abc import Mapping
from typing import Any

OLD_NAMES = {
    "not-started": ("undertrained", 2),
    "not-yet-readable": ("undertrained", 1),
    "few-handwritings": ("class-collapse", 1),
    "label-half-followed": ("label-ignored", 1),
}
"""Names in files of earlier versions: the name of this version, and its severity."""


def with_current_name(finding: Any) -> Any:
    """Return a finding of a file with the name and severity of this version; anything else as it is."""
    if not isinstance(finding, Mapping) or finding.get("name") not in OLD_NAMES:
        return finding
    name, severity = OLD_NAMES[finding["name"]]
    return {**finding, "name": name, "severity": severity}
