"""The findings before the first step of a training: checked, said, and returned for ``run.json``."""

from dataclasses import replace
from functools import partial
from typing import Any

from ganforge.data.images import Splits
from ganforge.data.load import NOT_AS_PUBLISHED
from ganforge.data.sources.registry import ENTRIES
from ganforge.data.summary import notes_and_warnings, summarise
from ganforge.diagnosis.data_checks import check_data
from ganforge.diagnosis.finding import Finding
from ganforge.diagnosis.recipe_checks import check_recipe
from ganforge.experiment.experiment import ProgressListener
from ganforge.recipes.recipe import Recipe
from ganforge.training.tuning.machine_memory import machine_memory


def look_before_training(data: Any, recipe: Recipe, splits: Splits, watcher: ProgressListener) -> tuple[Finding, ...]:
    """Check recipe and data, say one line for each finding, and return the findings, most serious first.

    Data known by name are not checked where checksums say that they are the published ones.
    """
    findings = check_recipe(recipe, splits, machine_memory(recipe.run.device))
    if not is_named(data) or NOT_AS_PUBLISHED in splits.origin:
        try:
            summary = summarise(splits, partial(watcher.reading, "checking the pictures"))
        finally:
            watcher.end()
        findings = [_for_recipe(finding, recipe) for finding in check_data(splits, summary)] + findings
        for line in notes_and_warnings(splits, summary, [finding.text for finding in findings]):
            watcher.say(line)
    for finding in findings:
        watcher.say(finding.line)
    return tuple(findings)


def _for_recipe(finding: Finding, recipe: Recipe) -> Finding:
    """Return wrong labels as a mere remark where the recipe learns from no label."""
    classifies = recipe.discriminator and recipe.discriminator.classifier != "none" and not recipe.data.clusters
    if finding.name != "label-noise" or recipe.conditional or classifies:
        return finding
    return replace(finding, severity=0, text=f"{finding.text}; {recipe.name} learns from no label")


def is_named(data: Any) -> bool:
    """Whether data are those of a name that ganforge knows."""
    return isinstance(data, str) and data in ("auto", *ENTRIES)
