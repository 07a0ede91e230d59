"""All findings of a case, causes before their consequences."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from ganforge.diagnosis.autoencoder import never_drew, posterior_collapse
from ganforge.diagnosis.case import Case
from ganforge.diagnosis.collapse import class_collapse, mode_collapse, noise_ignored
from ganforge.diagnosis.discriminator import discriminator_overfits, discriminator_weak, discriminator_won
from ganforge.diagnosis.finding import Finding
from ganforge.diagnosis.labels import label_ignored, label_noise
from ganforge.diagnosis.memory import memorising
from ganforge.diagnosis.moments import moments, until
from ganforge.diagnosis.progress import plateau, undertrained
from ganforge.diagnosis.quality import rough, well
from ganforge.diagnosis.stability import diverged, oscillating, unstable
from ganforge.diagnosis.variety import missing_classes, narrow, repetition

Check = Callable[[Case], Finding | None]

CHECKS: Mapping[str, Check] = {
    "diverged": diverged,
    "unstable": unstable,
    "posterior-collapse": posterior_collapse,
    "never-drew": never_drew,
    "discriminator-won": discriminator_won,
    "discriminator-weak": discriminator_weak,
    "mode-collapse": mode_collapse,
    "label-noise": label_noise,
    "label-ignored": label_ignored,
    "discriminator-overfits": discriminator_overfits,
    "memorising": memorising,
    "noise-ignored": noise_ignored,
    "class-collapse": class_collapse,
    "missing-classes": missing_classes,
    "narrow": narrow,
    "repetition": repetition,
    "oscillating": oscillating,
    "undertrained": undertrained,
    "plateau": plateau,
    "rough": rough,
}
"""The check of each finding on a trained run, by its name; among findings of one severity the earlier is first.

The findings on data and recipe, made before step 1, are in `Facts.before`; `learning` and `healthy` are the absence of
all others.
"""

AT_THE_END = frozenset({"undertrained", "plateau", "learning", "healthy"})
"""Findings that only a finished run has: before, more training may change them."""

_FEW = ("class-collapse", "missing-classes", "narrow", "repetition")
_FAR = ("rough", "undertrained", "plateau")
_POOR = (*_FEW, *_FAR)
FOLLOWS: Mapping[str, tuple[str, ...]] = {
    "diverged": (*_POOR, "mode-collapse", "label-ignored", "oscillating", "unstable"),
    "posterior-collapse": (*_POOR, "mode-collapse", "label-ignored", "never-drew"),
    "never-drew": (*_POOR, "mode-collapse", "label-ignored"),
    "unstable": ("undertrained",),
    "discriminator-won": ("undertrained",),
    "discriminator-weak": ("undertrained",),
    "mode-collapse": (*_POOR, "label-ignored", "memorising"),
    "label-noise": ("label-ignored",),
    "memorising": ("repetition",),
    "narrow": ("class-collapse",),
    "undertrained": ("rough", "plateau"),
    "plateau": ("rough",),
}
"""Consequences that follow from a cause of necessity, or say the same: they are left out beside it."""

EXPLAINS: Mapping[str, tuple[str, ...]] = {
    "recipe": (*_FEW, "unstable", "oscillating", "discriminator-won", "discriminator-weak", "mode-collapse"),
    "unstable": (
        *_FEW,
        "rough",
        "plateau",
        "mode-collapse",
        "label-ignored",
        "discriminator-won",
        "discriminator-weak",
        "oscillating",
    ),
    "discriminator-won": (*_FEW, "rough", "plateau", "mode-collapse", "label-ignored", "oscillating"),
    "discriminator-weak": (*_FEW, "rough", "plateau", "mode-collapse", "label-ignored", "oscillating"),
    "discriminator-overfits": (*_POOR, "memorising"),
    "undertrained": _FEW,
    "few-data": ("discriminator-overfits", "memorising", "repetition", "narrow"),
    "data-duplicates": ("repetition", "memorising"),
    "data-classes": ("missing-classes", "class-collapse"),
    "oscillating": (*_POOR, "mode-collapse", "label-ignored"),
}
"""Consequences that a cause explains: they stand below it, and its text names them."""


PREDICTIONS = frozenset({"few-data", "recipe", "discriminator-weak"})
"""Findings made before step 1 that foretell an illness: in a run that did not fall ill they are mere remarks."""


def diagnose(case: Case) -> list[Finding]:
    """Return the findings of a run, most severe first and causes before consequences; at least one.

    Works with a judge's measurement, with signals, with both, and with a log alone. `since` is the step from which the
    signals show a finding without a break.
    """
    found = seen(case)
    if all(finding.severity == 0 for finding in found):
        return [well(case), *found]
    findings = [_with_since(finding, case) for finding in found]
    return _causes_first(sorted(findings, key=lambda finding: -finding.severity))


def seen(case: Case) -> list[Finding]:
    """Return what is wrong with a run, without what follows of necessity from something graver."""
    found = {finding.name: finding for finding in _found(case)}
    for name in list(found):
        for consequence in FOLLOWS.get(name, ()):
            found.pop(consequence, None)
    return list(found.values())


def _found(case: Case) -> list[Finding]:
    """Return what the checks find, and what was found before step 1."""
    running = case.facts.status == "running"
    checks = [check for name, check in CHECKS.items() if not (running and name in AT_THE_END)]
    seen = [finding for check in checks if (finding := check(case))]
    before = list(case.facts.before)
    if not seen and well(case).name == "healthy":
        before = [replace(one, severity=0) if one.name in PREDICTIONS else one for one in before]
    names = {finding.name for finding in seen}
    return [*seen, *(one for one in before if one.name not in names)]


def _causes_first(findings: list[Finding]) -> list[Finding]:
    """Put each consequence directly behind the first cause that explains it, and name it in the cause's text."""
    explained: dict[str, list[Finding]] = {}
    for finding in findings:
        causes = [cause.name for cause in findings if finding.name in EXPLAINS.get(cause.name, ())]
        if causes:
            explained.setdefault(causes[0], []).append(finding)
    consequences = {finding.name for list_ in explained.values() for finding in list_}
    groups = [_with_consequences(finding, explained) for finding in findings if finding.name not in consequences]
    groups.sort(key=lambda group: -max(finding.severity for finding in group))
    return [finding for group in groups for finding in group]


def _with_consequences(cause: Finding, explained: Mapping[str, list[Finding]]) -> list[Finding]:
    """Return a cause whose text names its consequences, and these behind it, each with its own."""
    consequences = explained.get(cause.name, [])
    if not consequences:
        return [cause]
    named = ", ".join(finding.name.replace("-", " ") for finding in consequences)
    behind = [finding for one in consequences for finding in _with_consequences(one, explained)]
    return [replace(cause, text=f"{cause.text} (this explains: {named})"), *behind]


def _with_since(finding: Finding, case: Case) -> Finding:
    """Return the finding with the step of the first examination from which on every one shows it."""
    check, since = CHECKS.get(finding.name), None
    if check is None:
        return finding
    for step in reversed(moments(case)):
        if not check(until(case, step)):
            break
        since = step
    return replace(finding, since=since)
