"""``benchmark few-labels``: handwritten digits told apart after a few labels, with a GAN and without.

Permutation-invariant MNIST as in Salimans et al. 2016, section 6.1: 60,000 training images without labels, a few with.
One draw of these labels a call; what was done before is kept, and the report is on all draws in the folder.
"""

import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganforge.benchmarks.run import read_kept
from ganforge.data.images import ImageSet, scale
from ganforge.errors import UserError
from ganforge.experiment.api import continue_run
from ganforge.experiment.experiment import Experiment, ProgressListener
from ganforge.experiment.preflight import RUNS, TrainingPlan, prepare
from ganforge.files import user_path, write_atomically
from ganforge.json_text import to_json
from ganforge.objectives.loss_context import LossContext, Samples
from ganforge.objectives.terms import LABELLED
from ganforge.recipes.reading import load_recipe
from ganforge.recipes.recipe import Recipe
from ganforge.runs.checkpoint import newest_checkpoint
from ganforge.runs.folder import RunFolder
from ganforge.training.ema import average
from ganforge.training.schedule import ema_decay, learning_rates
from ganforge.training.state import State
from ganforge.training.step import update

METHOD = "semi-supervised"
SUPERVISED_STEPS, QUICK_STEPS = 5_000, 300
BLOCK = 1000

PUBLISHED: dict[int, tuple[tuple[str, float, float | None], ...]] = {
    20: (
        ("Improved GAN, feature matching", 16.77, 4.52),
        ("Triple-GAN", 4.81, 4.95),
        ("Ladder + PBWN", 2.52, 2.42),
    ),
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
    """What one draw of the labels came to: errors on the test images, as parts of 1.

    Attributes:
        draw: number of the lot.
        error: of the averaged discriminator at the end of its run.
        supervised: of the same net that learned from the labelled images alone.
        step: of the run.
        seconds: the run took.
    """

    draw: int
    error: float
    supervised: float
    step: int
    seconds: float


@dataclass(frozen=True)
class FewLabelsReport:
    """All draws of a folder beside published rows.

    ``knows_pictures``: the recipe is told which pixels are neighbours, or that a picture moved a little shows the same;
    the published methods are not.
    """

    labels: int
    recipe: str
    knows_pictures: bool
    folder: Path
    quick: bool
    protocol_steps: int
    draws: tuple[Draw, ...]

    @property
    def terms(self) -> str:
        """How ours was done, and what of it is not the protocol."""
        count = len(self.draws)
        shortened = "" if self._is_whole else f", {self.draws[0].step:,} of {self.protocol_steps:,} steps"
        more = ", knows what pictures are" if self.knows_pictures else ""
        return f"{'--quick, no protocol: ' if self.quick else ''}{count} draw{'s' * (count != 1)}{shortened}{more}"

    @property
    def is_protocol(self) -> bool:
        """Whether every draw was trained as long as the recipe asks for, and knew no more than the paper's."""
        return self._is_whole and not self.knows_pictures

    @property
    def _is_whole(self) -> bool:
        return not self.quick and all(draw.step >= self.protocol_steps for draw in self.draws)

    def table(self) -> list[tuple[str, ...]]:
        """Rows: method, test error in percent, how."""
        rows: list[tuple[str, ...]] = [
            (method, f"{mean:g} %" + (f" ± {sd:g}" if sd else ""), "published, 10 draws")
            for method, mean, sd in PUBLISHED[self.labels]
        ]
        for what, errors in (
            ("ours, the labelled images alone", [draw.supervised for draw in self.draws]),
            (f"ours: {self.recipe}", [draw.error for draw in self.draws]),
        ):
            rows.append((what, shown(errors), self.terms))
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values for JSON."""
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


def shown(errors: list[float]) -> str:
    """Mean ± standard deviation in percent; one value alone as it is."""
    mean = f"{100 * statistics.fmean(errors):.2f} %"
    return f"{mean} ± {100 * statistics.stdev(errors):.2f}" if len(errors) > 1 else mean


def few_labels(
    labels: int = 100,
    draw: int = 0,
    *,
    recipe: str | None = None,
    steps: int | None = None,
    quick: bool = False,
    out: str | Path | None = None,
    watcher: ProgressListener | None = None,
) -> FewLabelsReport:
    """Train on one draw of the labels and measure on the test images, which choose nothing.

    The figure is that of the last step: no label of the validation images is looked at. A call that was
    stopped goes on.

    Raises:
        UserError: a number of labels that nobody published, or a recipe that learns from none of them.
    """
    watcher = watcher or ProgressListener()
    if labels not in PUBLISHED:
        raise UserError(f"--labels {labels}: published are {', '.join(map(str, PUBLISHED))}")
    if draw < 0:
        raise UserError(f"--draw {draw}: must be 0 or more")
    if load_recipe(recipe or METHOD).terms.supervised is None:
        raise UserError(f"{recipe} learns from no labels: take a recipe with terms.supervised, as {METHOD} has")
    changes = [f"data.labels={labels}", f"data.draw={draw}", "data.images=all"]
    checked = load_recipe(recipe or METHOD, changes)
    if quick:
        steps = QUICK_STEPS if steps is None else min(steps, QUICK_STEPS)
    order = prepare(checked, data="mnist", steps=steps, watcher=watcher)
    folder = (
        user_path(out) if out else RUNS / f"benchmark-few-labels-{labels}-{checked.name}{'-quick' if quick else ''}"
    )
    place = RunFolder(folder / f"draw-{draw}")
    experiment = Experiment(order.recipe, order.splits, place, draw)
    wanted = experiment.usual_steps if steps is None else steps
    kept = folder / f"draw-{draw}-{wanted}.json"
    if not kept.exists():
        found = _measure(experiment, order, quick, watcher)
        write_atomically(kept, to_json(asdict(found)).encode())
    draws = [read_kept(file, Draw) for file in sorted(folder.glob(f"draw-*-{wanted}.json"))]
    draws.sort(key=lambda found: found.draw)
    knows = knows_pictures(checked)
    return FewLabelsReport(labels, checked.name, knows, folder, quick, experiment.usual_steps, tuple(draws))


def knows_pictures(recipe: Recipe) -> bool:
    """Return whether a recipe is told more of images than their pixels in no order (permutation-invariant MNIST)."""
    assert recipe.discriminator is not None
    return recipe.discriminator.family != "mlp" or recipe.terms.invariant_information is not None


def _measure(experiment: Experiment, order: TrainingPlan, quick: bool, watcher: ProgressListener) -> Draw:
    place, draw = experiment.folder, experiment.seed
    watcher.say(f"draw {draw}: {experiment.recipe.data.labels} labels of {len(order.splits.train):,} images")
    run = continue_run(order, place) if place.exists else order.start(draw, place)
    state = experiment.new_state()
    tensors, note, _ = newest_checkpoint(place.checkpoints)
    state.load(tensors, note["step"], note["images_seen"])
    test, pixels = order.splits.test, experiment.recipe.pixel_range
    error = error_of(state.discriminator.published, test, pixels)
    watcher.say("the same net from the labelled images alone ...")
    alone = learn_from_labels(experiment, QUICK_STEPS if quick else SUPERVISED_STEPS)
    supervised = error_of(alone.discriminator.published, test, pixels)
    return Draw(draw, error, supervised, run.step, round(run.seconds, 1))


def learn_from_labels(experiment: Experiment, steps: int) -> State:
    """Return players whose discriminator learned from the labelled batches alone, by the recipe's rates."""
    recipe, state, streams, draws = experiment.recipe, experiment.new_state(), experiment.streams(), experiment.draws()
    player, term = state.discriminator, recipe.terms.supervised
    assert term is not None
    for step in range(steps):
        player.reseed(draws.seed("supervised", step))
        images, known = streams[LABELLED][step]
        side = Samples(images, player(images), known)
        loss = term.weight * term(LossContext("discriminator", side, None, {LABELLED: side}))
        update(player, loss, learning_rates(recipe, step * recipe.batch_size)[1])
        average(player, ema_decay(recipe, (step + 1) * recipe.batch_size))
    return state


@torch.no_grad()
def error_of(discriminator: nn.Module, images: ImageSet, pixel_range: str) -> float:
    """Return the share of images whose class a discriminator names wrongly."""
    was = discriminator.training
    discriminator.eval()
    wrong = 0
    for pixels, known in zip(images.images.split(BLOCK), images.labels.split(BLOCK), strict=True):
        said = discriminator(scale(pixels, pixel_range), None).class_logits
        wrong += int((said.argmax(1) != known).sum())
    discriminator.train(was)
    return wrong / len(images)
