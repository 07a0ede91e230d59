"""The case of a run: what its folder tells, as the typed numbers that a diagnosis takes."""

from typing import Any

from ganforge.diagnosis.case import Case, Facts, Signals
from ganforge.diagnosis.finding import Finding
from ganforge.experiment.saved_recipe import saved_recipe
from ganforge.experiment.signals_hook import read_signals
from ganforge.generation.generator import load_generator
from ganforge.metrics.measurement import Measurement, Noun, with_current_names
from ganforge.runs.folder import RunFolder
from ganforge.runs.log import fitting, read_lines, read_log

DIGITS = {str(digit) for digit in range(10)}


def case_of(folder: RunFolder, measured: Measurement | None = None) -> Case:
    """Return the case of a run.

    Args:
        folder: the run's folder.
        measured: the judge's measurement at the end; unless given, that of the newest verdict on the last step.

    Raises:
        UserError: the folder is not a run, or its recipe is damaged.
    """
    saved = folder.read_run()
    signals = read_signals(folder)
    measured = measured or _kept_measurement(folder, saved.get("step", 0))
    training_set = saved.get("training_set") or _former_training_set(folder)
    names = tuple(training_set["class_names"])
    facts = Facts(
        recipe=saved_recipe(folder).to_dict(),
        class_names=names,
        n_train=training_set["n"],
        shape=tuple(training_set["shape"]),
        steps_per_epoch=saved["steps_per_epoch"],
        noun=measured.noun if measured else _noun(names, signals),
        status=saved.get("status", "running"),
        before=tuple(finding for entry in saved.get("before", ()) if (finding := fitting(Finding, entry))),
    )
    return Case(facts=facts, log=read_log(folder.log), signals=signals, measured=measured)


def _former_training_set(folder: RunFolder) -> dict[str, Any]:
    """Return the same for a run of an earlier version, from its generator; the number of images follows from an epoch.

    Raises:
        UserError: the run has no generator.
    """
    note, recipe = load_generator(folder.path).note, saved_recipe(folder)
    images = folder.read_run()["steps_per_epoch"] * recipe.batch_size * recipe.game.discriminator_steps
    return {"n": images, "shape": note["shape"], "class_names": note["class_names"]}


def _kept_measurement(folder: RunFolder, step: int) -> Measurement | None:
    lines = read_lines(folder.metrics)
    kept = [line["measured"] for line in lines if line["step"] == step and isinstance(line.get("measured"), dict)]
    return fitting(Measurement, with_current_names(kept[-1])) if kept else None


def _noun(class_names: tuple[str, ...], signals: list[Signals]) -> Noun:
    judged = bool(signals) and signals[-1].features == "judge"
    return "digit" if judged and set(class_names) <= DIGITS else "class"
