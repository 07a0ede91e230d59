"""``benchmark few-labels``: semi-supervised classification of handwritten digits, with a GAN and without.

Permutation-invariant MNIST as in Salimans et al. 2016, section 6.1: 60,000 training images without labels, a few with.
A call uses one random subset of labels (a draw); earlier draws are kept, and the report covers all in the folder.
"""

import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganforge.benchmarks.common import (
    QUICK_STEPS,
    BenchmarkOptions,
    BenchmarkReport,
    count_of,
    measure_once,
    read_kept,
)
from ganforge.data.images import ImageSet, scale
from ganforge.errors import UserError
from ganforge.experiment.api import continue_run
from ganforge.experiment.experiment import Experiment
from ganforge.experiment.options import TrainOptions
from ganforge.experiment.preflight import TrainingPlan, prepare
from ganforge.experiment.trainer import load_state
from ganforge.objectives.loss_context import LossContext, Samples
from ganforge.objectives.terms import LABELLED
from ganforge.recipes.recipe import Recipe
from ganforge.runs.folder import RunFolder
from ganforge.training.ema import average
from ganforge.training.schedule import ema_decay, learning_rates
from ganforge.training.state import State
from ganforge.training.step import update

METHOD = "semi-supervised"
SUPERVISED_STEPS, BLOCK = 5_000, 1000

PUBLISHED: dict[int, tuple[tuple[str, float, float | None], ...]] = {
    20: (("Improved GAN, feature matching", 16.77, 4.52), ("Triple-GAN", 4.81, 4.95), ("Ladder + PBWN", 2.52, 2.42)),
    50: (
        ("Improved GAN, feature matching", 2.21, 1.36),
        ("Triple-GAN", 1.56, 0.72),
        ("Ladder", 1.62, 0.65),
        ("Ladder + PBWN", 1.06, 0.48),
    ),
    100: (
        ("Improved GAN, feature matching", 0.93, 0.065),
        ("Triple-GAN", 0.91, 0.58),
        ("Ladder", 1.06, 0.37),
        ("Ladder + PBWN", 0.91, 0.05),
    ),
    200: (("Improved GAN, feature matching", 0.90, 0.042),),
}
"""Test errors in percent and their standard deviations over ten draws, by the number of labels."""


@dataclass(frozen=True)
class Draw:
    """The result of one draw of the labels: errors on the test images, in [0, 1].

    Attributes:
        draw: number of the label subset.
        error: of the averaged discriminator at the end of its run.
        supervised: of the same network trained on the labelled images alone.
        step: last step of the run.
        seconds: training time of the run.
    """

    draw: int
    error: float
    supervised: float
    step: int
    seconds: float


@dataclass(frozen=True)
class FewLabelsReport(BenchmarkReport):
    """All draws of a folder, with published rows.

    ``knows_pictures``: the recipe uses the arrangement of pixels (convolutions) or invariance to small shifts, unlike
    the published methods.
    """

    labels: int
    recipe: str
    knows_pictures: bool
    folder: Path
    quick: bool
    protocol_steps: int
    draws: tuple[Draw, ...]
    header = ("method", "test error", "how")

    @property
    def terms(self) -> str:
        """How our rows were made, and how that differs from the protocol."""
        shortened = "" if self._is_whole else f", {self.draws[0].step:,} of {self.protocol_steps:,} steps"
        more = ", not permutation-invariant" if self.knows_pictures else ""
        draws = count_of(len(self.draws), "draw")
        return f"{'--quick, no protocol: ' if self.quick else ''}{draws}{shortened}{more}"

    @property
    def is_protocol(self) -> bool:
        """Whether every draw has the recipe's full length, and the recipe is permutation-invariant as in the paper."""
        return self._is_whole and not self.knows_pictures

    @property
    def _is_whole(self) -> bool:
        return not self.quick and all(draw.step >= self.protocol_steps for draw in self.draws)

    @property
    def title(self) -> str:
        """The task."""
        task = f"MNIST test digits classified with {self.labels} labels"
        return f"few-labels: {task}; published rows: permutation-invariant MNIST"

    def notes(self) -> list[str]:
        """Return how to add a draw, and where the runs are."""
        return [f"another label subset: --draw {max(draw.draw for draw in self.draws) + 1}; runs: {self.folder}"]

    def table(self) -> list[tuple[str, ...]]:
        """Return the rows: method, test error in percent, how."""
        rows: list[tuple[str, ...]] = [
            (method, f"{mean:g} %" + (f" ± {sd:g}" if sd else ""), "published, 10 draws")
            for method, mean, sd in PUBLISHED[self.labels]
        ]
        for method, errors in (
            ("ours, labelled images alone", [draw.supervised for draw in self.draws]),
            (f"ours: {self.recipe}", [draw.error for draw in self.draws]),
        ):
            rows.append((method, format_errors(errors), self.terms))
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "benchmark": "few-labels",
            "labels": self.labels,
            "recipe": self.recipe,
            "folder": str(self.folder),
            "is_protocol": self.is_protocol,
            "knows_pictures": self.knows_pictures,
            "terms": self.terms,
            "published": [
                {"method": method, "error": mean / 100, "sd": sd and sd / 100}
                for method, mean, sd in PUBLISHED[self.labels]
            ],
            "draws": [asdict(draw) for draw in self.draws],
        }


def format_errors(errors: list[float]) -> str:
    """Return mean ± standard deviation in percent; a single value without deviation."""
    mean = f"{100 * statistics.fmean(errors):.2f} %"
    return f"{mean} ± {100 * statistics.stdev(errors):.2f}" if len(errors) > 1 else mean


def run_few_labels(options: BenchmarkOptions) -> FewLabelsReport:
    """Train on one draw of the labels and measure on the test images, which select nothing.

    The error is that of the last step, so that no validation labels are used. An interrupted call can be repeated to
    resume.

    Args:
        options: ``labels``: 100 unless given; ``draw``: 0 unless given.

    Raises:
        UserError: there are no published results for this number of labels, the recipe does not use labels, or
            ``seeds`` is given.
    """
    if options.seeds is not None:
        raise UserError(f"--seeds {options.seeds}: few-labels uses one label subset a call; give --draw K")
    quick, steps, draw = options.quick, options.steps, options.draw or 0
    labels = 100 if options.labels is None else options.labels
    if labels not in PUBLISHED:
        raise UserError(f"--labels {labels}: give one of {', '.join(map(str, PUBLISHED))}, the published numbers")
    if draw < 0:
        raise UserError(f"--draw {draw}: must be 0 or more")
    if options.recipe_or(METHOD).terms.supervised is None:
        raise UserError(f"{options.recipe} does not use labels: take a recipe with terms.supervised, such as {METHOD}")
    checked = options.recipe_or(METHOD, [f"data.labels={labels}", f"data.draw={draw}", "data.images=all"])
    if quick:
        steps = QUICK_STEPS if steps is None else min(steps, QUICK_STEPS)
    plan = prepare(TrainOptions.chosen(recipe=checked, data="mnist", steps=steps, watcher=options.watcher))
    folder = options.folder(str(labels), checked.name)
    experiment = Experiment(plan.recipe, plan.splits, RunFolder(folder / f"draw-{draw}"), draw)
    length = experiment.usual_steps if steps is None else steps
    measure_once(folder / f"draw-{draw}-{length}.json", lambda: asdict(_measure(experiment, plan, quick)))
    draws = [read_kept(file, Draw) for file in folder.glob(f"draw-*-{length}.json")]
    draws.sort(key=lambda result: result.draw)
    return FewLabelsReport(
        labels, checked.name, knows_pictures(checked), folder, quick, experiment.usual_steps, tuple(draws)
    )


def knows_pictures(recipe: Recipe) -> bool:
    """Return whether a recipe uses more than the pixels in arbitrary order (permutation-invariant MNIST)."""
    assert recipe.discriminator is not None
    return recipe.discriminator.family != "mlp" or recipe.terms.invariant_information is not None


def _measure(experiment: Experiment, plan: TrainingPlan, quick: bool) -> Draw:
    """Train the run of one draw, and the same network on its labelled images alone; measure both."""
    run_folder, draw, watcher = experiment.folder, experiment.seed, plan.options.watcher
    watcher.say(f"draw {draw}: {experiment.recipe.data.labels} labels of {len(plan.splits.train):,} images")
    run = continue_run(plan, run_folder) if run_folder.exists else plan.start(draw, run_folder)
    state = experiment.new_state()
    load_state(run_folder.checkpoints, state)
    test, pixels = plan.splits.test, experiment.recipe.pixel_range
    error = measure_error(state.discriminator.published, test, pixels)
    watcher.say("training the same network on the labelled images alone ...")
    baseline = learn_from_labels(experiment, QUICK_STEPS if quick else SUPERVISED_STEPS)
    supervised = measure_error(baseline.discriminator.published, test, pixels)
    return Draw(draw, error, supervised, run.step, round(run.seconds, 1))


def learn_from_labels(experiment: Experiment, steps: int) -> State:
    """Return networks whose discriminator is trained on the labelled batches alone, at the recipe's learning rates."""
    recipe, state, streams, draws = experiment.recipe, experiment.new_state(), experiment.streams(), experiment.draws()
    discriminator, term = state.discriminator, recipe.terms.supervised
    assert term is not None
    for step in range(steps):
        discriminator.reseed(draws.seed("supervised", step))
        images, labels = streams[LABELLED][step]
        samples = Samples(images, discriminator(images), labels)
        loss = term.weight * term(LossContext("discriminator", samples, None, {LABELLED: samples}))
        update(discriminator, loss, learning_rates(recipe, step * recipe.batch_size)[1])
        average(discriminator, ema_decay(recipe, (step + 1) * recipe.batch_size))
    return state


@torch.no_grad()
def measure_error(discriminator: nn.Module, images: ImageSet, pixel_range: str) -> float:
    """Return the share of images that a discriminator misclassifies."""
    was_training = discriminator.training
    discriminator.eval()
    wrong = 0
    for pixels, labels in zip(images.images.split(BLOCK), images.labels.split(BLOCK), strict=True):
        logits = discriminator(scale(pixels, pixel_range), None).class_logits
        wrong += int((logits.argmax(1) != labels).sum())
    discriminator.train(was_training)
    return wrong / len(images)
