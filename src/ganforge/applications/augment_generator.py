"""The generator of an augmentation, trained on the labelled pictures and on nothing else."""

from pathlib import Path

from ganforge.applications.augment_parts import Parts
from ganforge.data.images import Splits
from ganforge.experiment.api import start_run
from ganforge.experiment.experiment import ProgressListener
from ganforge.experiment.options import TrainOptions
from ganforge.experiment.run import Run
from ganforge.recipes.reading import load_recipe
from ganforge.recipes.recipe import Recipe


class _OnlyProgress(ProgressListener):
    """Passes on the progress of a training, but no messages: those on validation and test concern the stand-in."""

    def __init__(self, watcher: ProgressListener) -> None:
        self.begin, self.look, self.end = watcher.begin, watcher.look, watcher.end  # type: ignore[method-assign]


def train_generator(
    parts: Parts,
    *,
    recipe: str | Recipe = "default",
    minutes: float | None = None,
    steps: int | None = None,
    out: Path | None = None,
    watcher: ProgressListener | None = None,
) -> Run:
    """Train a generator on the labelled pictures alone, into ``out`` or else the first free folder of ``runs``.

    The run gets no validation or test images, so it ends without a verdict: its pictures are judged by what a
    classifier learns from them.

    Raises:
        UserError: the pictures are too few or too small for the recipe.
        RunFailed: the run diverged, or the disk is full.
        Interrupted: a stop signal arrived.
    """
    labelled = parts.labelled
    # a part cannot be empty, so one labelled picture stands in for validation and test
    stand_in = labelled.select(slice(0, 1))
    changes = []
    # the default recipe adapts its batch itself
    if recipe != "default" and load_recipe(recipe).batch_size > len(labelled):
        changes = [f"batch_size={max(2, len(labelled) // 2)}"]
    quiet = _OnlyProgress(watcher or ProgressListener())
    splits = Splits(labelled, stand_in, stand_in, f"{len(labelled):,} labelled training images")
    return start_run(
        TrainOptions.chosen(
            recipe=recipe, changes=changes, data=splits, minutes=minutes, steps=steps, out=out, watcher=quiet
        )
    )
