"""A finding in words, line by line, as a physician would say it."""

import shlex

from ganforge.diagnosis.finding import Evidence, Finding, Remedy

SEVERITIES = ("fine", "impaired", "failed")
SHARES = ("share", "probability")
"""First words of figures that are said in percent."""
SHOWN = 3
"""Remedies that are said, as many as a treatment tries; programs get all."""


def lines_of(finding: Finding) -> list[str]:
    """Return a finding as lines: name and severity, sentence, figures, cause, remedies, and what would change the mind.

    Parts that a finding does not have are left out.
    """
    lines = [_title(finding), f"  {finding.text}"]
    if finding.evidence:
        lines.append("  figures:")
        lines += [f"    {figure_words(evidence)}" for evidence in finding.evidence]
    if finding.cause:
        lines.append(f"  likely cause: {finding.cause}")
    if finding.remedies:
        lines.append("  remedies:")
        lines += [f"    {number}. {remedy_words(remedy)}" for number, remedy in enumerate(finding.remedies[:SHOWN], 1)]
    elif finding.remedy:
        lines.append(f"  remedy: {finding.remedy}")
    if finding.reconsider:
        lines.append(f"  would change the mind: {finding.reconsider}")
    return lines


def figure_words(evidence: Evidence) -> str:
    """Return a figure beside its healthy range: "spread 0.02 (healthy: from 0.6 to 1.4)"; shares in percent."""
    return f"{evidence.name.rstrip(',')}: {_number(evidence, evidence.value)}{_range_words(evidence)}"


def remedy_words(remedy: Remedy) -> str:
    """Return a remedy with its changes and its measured cure rate."""
    parts = [remedy.text]
    if remedy.anew and "anew" not in remedy.text:
        parts.append("in a training from the first step")
    words = ", ".join(parts)
    if changes := change_words(remedy):
        words += f": {changes}"
        words += f" (cured {remedy.cured} of {remedy.tried} such runs)" if remedy.tried else " (not measured yet)"
    return words


def change_words(remedy: Remedy) -> str:
    """Return the changes as arguments of ``ganforge train``; empty for a remedy in words."""
    changes = [f"--set {shlex.quote(change)}" for change in remedy.changes]
    return " ".join([f"ganforge train {remedy.recipe}", *changes] if remedy.recipe else changes)


def _title(finding: Finding) -> str:
    parts = [f"{finding.name} ({SEVERITIES[finding.severity]})"]
    if finding.since is not None:
        parts.append(f"since step {finding.since:,}")
    if finding.confidence is not None:
        parts.append(f"confidence {finding.confidence:.0%}")
    return " · ".join(parts)


def _range_words(evidence: Evidence) -> str:
    low, high = (None if end is None else _number(evidence, end) for end in (evidence.low, evidence.high))
    if low is None and high is None:
        return ""
    if high is None:
        return f" (healthy: from {low})"
    return f" (healthy: up to {high})" if low is None else f" (healthy: {low} to {high})"


def _number(evidence: Evidence, value: float) -> str:
    return (
        f"{value * 100:.3g}%"
        if evidence.name.startswith(SHARES)
        else f"{value:,.0f}"
        if abs(value) >= 1000
        else f"{value:.3g}"
    )
